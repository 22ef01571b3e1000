"""What attention keeps, by the kernel that computes it."""

from __future__ import annotations

from workbench.core.memory.blocks import Block
from workbench.core.memory.numbers import Numbers
from workbench.core.models.skeleton import Skeleton
from workbench.core.recipe import Recipe


def attention_bytes(
    recipe: Recipe, skeleton: Skeleton, block: Block, numbers: Numbers, tokens: int, masked: bool
) -> float:
    """Bytes a token and layer: queries, keys, values, output and row sums, and with a mask or a plain kernel more.

    A mask takes the flash kernel away: keys and values are then repeated for every query head, and the mask is made
    anew in each layer, in the numbers of the queries. A plain kernel keeps what every token thinks of every other.
    """
    query = skeleton.heads * skeleton.head_dim
    pair = skeleton.key_value_heads * skeleton.head_dim
    size = numbers.activation
    grouped = pair < query
    if recipe.model.attention == "eager" or block.plain:
        kept = 4.0 * skeleton.heads * tokens + (size * skeleton.heads * tokens if size != 4 else 0)
        kept += size * 3 * query + (size * skeleton.heads * tokens if block.capped else 0)
    elif numbers.device == "cuda" and size == 4 and grouped and not masked:
        kept = 4.0 * skeleton.heads * tokens + size * 4 * query  # no kernel for float32 with grouped queries
    elif masked:
        kept = size * (4.0 * query if grouped else 2 * query + 2 * pair) + 4 * skeleton.heads
        if numbers.device == "cuda":
            kept += size * tokens
    else:
        kept = size * (2.0 * query + 2 * pair) + 4 * skeleton.heads
    if block.rotated_copies:
        kept += size * (query + pair)
    if block.copied_output and recipe.method.name == "full":
        kept += size * query
    return kept
