"""LLaMA-Adapter's gated vectors in attentions that PEFT's own class does not know (Zhang et al. 2023, section 3.2).

PEFT counts the heads that share a key from the sides of its projection, which is right only where the heads together
are as wide as the model, and leaves out the norms that Qwen3 has on each head. The files are PEFT's own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from peft.tuners.adaption_prompt.config import TRANSFORMERS_MODEL_CONFIG
from peft.tuners.adaption_prompt.layer import AdaptedAttention
from peft.tuners.adaption_prompt.model import AdaptionPromptModel
from torch import nn

LIKE_LLAMA = ("qwen2", "qwen3", "gemma")
"""Model types that PEFT does not list, with Llama's projections and rotary positions."""

OF_PEFT = ("llama", "mistral")

for _kind in LIKE_LLAMA:
    TRANSFORMERS_MODEL_CONFIG.setdefault(_kind, TRANSFORMERS_MODEL_CONFIG["llama"])


class GatedPromptAttention(AdaptedAttention):
    """An attention that also looks at trained vectors, as far as a gate lets it: closed at the start.

    It is told hidden states of (batch, tokens, width) and the rotary tables, by name, as decoder blocks tell them.
    """

    def forward(self, **given: Any) -> Any:
        """What the attention gives, with what it finds among the vectors added; the rest of its results as they are."""
        attention = self.model
        output, *rest = attention(**given)
        hidden = given["hidden_states"]
        prompt = self.adaption_prompt
        queries = _rotated(self._heads("q", hidden), *given["position_embeddings"])
        groups = int(attention.num_key_value_groups)
        keys = self._heads("k", prompt).repeat_interleave(groups, dim=1).to(queries.dtype)
        values = self._heads("v", prompt).repeat_interleave(groups, dim=1)
        scores = queries @ keys.transpose(2, 3) / math.sqrt(attention.head_dim)
        shares = self.adaption_gate * scores.softmax(-1, dtype=torch.float32).to(queries.dtype)
        found = (shares @ values.to(shares.dtype)).transpose(1, 2).reshape(*hidden.shape[:-1], -1)
        projection = attention.o_proj
        return ((output + projection(found.to(hidden.dtype))).to(queries.dtype), *rest)

    def _heads(self, part: str, states: torch.Tensor) -> torch.Tensor:
        """One of the three projections of `states`, by heads: (batch, heads, tokens, head), normed where it is."""
        attention = self.model
        made = getattr(attention, f"{part}_proj")(states).unflatten(-1, (-1, int(attention.head_dim)))
        norm = getattr(attention, f"{part}_norm", None)
        return (norm(made) if norm is not None else made).transpose(1, 2)


class GatedPromptModel(AdaptionPromptModel):
    """PEFT's LLaMA-Adapter, for these attentions too."""

    def _create_adapted_attentions(self, config: Any, parents: Sequence[nn.Module]) -> None:
        sizes = self.model.config
        width = getattr(sizes, "head_dim", None) or sizes.hidden_size // sizes.num_attention_heads
        even = width * sizes.num_attention_heads == sizes.hidden_size
        if sizes.model_type not in LIKE_LLAMA and (even or sizes.model_type not in OF_PEFT):
            super()._create_adapted_attentions(config, parents)
            return
        for parent in parents:
            inner = getattr(parent, config.target_modules)
            setattr(parent, config.target_modules, GatedPromptAttention(sizes.model_type, config.adapter_len, inner))


def _rotated(states: torch.Tensor, cosines: torch.Tensor, sines: torch.Tensor) -> torch.Tensor:
    """States of (batch, heads, tokens, head) turned by their positions (RoFormer, arXiv 2104.09864, section 3.4.2)."""
    first, second = states.chunk(2, dim=-1)
    return states * cosines.unsqueeze(1) + torch.cat((-second, first), dim=-1) * sines.unsqueeze(1)
