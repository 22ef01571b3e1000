"""VeRA on a real model, by PEFT."""

from __future__ import annotations

from typing import Any

from peft import VeraConfig, get_peft_model
from transformers import PreTrainedModel

from workbench.core.methods.targets import chosen_targets
from workbench.core.models.skeleton import CONV1D, Skeleton
from workbench.core.recipe import Recipe
from workbench.engine.methods.lora import names_for


def build_vera(model: PreTrainedModel, recipe: Recipe, skeleton: Skeleton) -> Any:
    """The model with shared random matrices and two trained scales beside each target, and the base frozen.

    The random matrices are drawn from a number and saved with the adapter, so that they are the same everywhere.
    """
    knobs = recipe.method.knobs
    targets = chosen_targets(skeleton, knobs["targets"], knobs["layers"])
    config = VeraConfig(
        r=knobs["rank"],
        vera_dropout=knobs["dropout"],
        d_initial=knobs["start"],
        projection_prng_key=recipe.training.seed,
        save_projection=True,
        target_modules=names_for(model, targets),
        fan_in_fan_out=any(module.kind == CONV1D for module in targets),
        task_type="CAUSAL_LM",
    )
    return get_peft_model(model, config)
