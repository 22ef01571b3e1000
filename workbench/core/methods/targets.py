"""Which linear layers a method reaches: presets by what a layer does, or leaf names of the model's own."""

from __future__ import annotations

from typing import Any

from workbench.core.errors import UserError
from workbench.core.knobs import knob
from workbench.core.methods.layers import within
from workbench.core.models.skeleton import CONV1D, Module, Skeleton

QUERY_VALUE = {"q_proj", "v_proj", "query", "value", "c_attn", "qkv_proj", "query_key_value", "Wqkv"}
"""Leaf names of query and value projections; fused ones hold both."""

ATTENTION = QUERY_VALUE | {"k_proj", "o_proj", "out_proj", "key", "dense"}
"""Leaf names of attention projections; `dense` and `c_proj` only inside an attention block."""

PRESETS = {
    "all-linear": "every linear layer but the output layer and gates of one number",
    "attention": "query, key, value and output projections",
    "q+v": "query and value projections",
}


def target_modules(skeleton: Skeleton, targets: str) -> tuple[Module, ...]:
    """The linear layers that `targets` names on this model, in the model's order.

    `targets` is a preset (all-linear, attention, q+v) or leaf names joined by commas. UserError where a name is not
    a linear layer of the model.
    """
    linear = skeleton.linear_layers
    if targets == "all-linear":
        return tuple(module for module in linear if min(module.in_features, module.out_features) > 1)
    if targets == "attention":
        return _found(tuple(module for module in linear if in_attention(module)), targets, skeleton)
    if targets == "q+v":
        return _found(tuple(module for module in linear if module.leaf in QUERY_VALUE), targets, skeleton)
    wanted = [name.strip() for name in targets.split(",") if name.strip()]
    known = {module.leaf for module in linear}
    missing = [name for name in wanted if name not in known]
    if missing or not wanted:
        raise UserError(
            f"method.targets cannot be {targets!r}; it takes {', '.join(PRESETS)}, "
            f"or names of this model's linear layers: {', '.join(sorted(known))}."
        )
    return tuple(module for module in linear if module.leaf in wanted)


def targets_knob() -> Any:
    """Which linear layers a method reaches."""
    return knob("all-linear", "Layers that are reached: all-linear, attention, q+v, or names joined by commas.")


def chosen_targets(skeleton: Skeleton, targets: str, layers: str = "all") -> tuple[Module, ...]:
    """The linear layers that `targets` names, in the blocks that `layers` names; UserError where there are none."""
    found = within(target_modules(skeleton, targets), skeleton, layers)
    if not found:
        raise UserError(f"The layers {layers} hold none of the targets {targets}; choose others.")
    return found


def rank_above_matrix(skeleton: Skeleton, targets: str, layers: str, rank: int, name: str = "rank") -> str | None:
    """Why a rank is too high: no matrix has a rank above its smaller side."""
    smallest = min(chosen_targets(skeleton, targets, layers), key=lambda one: min(one.in_features, one.out_features))
    limit = min(smallest.in_features, smallest.out_features)
    if rank <= limit:
        return None
    return (
        f"method.{name} cannot be {rank}; {smallest.leaf} is a {smallest.out_features}×{smallest.in_features} "
        f"matrix, so its rank is at most {limit}."
    )


def refuse_conv1d(targets: tuple[Module, ...], title: str) -> str | None:
    """Why a method that PEFT has for plain linear layers alone does not fit GPT-2's transposed ones."""
    found = next((one for one in targets if one.kind == CONV1D), None)
    if found is None:
        return None
    return f"{title} cannot reach this model's {found.leaf}, a Conv1D as GPT-2 has them; choose LoRA or IA3."


def in_attention(module: Module) -> bool:
    """Whether a linear layer is one of the attention's projections, by its name."""
    if module.leaf in ("dense", "c_proj"):
        return "attn" in module.name or "attention" in module.name
    return module.leaf in ATTENTION


def _found(modules: tuple[Module, ...], targets: str, skeleton: Skeleton) -> tuple[Module, ...]:
    if modules:
        return modules
    known = ", ".join(sorted({module.leaf for module in skeleton.linear_layers}))
    raise UserError(f"This model has no layer that the preset {targets} names; choose from its own layers: {known}.")
