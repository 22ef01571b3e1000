"""Folding an adapter into its base, where that gives the same answers; a sentence where it cannot."""

from __future__ import annotations

from typing import Any

from peft import PeftType
from torch import nn

from workbench.core.errors import UserError

WITHOUT_MERGE = {
    "BOTTLENECK": "A bottleneck adapter has a non-linearity of its own, which no weight of the base can hold",
    PeftType.ADAPTION_PROMPT: "LLaMA-Adapter looks at vectors of its own, which no weight of the base can hold",
}

BIAS_SETTINGS = (("self_attn", "attention_bias"), ("mlp", "mlp_bias"))
"""Parts of a Llama-like block, and the config's word for biases in all of that part's linear layers."""


def fold_adapter(model: Any) -> Any:
    """The base with the adapter folded into its weights, as a Transformers model.

    The base must be whole: a quantised one would be rounded a second time. UserError where the kind cannot be merged.
    """
    config = model.active_peft_config
    if config.is_prompt_learning:
        raise UserError(
            "Virtual tokens stand before the text and are no weights, so they cannot be merged; keep the adapter."
        )
    if config.peft_type in WITHOUT_MERGE:
        raise UserError(f"{WITHOUT_MERGE[config.peft_type]}, so it cannot be merged; keep the adapter.")
    base = model.get_base_model()
    if getattr(base, "is_quantized", False):
        raise UserError("An adapter is merged into the whole base, not into a quantised one; load the base whole.")
    _untie(model, base)
    _declare_biases(model, base)
    try:
        return model.merge_and_unload(safe_merge=True)
    except (NotImplementedError, AttributeError, ValueError, RuntimeError) as error:
        raise UserError(
            "This adapter cannot be folded into the weights that this base has; keep the adapter.",
            f"{type(error).__name__}: {error}",
        ) from error


def _untie(model: Any, base: Any) -> None:
    """Give the output layer weights of its own where an update reaches only one of two that share them.

    Merging into shared weights would change both, and every logit with them.
    """
    embedding, output = base.get_input_embeddings(), base.get_output_embeddings()
    wrapped = [one for one in (embedding, output) if one is not None and hasattr(one, "base_layer")]
    if not wrapped or output is None or model.active_peft_config.peft_type == PeftType.TRAINABLE_TOKENS:
        return
    inner = [getattr(one, "base_layer", one) for one in (embedding, output)]
    if inner[0].weight is inner[1].weight:
        inner[1].weight = nn.Parameter(inner[1].weight.detach().clone(), requires_grad=False)
        base.config.get_text_config().tie_word_embeddings = False
        base.config.tie_word_embeddings = False


def _declare_biases(model: Any, base: Any) -> None:
    """Say in the base's config that its linear layers have biases now; UserError where it has no word for them."""
    if not getattr(model.active_peft_config, "add_missing", False):
        return
    from workbench.engine.tuners.bitfit import BitFitLayer

    linear = [
        (name, one) for name, one in base.named_modules()
        if isinstance(one, (nn.Linear, BitFitLayer)) and ".base_layer" not in name and "lm_head" not in name
    ]  # fmt: skip
    added = [name for name, one in linear if isinstance(one, BitFitLayer) and one.get_base_layer().bias is None]
    if not added:
        return
    wrapped = {name for name, one in linear if isinstance(one, BitFitLayer)}
    settings: list[str] = []
    for part, setting in BIAS_SETTINGS:
        inside = [name for name, _ in linear if f".{part}." in name]
        if any(name in added for name in inside):
            if not hasattr(base.config, setting) or not set(inside) <= wrapped:
                raise UserError(
                    "The biases that BitFit added have no place in this model's config, so the merged model could not "
                    "be loaded again; keep the adapter."
                )
            settings.append(setting)
    for setting in settings:
        setattr(base.config, setting, True)
