"""A decoder's block on a tape, in the order in which Transformers' own code computes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workbench.core.memory.blocks import Block
from workbench.core.memory.peft_wraps import PEFT_WRAPS
from workbench.core.memory.pieces import Attention, Rows, activate, attend, norm, rotate
from workbench.core.memory.tape import Piece, Tape, Tensor
from workbench.core.memory.wraps import WRAPS, Around, Base, bottleneck, read
from workbench.core.models.skeleton import Module, Skeleton

ATTENTION_OUTPUT = ("o_proj", "out_proj", "dense", "c_proj")
"""Leaf names of the projection behind the attention kernel."""

FEED_FORWARD_OUTPUT = ("down_proj", "fc2", "dense_4h_to_h", "c_proj", "w2")
"""Leaf names of a feed-forward's last projection."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One of a model's layers: what it is made of, and what a method does there."""

    skeleton: Skeleton
    block: Block
    base: Base
    rows: Rows
    masked: bool
    eager: bool
    modules: tuple[Module, ...]
    """Its linear layers."""
    around: Mapping[str, Around]
    """Updates, by the full name of the layer that they are around."""
    sites: Mapping[str, Mapping[str, Any]]
    """Bottleneck adapters, by the full name of what they stand behind or beside."""
    beside: bool
    norms: bool
    """Whether norms are trained."""
    caches: bool
    """Whether keys and values go into a cache that the model gives out."""
    prompt: int = 0
    """Vectors that LLaMA-Adapter's attention sees beside the text."""

    def linear(self, tape: Tape, module: Module, given: Tensor) -> Tensor:
        """A linear layer, with what the method has around it."""
        around = self.around.get(module.name)
        if around is None:
            result = self.base.product(tape, module, given)
        else:
            wrap = WRAPS.get(around.kind) or PEFT_WRAPS.get(around.kind, read)
            result = wrap(tape, self.base, around, module, given)
        settings = self.sites.get(module.name)
        return result if settings is None else self.adapted(tape, settings, result, result)

    def adapted(self, tape: Tape, settings: Mapping[str, Any], result: Tensor, read: Tensor) -> Tensor:
        """A result with what a bottleneck adapter adds."""
        return tape.add(result, bottleneck(tape, self.base.numbers, settings, self.skeleton, read))

    def norm(self, tape: Tape, given: Tensor) -> Tensor:
        """A norm of the block's kind. A bias that is trained takes a gradient through it."""
        trained = self.base.trained or self.norms or (self.base.biases and self.block.norm == "native")
        return norm(tape, self.block.norm, given, self.rows.tokens, trained)


def run_layer(tape: Tape, layer: Layer, hidden: Tensor) -> Tensor:
    """The block's output; an adapter that stands behind the whole block is not among it."""
    block = layer.block
    inner = [one for one in layer.modules if is_attention(one)]
    outer = [one for one in layer.modules if not is_attention(one)]
    if block.beside:
        read = layer.norm(tape, hidden)
        attended = _thinned(tape, block, _attention(tape, layer, read, inner))
        forward = _feed_forward(tape, layer, read if block.beside == "one" else layer.norm(tape, hidden), outer)
        return tape.add(tape.add(attended, _thinned(tape, block, forward)), hidden)
    attended = _attention(tape, layer, hidden if block.order == "behind" else layer.norm(tape, hidden), inner)
    if block.order != "before":
        attended = layer.norm(tape, attended)
    hidden = tape.add(hidden, _thinned(tape, block, attended))
    forward = _feed_forward(tape, layer, hidden if block.order == "behind" else layer.norm(tape, hidden), outer)
    if block.order != "before":
        forward = layer.norm(tape, forward)
    return tape.add(hidden, _thinned(tape, block, forward))


def is_attention(module: Module) -> bool:
    """Whether a linear layer lies in the attention, by its name."""
    return "attn" in module.name or "attention" in module.name


def _thinned(tape: Tape, block: Block, given: Tensor) -> Tensor:
    return tape.dropout(given) if block.masks else given


def _attention(tape: Tape, layer: Layer, given: Tensor, modules: list[Module]) -> Tensor:
    skeleton, block, rows = layer.skeleton, layer.block, layer.rows
    before = [one for one in modules if one.leaf not in ATTENTION_OUTPUT]
    behind = [one for one in modules if one.leaf in ATTENTION_OUTPUT]
    query_count = rows.tokens * skeleton.heads * skeleton.head_dim
    pair_count = rows.tokens * skeleton.key_value_heads * skeleton.head_dim
    if len(before) == 1:
        query, key, value = tape.parts(layer.linear(tape, before[0], given), (query_count, pair_count, pair_count))
    else:
        query, key, value = (layer.linear(tape, one, given) for one in before[:3])
    if block.scaled_query:
        query = tape.scale(query)
    if block.head_norms:
        trained, wide = layer.base.trained or layer.norms, block.norm
        query = norm(tape, wide, query, rows.tokens * skeleton.heads, trained)
        key = norm(tape, wide, key, rows.tokens * skeleton.key_value_heads, trained)
    if block.rotates:
        table = layer.base.numbers.weight
        query, key = (rotate(tape, one, table, block.joined, 1) for one in (query, key))
    if rows.keys != rows.length:
        longer = rows.batch * rows.keys * skeleton.key_value_heads * skeleton.head_dim
        prefix = tape.parameter(0, layer.base.numbers.weight, True)
        key, value = (tape.record(longer, one.width, (one, prefix)) for one in (key, value))
        if not layer.caches:
            tape.held += [key.piece, value.piece]
    if layer.caches:
        tape.cached += [key.piece, value.piece]
    kind = Attention(
        skeleton.heads, skeleton.key_value_heads, skeleton.head_dim, layer.masked or rows.keys != rows.length,
        layer.eager or block.plain, block.capped, block.drops_scores,
    )  # fmt: skip
    out = attend(tape, query, key, value, rows, kind, layer.base.numbers)
    for one in behind[:1]:
        out = layer.linear(tape, one, out)
    return _prompted(tape, layer, given, out, before, behind) if layer.prompt else out


def _prompted(
    tape: Tape, layer: Layer, given: Tensor, out: Tensor, before: list[Module], behind: list[Module]
) -> Tensor:
    """LLaMA-Adapter: queries once more, which see trained vectors, by a gate (PEFT's adaption_prompt/layer.py)."""
    skeleton, rows = layer.skeleton, layer.rows
    query = layer.base.product(tape, before[0], given)
    if len(before) == 1:
        query = tape.parts(query, (query.count // 3,) * 3)[0]
        query = query if rows.batch == 1 else tape.copy(query)
    if layer.block.rotates:
        query = rotate(tape, query, layer.base.numbers.weight, False, 1)
    width = query.width
    pairs = tape.parameter(rows.batch * layer.prompt * skeleton.heads * skeleton.head_dim, width, True)
    count = rows.tokens * skeleton.heads * layer.prompt
    scores = tape.scale(tape.product(query, pairs, count))
    weights = tape.record(count, 4, (tape.cast(scores, 4),))
    tape.nodes[-1].saved = (weights.piece,)
    weights = tape.multiply(tape.cast(weights, width), tape.parameter(1, 4, True))
    added = tape.copy(tape.product(weights, pairs, query.count))
    for one in behind[: int(len(before) > 1)]:
        added = layer.base.product(tape, one, added)
    return tape.cast(tape.add(out, added), out.width)


def _feed_forward(tape: Tape, layer: Layer, given: Tensor, modules: list[Module]) -> Tensor:
    block = layer.block
    read = given
    before = [one for one in modules if one.leaf not in FEED_FORWARD_OUTPUT]
    behind = [one for one in modules if one.leaf in FEED_FORWARD_OUTPUT]
    if block.experts[0]:
        return _experts(tape, layer, given, before, behind)
    if block.gated:
        inside = _gated(tape, layer, given, before)
    else:
        inside = activate(tape, block.activation, layer.linear(tape, before[0], given)) if before else given
    result = layer.linear(tape, behind[0], inside) if behind else inside
    for name, settings in layer.sites.items():
        if layer.beside:
            return layer.adapted(tape, settings, result, read)
        del name
    return result


def _gated(tape: Tape, layer: Layer, given: Tensor, before: list[Module]) -> Tensor:
    """act(gate) · up, by two layers or by one that gives both."""
    if len(before) == 1:
        both = layer.linear(tape, before[0], given)
        gate, up = tape.parts(both, (both.count // 2, both.count // 2))
    else:
        gate, up = layer.linear(tape, before[0], given), layer.linear(tape, before[1], given)
        if before[0].leaf in ("up_proj", "w3"):
            gate, up = up, gate
    return tape.multiply(activate(tape, layer.block.activation, gate), up)


def _experts(tape: Tape, layer: Layer, given: Tensor, before: list[Module], behind: list[Module]) -> Tensor:
    """Routed experts that lie in one tensor each way, and a shared one where there is one.

    Rows are gathered for each expert that a token goes to; what comes out is put in order, weighed and summed up.
    """
    skeleton, (count, inner) = layer.skeleton, layer.block.experts
    rows, numbers = layer.rows.tokens * skeleton.experts_per_token, layer.base.numbers
    trained, hidden = layer.base.trained, skeleton.hidden_size
    width = tape.low or given.width
    gates = tape.parameter(count * hidden, numbers.weight, trained)
    scores = tape.cast(tape.product(given, gates, layer.rows.tokens * count), 4)
    likely = tape.record(scores.count, 4, (scores,))
    if likely.grad:
        tape.nodes[-1].saved = (likely.piece, Piece(4 * likely.count))
    gathered = tape.copy(tape.cast(given, width), rows * hidden)
    both = tape.product(gathered, tape.parameter(2 * count * hidden * inner, numbers.weight, trained), 2 * rows * inner)
    gate, up = tape.parts(both, (rows * inner, rows * inner))
    inside = tape.multiply(activate(tape, layer.block.activation, gate), up)
    out = tape.product(inside, tape.parameter(count * hidden * inner, numbers.weight, trained), rows * hidden)
    share = tape.record(rows, width, (likely,))
    weighed = tape.copy(tape.multiply(out, share))
    result = tape.record(given.count, width, (weighed,))
    if behind and before:
        own = _gated(
            tape, layer, given, [one for one in before if one.leaf in ("gate_proj", "up_proj", "gate_up_proj")]
        )
        result = tape.add(result, layer.linear(tape, behind[0], own))
    return result
