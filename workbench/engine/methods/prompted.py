"""A PEFT model with virtual tokens whose forward pass takes and gives what the base's does.

PEFT's own forward pass for prompt, prefix and P-tuning puts the virtual tokens before whatever it is given, also before
a continuation that comes with a cache; it gives logits for the virtual tokens too, and ignores positions. Here a
caller sees its own tokens alone: logits have one row for each token given, a cache is gone on from, positions are
counted from the first token of the text, and a loss is asked for as of the base.
"""

from __future__ import annotations

from typing import Any

import torch
from peft import PeftModelForCausalLM, PeftType

NO_LOSS = -100

PREFIXES = (PeftType.PREFIX_TUNING, PeftType.CARTRIDGE)
"""Types whose virtual tokens are keys and values, not embeddings."""


class PromptedCausalLM(PeftModelForCausalLM):
    """A PEFT model for causal language models with virtual tokens. Saves and loads as PEFT's own."""

    switched_on: bool = True

    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        past_key_values: Any = None,
        logits_to_keep: int | torch.Tensor | None = None,
        **rest: Any,
    ) -> Any:
        """As the base's; `input_ids` has the shape [batch, tokens], a mask covers the cached tokens of the text too."""
        base = self.get_base_model()
        tasks = rest.pop("task_ids", None)
        options = {key: value for key, value in rest.items() if value is not None}
        if logits_to_keep is not None:
            options["logits_to_keep"] = logits_to_keep
        if not self.switched_on or input_ids is None:
            if position_ids is not None:
                options["position_ids"] = position_ids
            return base(
                input_ids=input_ids,
                attention_mask=attention_mask,
                labels=labels,
                past_key_values=past_key_values,
                **options,
            )
        count, size = self.active_peft_config.num_virtual_tokens, input_ids.shape[0]
        if attention_mask is not None:
            attention_mask = torch.cat([attention_mask.new_ones(size, count), attention_mask], dim=1)
        if position_ids is not None:
            position_ids = position_ids.expand(size, -1) + count
        first = past_key_values is None
        if first and self.active_peft_config.peft_type not in PREFIXES:
            prompt = self._prompt(size, tasks)
            return self._with_embeddings(input_ids, attention_mask, labels, position_ids, options, prompt)
        if position_ids is not None:
            options["position_ids"] = position_ids
        return base(
            input_ids=input_ids,
            attention_mask=attention_mask,
            labels=labels,
            past_key_values=self.get_prompt(size) if first else past_key_values,
            **options,
        )

    def _prompt(self, size: int, tasks: torch.Tensor | None) -> torch.Tensor:
        """The virtual embeddings of so many rows; the first task's, where each has its own and none is told."""
        if tasks is None and self.active_peft_config.peft_type == PeftType.MULTITASK_PROMPT_TUNING:
            tasks = torch.zeros(size, dtype=torch.long, device=self.device)
        return self.get_prompt(batch_size=size, task_ids=tasks)

    def _with_embeddings(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None,
        labels: torch.Tensor | None,
        position_ids: torch.Tensor | None,
        options: dict[str, Any],
        prompt: torch.Tensor,
    ) -> Any:
        """The first pass over a text behind virtual embeddings."""
        size, count = prompt.shape[:2]
        text = self.word_embeddings(input_ids)
        embeddings = torch.cat([prompt.to(text.dtype), text], dim=1)
        kept = options.get("logits_to_keep")
        masked = isinstance(kept, torch.Tensor) and kept.dtype == torch.bool
        if isinstance(kept, torch.Tensor):
            options["logits_to_keep"] = (
                torch.cat([kept.new_zeros(size, count), kept], dim=1) if masked else kept + count
            )
        if labels is not None and "shift_labels" not in options:
            labels = torch.cat([labels.new_full((size, count), NO_LOSS), labels], dim=1)
        if position_ids is not None:
            before = torch.arange(count, device=position_ids.device).expand(size, -1)
            options["position_ids"] = torch.cat([before, position_ids], dim=1)
        given = self.get_base_model()(inputs_embeds=embeddings, attention_mask=attention_mask, labels=labels, **options)
        if kept is None and given.logits.shape[1] > input_ids.shape[1]:
            given.logits = given.logits[:, count:]
        return given


def as_prompted(model: Any) -> Any:
    """`model` with the forward pass above where it has virtual tokens, else as it is.

    PEFT chooses the class of a model by its task; changing it afterwards keeps everything that PEFT has set up.
    """
    if model.active_peft_config.is_prompt_learning and type(model) is PeftModelForCausalLM:
        model.__class__ = PromptedCausalLM
    return model
