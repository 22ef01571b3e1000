"""BitFit on a real model, by our own tuner."""

from __future__ import annotations

from typing import Any

from peft import get_peft_model
from transformers import PreTrainedModel

from workbench.core.methods.bitfit import BitFitKnobs, bitfit_targets
from workbench.core.models.skeleton import Skeleton
from workbench.core.recipe import Recipe
from workbench.engine.tuners import BitFitConfig


def build_bitfit(model: PreTrainedModel, recipe: Recipe, skeleton: Skeleton) -> Any:
    """The model with a trained change of every bias, and the base frozen."""
    knobs = BitFitKnobs(**recipe.method.knobs)
    config = BitFitConfig(
        target_modules=[module.name for module, _ in bitfit_targets(skeleton, knobs)],
        add_missing=knobs.add_missing,
        task_type="CAUSAL_LM",
    )
    return get_peft_model(model, config)
