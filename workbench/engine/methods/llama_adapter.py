"""LLaMA-Adapter on a real model, by PEFT."""

from __future__ import annotations

from typing import Any

from peft import AdaptionPromptConfig, get_peft_model
from transformers import PreTrainedModel

from workbench.core.methods.llama_adapter import LlamaAdapterKnobs, adapted_layers
from workbench.core.models.skeleton import Skeleton
from workbench.core.recipe import Recipe
from workbench.engine import tuners

assert tuners.OWN  # importing them is what makes more kinds of attention known to PEFT


def build_llama_adapter(model: PreTrainedModel, recipe: Recipe, skeleton: Skeleton) -> Any:
    """The model with gated vectors in the attention of its topmost layers, and the base frozen."""
    knobs = LlamaAdapterKnobs(**recipe.method.knobs)
    config = AdaptionPromptConfig(
        adapter_len=knobs.length,
        adapter_layers=adapted_layers(skeleton, knobs),
        task_type="CAUSAL_LM",
    )
    return get_peft_model(model, config)
