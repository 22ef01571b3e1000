"""Which linear layers a method reaches: presets by what a layer does, or leaf names of the model's own."""

from __future__ import annotations

from workbench.core.errors import UserError
from workbench.core.models.skeleton import Module, Skeleton

QUERY_VALUE = {"q_proj", "v_proj", "query", "value", "c_attn", "qkv_proj", "query_key_value", "Wqkv"}
"""Leaf names of query and value projections; fused ones hold both."""

ATTENTION = QUERY_VALUE | {"k_proj", "o_proj", "out_proj", "key", "dense"}
"""Leaf names of attention projections; `dense` and `c_proj` only inside an attention block."""

PRESETS = {
    "all-linear": "every linear layer but the output layer",
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
        return linear
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
