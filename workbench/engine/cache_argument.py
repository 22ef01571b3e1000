"""The name under which a model takes and gives the cache of what it has read."""

from __future__ import annotations

import inspect
from typing import Any


def cache_argument(model: Any) -> str:
    """`cache` where the forward pass takes an argument of that name (Transformers from 5.24 on), or `past_key_values`.

    A state-space model of these versions takes no other name, and ignores the old one without a word. A PEFT model with
    virtual tokens, which sets the cache itself, is asked by the name that it takes.
    """
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    prompted = inner is not model and model.active_peft_config.is_prompt_learning
    if prompted or "cache" not in inspect.signature(inner.forward).parameters:
        return "past_key_values"
    return "cache"
