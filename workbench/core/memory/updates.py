"""What a method's own small matrices and factors keep of the forward pass."""

from __future__ import annotations

from workbench.core.memory.numbers import Numbers
from workbench.core.methods.targets import chosen_targets, in_attention
from workbench.core.models.skeleton import Module, Skeleton
from workbench.core.recipe import Recipe

ATTENTION_OUTPUT = ("o_proj", "out_proj", "dense", "c_proj")
"""Leaf names of the projection behind the attention kernel, whose input the kernel itself keeps."""

FEED_FORWARD_INPUT = ("gate_proj", "up_proj", "gate_up_proj", "fc1", "c_fc", "dense_h_to_4h")


def update_bytes(recipe: Recipe, skeleton: Skeleton, numbers: Numbers) -> float:
    """Bytes a token and layer that the method's own values keep.

    For LoRA and its kin: each target's input, and what the first matrix makes of it. Where the update computes in other
    numbers than the base, each target keeps a copy of its own (PEFT casts the input); else targets that read the same
    tensor share it.
    """
    name, knobs = recipe.method.name, recipe.method.knobs
    layers = max(1, skeleton.layers)
    if name in ("lora", "qlora"):
        return _low_rank(recipe, skeleton, numbers) / layers
    if name == "miss":
        return 0.0  # its updates are sums of blocks, which keep next to nothing
    keeping = recipe.method.facts.keeping
    total = numbers.adapter_input * keeping(skeleton, recipe.method.facts.knobs(**knobs)) if keeping else 0.0
    if name == "adalora":
        targets = chosen_targets(skeleton, str(knobs["targets"]), str(knobs["layers"]))
        total += numbers.activation * sum(module.out_features for module in targets)
    if name == "ia3" and numbers.weight == numbers.trained:  # no copies in other numbers
        total *= 0.5
    if name == "oft":
        total *= 0.61
    return total / layers


def fixed_update_bytes(recipe: Recipe, skeleton: Skeleton, numbers: Numbers) -> int:
    """Bytes that a method keeps whatever the tokens: trained tokens are written into a copy of the embedding."""
    if recipe.method.name == "tokens":
        return skeleton.vocabulary * skeleton.hidden_size * numbers.weight
    return 0


def _low_rank(recipe: Recipe, skeleton: Skeleton, numbers: Numbers) -> float:
    knobs = recipe.method.knobs
    size, dropout, ranks = numbers.adapter_input, float(knobs["dropout"]), dict(knobs["ranks"])
    copies = numbers.autocast or numbers.trained != numbers.weight
    kept: set[tuple[int | None, str]] = set()
    total = 0.0
    for module in chosen_targets(skeleton, str(knobs["targets"]), str(knobs["layers"])):
        total += size * int(ranks.get(module.leaf, knobs["rank"]))
        source = _input_of(module)
        if knobs["dora"]:  # both results, for the gradient of the magnitude
            total += (numbers.activation + size) * module.out_features
        if dropout:
            wide = numbers.weight if numbers.autocast else numbers.trained
            total += module.in_features * ((size if copies else wide) + 1)  # the thinned copy and its mask
        elif copies:
            total += size * module.in_features
        elif source is not None and (module.layer, source) not in kept:
            kept.add((module.layer, source))
            total += size * module.in_features
    return total


def _input_of(module: Module) -> str | None:
    """Which tensor a layer reads, so that readers of one tensor are counted once; None where it is kept anyway."""
    if in_attention(module):
        return None if module.leaf in ATTENTION_OUTPUT else "attention"
    return "feed-forward" if module.leaf in FEED_FORWARD_INPUT else module.name
