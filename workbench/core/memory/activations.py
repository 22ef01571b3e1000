"""What autograd keeps of the forward pass, counted from what PyTorch saves for each operation of a decoder's block.

The classical count is Korthikanti et al. 2022 (arXiv 2205.05198, section 4), for GPT-2's block in 16-bit numbers; these
terms follow Transformers' own blocks, with gated feed-forwards, grouped queries, mixed precision, and frozen bases with
small updates. `tests/bench/memory_grid.py` holds them against the trace.
"""

from __future__ import annotations

from dataclasses import dataclass

from workbench.core.memory.attention import attention_bytes
from workbench.core.memory.blocks import Block, block_of
from workbench.core.memory.numbers import Numbers
from workbench.core.memory.states import base_storage
from workbench.core.memory.updates import update_bytes
from workbench.core.models.skeleton import Skeleton
from workbench.core.recipe import Recipe

READERS = 3
"""Linear layers that read an attention's input; two read a gated feed-forward's."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept until the backward pass, in bytes."""

    per_token: float
    """Over all layers; with checkpointing each layer's input alone."""
    layer: float
    """Per token, of one layer that is computed again with checkpointing."""
    passing: float
    """Per token, of what a layer's backward pass makes and lets go again."""
    fixed: int
    """Independent of the tokens: weights that were cast for mixed precision."""


def kept_bytes(recipe: Recipe, skeleton: Skeleton, numbers: Numbers, tokens: int, masked: bool) -> Kept:
    """What a forward pass over rows of `tokens` tokens keeps. `masked`: whether rows of one batch differ in length."""
    block = block_of(skeleton)
    hidden, held = skeleton.hidden_size, numbers.weight
    layer = _layer(recipe, skeleton, block, numbers)
    layer += attention_bytes(recipe, skeleton, block, numbers, tokens, masked)
    full = recipe.method.name == "full"
    final = hidden * 4 + (hidden * (held + numbers.activation) if full else 0)
    final += hidden * numbers.activation  # the last layer's output
    cast = _cast_weights(recipe, skeleton, numbers)
    passing = 3 * numbers.inner * block.dense + 4 * hidden
    if block.experts[0]:  # what came out of the experts, in order, and its gradient
        passing += 3 * numbers.inner * hidden * skeleton.experts_per_token
    if recipe.training.gradient_checkpointing:
        return Kept(skeleton.layers * hidden * held + final, layer, passing, cast // max(1, skeleton.layers))
    return Kept(skeleton.layers * layer + final, layer, passing, cast)


def _layer(recipe: Recipe, skeleton: Skeleton, block: Block, numbers: Numbers) -> float:
    """Bytes a token of one block, attention's kernel left out."""
    hidden, inner, size, held = skeleton.hidden_size, block.dense, numbers.inner, numbers.weight
    full = recipe.method.name == "full"
    total = float(_norms(block, hidden, numbers, full))
    if block.head_norms:
        wide = (skeleton.heads + skeleton.key_value_heads) * skeleton.head_dim
        total += wide * (4 + (held if full else 0))
    total += block.masks * hidden
    if block.experts[0]:
        total += _routed(skeleton, block, numbers, full)
    if block.gated:
        total += size * inner * (4 if full else 3)  # gate, its activation, up, and their product
    elif block.activation == "rectified":
        total += size * inner
    elif block.activation == "polynomial":
        chain = 14 if numbers.autocast else 4 * size  # in mixed precision the powers are in float32
        total += inner * (chain + (size if full else 0))
    else:
        total += size * inner * (2 if full else 1)
    return total + (0.0 if full else update_bytes(recipe, skeleton, numbers))


def _routed(skeleton: Skeleton, block: Block, numbers: Numbers, full: bool) -> float:
    """Bytes a token of routed experts, whose rows are gathered for one product over all of them.

    For each expert that a token goes to: gate and up, the activation, and what comes out, which is weighed; and where
    they are trained the gathered input, and what goes into the last product. The router's scores are in float32.
    """
    count, inner = block.experts
    each = 3 * inner + skeleton.hidden_size
    if full:
        each += inner + skeleton.hidden_size
    return float(numbers.inner * skeleton.experts_per_token * each + 2 * 4 * count)


def _norms(block: Block, hidden: int, numbers: Numbers, full: bool) -> int:
    """Bytes a token of a block's norms, and of the inputs of the linear layers behind them where these are trained."""
    held, size = numbers.weight, numbers.activation
    if not block.native:
        each = hidden * 4 + 4  # the input in float32
        if full:
            each += hidden * (4 if block.shifted else held)
    elif numbers.autocast:
        each = hidden * 4 + 8
    else:
        each = hidden * held + 8
    total = block.norms * each
    if block.native and not numbers.autocast and block.shared_input:
        total -= hidden * held
    if full:
        cast = size != held or (block.native and numbers.autocast)
        readers = (READERS if block.gated else 1) + (2 if block.gated else 1)
        total += hidden * size * (readers if cast else min(2, block.norms))
    return total


def _cast_weights(recipe: Recipe, skeleton: Skeleton, numbers: Numbers) -> int:
    """Bytes of weights that mixed precision casts, which the backward pass needs again."""
    if not numbers.autocast:
        return 0
    total = 0
    if numbers.weight != numbers.activation:
        stored = base_storage(recipe, skeleton)
        matrices = 0 if stored is not None else sum(module.size for module in skeleton.linear_layers)
        if skeleton.output_layer:
            matrices += skeleton.vocabulary * skeleton.hidden_size
        total += matrices * numbers.activation
    if recipe.method.name != "full" and numbers.trained != numbers.activation:
        total += recipe.method.facts.count(skeleton, recipe.method.knobs).total * numbers.activation
    return total


def virtual_tokens(recipe: Recipe) -> int:
    """Tokens that the method puts before every text and that every layer goes through."""
    if recipe.method.name == "peft":
        from workbench.core.methods.peft import config_values

        values = config_values(recipe.method.knobs)
        if values["peft_type"] in ("PROMPT_TUNING", "P_TUNING", "MULTITASK_PROMPT_TUNING", "CPT"):
            return int(values["settings"].get("num_virtual_tokens") or values.get("num_virtual_tokens") or 0)
        return 0
    return int(recipe.method.knobs.get("virtual_tokens", 0)) if recipe.method.name in ("prompt", "p-tuning") else 0
