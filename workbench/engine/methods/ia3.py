"""IA3 on a real model, by PEFT."""

from __future__ import annotations

from typing import Any

from peft import IA3Config, get_peft_model
from transformers import PreTrainedModel

from workbench.core.methods.ia3 import Ia3Knobs, ia3_targets
from workbench.core.models.skeleton import CONV1D, Skeleton
from workbench.core.recipe import Recipe


def build_ia3(model: PreTrainedModel, recipe: Recipe, skeleton: Skeleton) -> Any:
    """The model with factors on keys, values and feed-forward inputs, and the base frozen.

    Keys and values are told by what they are; PEFT's own defaults scale the queries of Qwen, Gemma and Phi instead.
    """
    outputs, inputs = ia3_targets(skeleton, Ia3Knobs(**recipe.method.knobs))
    targets = (*outputs, *inputs)
    config = IA3Config(
        target_modules=[module.name for module in targets],
        feedforward_modules=[module.name for module in inputs],
        fan_in_fan_out=any(module.kind == CONV1D for module in targets),
        task_type="CAUSAL_LM",
    )
    return get_peft_model(model, config)
