"""QLoRA on a real model: LoRA over a base that `quantised` has prepared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from workbench.core.models.skeleton import Skeleton
from workbench.core.recipe import Recipe
from workbench.engine.methods.loftq import start_from_error
from workbench.engine.methods.lora import build_lora


def build_qlora(model: PreTrainedModel, recipe: Recipe, skeleton: Skeleton) -> Any:
    """LoRA over the quantised base, started so that it undoes the quantisation error where LoftQ is asked for."""
    built = build_lora(model, recipe, skeleton)
    if recipe.method.knobs["loftq"]:
        start_from_error(built, Path(str(model.config._name_or_path)))
    return built
