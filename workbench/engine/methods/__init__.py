"""Methods on real models: what `workbench.core.methods` counts, built. One file a method."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from transformers import PreTrainedModel, TrainerCallback

from workbench.core.errors import UserError
from workbench.core.models.skeleton import Skeleton
from workbench.core.recipe import MethodSection, Recipe
from workbench.engine.methods.adalora import RankSchedule, build_adalora, orthogonality
from workbench.engine.methods.any_peft import build_peft, virtual_tokens_of
from workbench.engine.methods.bitfit import build_bitfit
from workbench.engine.methods.bottleneck import build_bottleneck, build_fusion
from workbench.engine.methods.full import build_full
from workbench.engine.methods.ia3 import build_ia3
from workbench.engine.methods.layernorm import build_layer_norm
from workbench.engine.methods.llama_adapter import build_llama_adapter
from workbench.engine.methods.lora import build_lora
from workbench.engine.methods.miss import build_miss
from workbench.engine.methods.oft import build_oft
from workbench.engine.methods.prompts import build_p_tuning, build_prefix, build_prompt
from workbench.engine.methods.qlora import build_qlora
from workbench.engine.methods.quantised import prepare_quantised, quantisation_config
from workbench.engine.methods.tokens import build_tokens
from workbench.engine.methods.vera import build_vera

BUILDERS: dict[str, Callable[[PreTrainedModel, Recipe, Skeleton], Any]] = {
    "full": build_full,
    "lora": build_lora,
    "qlora": build_qlora,
    "houlsby": build_bottleneck,
    "pfeiffer": build_bottleneck,
    "parallel": build_bottleneck,
    "fusion": build_fusion,
    "llama-adapter": build_llama_adapter,
    "prompt": build_prompt,
    "prefix": build_prefix,
    "p-tuning": build_p_tuning,
    "ia3": build_ia3,
    "bitfit": build_bitfit,
    "layernorm": build_layer_norm,
    "adalora": build_adalora,
    "vera": build_vera,
    "oft": build_oft,
    "miss": build_miss,
    "tokens": build_tokens,
    "peft": build_peft,
}


def build_method(model: PreTrainedModel, recipe: Recipe, skeleton: Skeleton) -> Any:
    """`model` with the recipe's method on it: what is trained requires gradients, and nothing else does.

    Adapters draw their first values from torch's global random numbers: seed them first. UserError where the method
    does not train in the recipe's way.
    """
    refuse_training(recipe)
    if getattr(model, "is_quantized", False):
        prepare_quantised(model)
    return BUILDERS[recipe.method.name](model, recipe, skeleton)


def refuse_training(recipe: Recipe) -> None:
    """UserError where the method does not train in the recipe's way: on packed rows, or without kept activations."""
    method = recipe.method.facts
    virtual, prefix = (not method.packs, not method.checkpoints)
    if method.name == "peft":
        virtual, prefix = virtual_tokens_of(recipe)
    if recipe.data.packing is True and virtual:
        raise UserError(
            f"data.packing cannot be true with {method.title.lower()}: its virtual tokens stand before a whole "
            "sequence, not before each row in it."
        )
    if recipe.training.gradient_checkpointing and prefix:
        raise UserError(
            f"{method.title} does not train with gradient checkpointing, which reads no prefix when it computes a "
            "layer again; set training.gradient_checkpointing to false."
        )


def base_quantisation(method: MethodSection, precision: str) -> Any | None:
    """The Transformers quantisation config that the method needs its base loaded with, or None."""
    return quantisation_config(method.knobs, precision)


def method_callbacks(model: Any, recipe: Recipe) -> list[TrainerCallback]:
    """What the method needs to be told while it is trained."""
    return [RankSchedule(model, recipe.method.knobs)] if recipe.method.name == "adalora" else []


def penalty_of(model: Any) -> Any | None:
    """What the method wants small beside the loss of the text, a tensor of no dimensions; None where it wants nothing.

    Its gradient is added to that of the loss once a step, so no figure of the loss holds it.
    """
    return orthogonality(model)


def count_trainable(model: Any) -> int:
    """Trainable parameters of a built model."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


__all__ = [
    "base_quantisation",
    "build_method",
    "count_trainable",
    "method_callbacks",
    "penalty_of",
    "prepare_quantised",
    "refuse_training",
]
