"""What an optimizer keeps for each trained tensor."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod

from workbench.core.methods import Count
from workbench.core.models.skeleton import Skeleton
from workbench.core.recipe import Recipe

Shapes = Iterable[tuple[tuple[int, ...], int]]
"""Shapes of trained tensors, and how many there are of each."""

PAGED = 100_000
"""Values from which on bitsandbytes' paged optimizers page a tensor's states (optim/optimizer.py, get_state_buffer)."""

SMALL = 4_096
"""Values below which bitsandbytes keeps a tensor's states in float32 (min_8bit_size)."""

BLOCK = 256
"""Values of an 8-bit state that share a float32 scale."""


def optimizer_bytes(optimizer: str, shapes: Shapes, width: int) -> int:
    """Bytes that the states of trained tensors take on the device; `width` is that of a trained value.

    AdamW has two states in the parameters' own numbers, bitsandbytes' in float32 or 8 bits, and what is paged lies
    outside of the allocator, but for its scales. Adafactor has float32 means of rows and columns (Shazeer and Stern
    2018, section 3), and one a value where there are no rows.
    """
    total = 0
    for shape, times in shapes:
        size = prod(shape)
        if optimizer == "adamw":
            each = 2 * width * size
        elif optimizer == "adafactor":
            each = 4 * (sum(prod(shape[:-2]) * side for side in shape[-2:]) if len(shape) > 1 else size)
        elif optimizer == "sgd":
            each = 0
        else:
            each = _bitsandbytes(optimizer.startswith("paged"), optimizer.endswith("8bit"), size)
        total += times * each
    return total


def _bitsandbytes(paged: bool, small: bool, size: int) -> int:
    outside = paged and size >= PAGED
    if not small or size < SMALL:
        return 0 if outside else 2 * 4 * size
    return (0 if outside else 2 * size) + 2 * 4 * -(-size // BLOCK)


def trained_shapes(recipe: Recipe, skeleton: Skeleton, count: Count) -> list[tuple[tuple[int, ...], int]]:
    """The trained tensors' shapes. Of a method that has no matrices around layers, one vector a module."""
    name = recipe.method.name
    if name == "full":
        return [(shape, 1) for module in skeleton.modules for _, shape in module.parameters]
    if name in ("houlsby", "pfeiffer", "parallel"):
        from workbench.core.methods.bottleneck import bottleneck_size

        width = skeleton.hidden_size
        size = bottleneck_size(width, float(recipe.method.knobs["reduction"]))
        return [(shape, len(count.by_module)) for shape in ((size, width), (size,), (width, size), (width,))]
    modules = {module.name: module for module in skeleton.modules}
    found: list[tuple[tuple[int, ...], int]] = []
    for place, size in count.by_module:
        module, rank = modules.get(place), _rank(recipe, place)
        if module is None or not rank:
            found.append(((size,), 1))
        elif name == "miss":
            found.append(((rank, module.out_features), 1))
        else:
            found += [((rank, module.in_features), 1), ((module.out_features, rank), 1)]
            rest = size - rank * (module.in_features + module.out_features)
            if rest:
                found.append(((rest,), 1))
    return found


def _rank(recipe: Recipe, name: str) -> int:
    """The rank of the matrices that a method has around a layer; 0 where it has none."""
    knobs = recipe.method.knobs
    if recipe.method.name in ("lora", "qlora"):
        return int(dict(knobs["ranks"]).get(name.rpartition(".")[2], knobs["rank"]))
    return int(knobs.get("start_rank", knobs["rank"])) if recipe.method.name in ("adalora", "miss") else 0
