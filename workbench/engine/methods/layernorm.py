"""LayerNorm tuning on a real model, by PEFT."""

from __future__ import annotations

from typing import Any

from peft import LNTuningConfig, get_peft_model
from transformers import PreTrainedModel

from workbench.core.methods.layernorm import LayerNormKnobs, norm_targets
from workbench.core.models.skeleton import Skeleton
from workbench.core.recipe import Recipe


def build_layer_norm(model: PreTrainedModel, recipe: Recipe, skeleton: Skeleton) -> Any:
    """The model with a trained copy of every norm, and the base frozen."""
    targets = norm_targets(skeleton, LayerNormKnobs(**recipe.method.knobs))
    config = LNTuningConfig(target_modules=[module.name for module in targets], task_type="CAUSAL_LM")
    return get_peft_model(model, config)
