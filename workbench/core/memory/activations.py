"""What autograd keeps of the forward pass, counted for pre-norm decoder blocks with a fused attention kernel.

The classical count is Korthikanti et al. 2022 (arXiv 2205.05198, section 4), for GPT-2's block in 16-bit numbers; these
terms follow what PyTorch saves for gated feed-forwards, grouped queries, and frozen bases with low-rank updates.
"""

from __future__ import annotations

from workbench.core.memory.numbers import Numbers
from workbench.core.methods.targets import chosen_targets, in_attention
from workbench.core.models.skeleton import Module, Skeleton
from workbench.core.recipe import Recipe

ATTENTION_OUTPUT = ("o_proj", "out_proj", "dense", "c_proj")
"""Leaf names of the projection behind the attention kernel, whose input the kernel itself keeps."""

FEED_FORWARD_INPUT = ("gate_proj", "up_proj", "gate_up_proj", "fc1", "c_fc", "dense_h_to_4h")


def activation_bytes(recipe: Recipe, skeleton: Skeleton, numbers: Numbers) -> tuple[float, float]:
    """Bytes a token that are kept until the backward pass, and those of one layer.

    With gradient checkpointing only each layer's input is kept, and one layer at a time is computed again.
    """
    layer = _layer(recipe, skeleton, numbers)
    hidden, size = skeleton.hidden_size, numbers.activation
    full = recipe.method.name == "full"
    final = hidden * (4 + size) + (2 * hidden * size if full else 0)  # the last norm, and the last layer's output
    if recipe.training.gradient_checkpointing:
        return skeleton.layers * hidden * size + final, layer
    return skeleton.layers * layer + final, layer


def _layer(recipe: Recipe, skeleton: Skeleton, numbers: Numbers) -> float:
    hidden, inner, size = skeleton.hidden_size, skeleton.intermediate_size, numbers.activation
    query = skeleton.heads * skeleton.head_dim
    key_value = skeleton.key_value_heads * skeleton.head_dim
    norms = 2 * hidden * 4  # each norm keeps its input in float32
    attention = size * (2 * query + 2 * key_value) + 4 * skeleton.heads  # q, k, v, output, log-sum-exp
    feed_forward = size * 3 * inner  # gate, its activation, up
    if recipe.method.name == "full":
        return norms + attention + feed_forward + 4 * hidden * size + inner * size
    return norms + attention + feed_forward + _update_inputs(recipe, skeleton, numbers)


def _update_inputs(recipe: Recipe, skeleton: Skeleton, numbers: Numbers) -> float:
    """Bytes a token and layer that the method's own values keep; for LoRA, each target's input, and A·x.

    Where the update computes in other numbers than the base, each target keeps a copy of its own (PEFT casts the
    input); else targets that read the same tensor share it.
    """
    knobs = recipe.method.knobs
    if recipe.method.name not in ("lora", "qlora"):
        keeping = recipe.method.facts.keeping
        if keeping is None:
            return 0.0
        values = keeping(skeleton, recipe.method.facts.knobs(**knobs))
        return numbers.adapter_input * values / max(1, skeleton.layers)
    size, dropout, ranks = numbers.adapter_input, float(knobs["dropout"]), dict(knobs["ranks"])
    copies = numbers.adapter_input != numbers.activation or numbers.activation != numbers.weight
    copies = copies or (numbers.trained != numbers.weight)
    kept: set[tuple[int | None, str]] = set()
    total = 0.0
    for module in chosen_targets(skeleton, str(knobs["targets"]), str(knobs["layers"])):
        total += size * int(ranks.get(module.leaf, knobs["rank"]))
        source = _input_of(module)
        if dropout:
            total += module.in_features * (size + 1)  # the thinned copy and its mask
        if copies:
            total += size * module.in_features
        elif source is not None and (module.layer, source) not in kept:
            kept.add((module.layer, source))
            total += size * module.in_features
    return total / max(1, skeleton.layers)


def virtual_tokens(recipe: Recipe) -> int:
    """Tokens that the method puts before every text and that every layer goes through."""
    return int(recipe.method.knobs.get("virtual_tokens", 0)) if recipe.method.name in ("prompt", "p-tuning") else 0


def _input_of(module: Module) -> str | None:
    """Which tensor a layer reads, so that readers of one tensor are counted once; None where it is kept anyway."""
    attention = in_attention(module)
    if attention:
        return None if module.leaf in ATTENTION_OUTPUT else "attention"
    return "feed-forward" if module.leaf in FEED_FORWARD_INPUT else module.name
