"""What a module does in a block, told from its name and shape; architectures name the same part differently."""

from __future__ import annotations

from workbench.core.errors import UserError
from workbench.core.methods.targets import in_attention
from workbench.core.models.skeleton import EMBEDDING, NORM, Module, Skeleton

KEY_VALUE = {"k_proj", "v_proj", "key", "value", "c_attn", "query_key_value", "qkv_proj", "Wqkv"}
"""Leaf names of key and value projections; fused ones hold the query too."""

ATTENTION_OUTPUT = {"o_proj", "out_proj", "dense", "c_proj"}
"""Leaf names of the projection behind the attention."""

FEED_FORWARD_OUTPUT = {"down_proj", "c_proj", "fc2", "dense_4h_to_h", "fc_out", "w2"}
"""Leaf names of the last projection of a feed-forward."""

FEED_FORWARD_NORM = ("pre_feedforward_layernorm", "post_attention_layernorm", "ln_2", "final_layer_norm")
"""Leaf names of the norm before a feed-forward that reads what attention has added to; the likelier first."""


def lies_in_attention(module: Module) -> bool:
    """Whether a module is part of an attention block, by the parts of its path."""
    parents = module.name.split(".")[:-1]
    return any("attn" in part.lower() or "attention" in part.lower() for part in parents)


def key_values(skeleton: Skeleton) -> tuple[Module, ...]:
    """Key and value projections, or the fused ones that hold them."""
    return tuple(one for one in skeleton.linear_layers if one.leaf in KEY_VALUE and lies_in_attention(one))


def attention_outputs(skeleton: Skeleton) -> tuple[Module, ...]:
    """The projection behind each attention."""
    return tuple(one for one in skeleton.linear_layers if one.leaf in ATTENTION_OUTPUT and lies_in_attention(one))


def feed_forward_outputs(skeleton: Skeleton) -> tuple[Module, ...]:
    """The last projection of each feed-forward."""
    return tuple(
        one
        for one in skeleton.linear_layers
        if one.leaf in FEED_FORWARD_OUTPUT and one.layer is not None and not lies_in_attention(one)
    )


def norms(skeleton: Skeleton) -> tuple[Module, ...]:
    """LayerNorms, RMSNorms and their like that hold weights."""
    return tuple(one for one in skeleton.modules if one.kind == NORM and one.size)


def input_embedding(skeleton: Skeleton) -> Module:
    """The embedding of tokens; UserError where the skeleton shows none."""
    for module in skeleton.modules:
        if module.kind == EMBEDDING and module.parameters and module.parameters[0][1][0] >= skeleton.vocabulary:
            return module
    raise UserError("This model shows no embedding of its tokens, so this method has nothing to start from.")


def norms_before_feed_forward(skeleton: Skeleton, feed_forwards: tuple[str, ...]) -> tuple[str, ...]:
    """For each feed-forward's full name the norm before it, in the same block; empty where there is none.

    A block whose attention and feed-forward read the same has none, nor one that norms only what they give.
    """
    known = {module.name for module in skeleton.modules if module.kind == NORM}
    found = []
    for name in feed_forwards:
        block = name.rpartition(".")[0]
        behind = f"{block}.post_feedforward_layernorm" in known
        leaves = FEED_FORWARD_NORM[:1] if behind else FEED_FORWARD_NORM
        found.append(next((f"{block}.{leaf}" for leaf in leaves if f"{block}.{leaf}" in known), ""))
    return tuple(found)


def part_of(module: Module, skeleton: Skeleton) -> str:
    """Which part of the model a module belongs to: embeddings, output, norms, attention, feed-forward, or other."""
    if module.name == skeleton.output_layer:
        return "output"
    if module.kind == EMBEDDING:
        return "embeddings"
    if module.kind == NORM:
        return "norms"
    if lies_in_attention(module) or (module.is_linear and in_attention(module)):
        return "attention"
    return "feed-forward" if module.layer is not None else "other"


def blocks(skeleton: Skeleton) -> tuple[tuple[int, str], ...]:
    """Each block's number and full name, in order."""
    found: dict[int, str] = {}
    for module in skeleton.modules:
        layer = module.layer
        if layer is not None and layer not in found:
            parts = module.name.split(".")
            found[layer] = ".".join(parts[: parts.index(str(layer)) + 1])
    return tuple(sorted(found.items()))
