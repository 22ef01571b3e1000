"""OFT on a real model, by PEFT."""

from __future__ import annotations

from typing import Any

from peft import OFTConfig, get_peft_model
from transformers import PreTrainedModel

from workbench.core.methods.targets import chosen_targets
from workbench.core.models.skeleton import Skeleton
from workbench.core.recipe import Recipe
from workbench.engine.methods.lora import names_for


def build_oft(model: PreTrainedModel, recipe: Recipe, skeleton: Skeleton) -> Any:
    """The model with a rotation before each target, and the base frozen."""
    knobs = recipe.method.knobs
    config = OFTConfig(
        r=0,
        oft_block_size=knobs["block_size"],
        target_modules=names_for(model, chosen_targets(skeleton, knobs["targets"], knobs["layers"])),
        task_type="CAUSAL_LM",
    )
    return get_peft_model(model, config)
