"""A linear layer on a tape as a method has it: the base's product, and what PEFT's layer around it computes beside."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workbench.core.memory.numbers import BYTES, Numbers
from workbench.core.memory.pieces import FLOAT, activate, matmul
from workbench.core.memory.tape import NOTHING, Piece, Tape, Tensor
from workbench.core.models.skeleton import Module, Skeleton
from workbench.core.models.stored import Stored

HALF = 2


@dataclass(frozen=True, slots=True)
class Base:
    """How the base's own layers compute."""

    numbers: Numbers
    stored: Stored | None
    output: str
    """Name of the output layer, which is not quantised with the others."""
    trained: bool
    """Whether its weights are trained."""
    biases: bool
    """Whether its biases are trained, and they alone."""

    @property
    def low(self) -> int:
        return HALF if self.numbers.autocast else 0

    def tape(self) -> Tape:
        """An empty tape in the base's numbers, as its device has operations."""
        return Tape(self.low, self.numbers.device == "cuda")

    @property
    def bits(self) -> bool:
        """Whether PEFT has a layer of its own for this base: bitsandbytes' numbers."""
        return self.stored is not None and self.stored.by_bitsandbytes

    def product(self, tape: Tape, module: Module, given: Tensor) -> Tensor:
        """The layer's own product."""
        size = module.in_features * module.out_features
        count = given.count // max(1, module.in_features) * module.out_features
        stored, numbers = self.stored, self.numbers
        if stored is not None and stored.reaches(module.name, self.output):
            return self._unpacked(tape, stored, given, size, count)
        biased = self.biases and module.has_bias
        bias = tape.parameter(module.out_features, numbers.weight, True) if biased else None
        return tape.product(given, tape.parameter(size, numbers.weight, self.trained), count, bias)

    def _unpacked(self, tape: Tape, stored: Stored, given: Tensor, size: int, count: int) -> Tensor:
        """A quantised weight is unpacked in both passes and kept in neither; the result is in the input's numbers."""
        width = given.width
        if stored.by_bitsandbytes and stored.kind != "int8":
            given = tape.cast(given, BYTES[self.numbers.precision])
        out = tape.record(count, given.width, (given,), scratch=size * given.width, viewed=True)
        return tape.cast(out, width)


@dataclass(frozen=True, slots=True)
class Around:
    """What is around a layer: the method's name or PEFT's kind, and its settings by the method's own names."""

    kind: str
    settings: Mapping[str, Any]

    @property
    def dropout(self) -> bool:
        return float(self.settings.get("dropout") or 0.0) > 0

    def rank(self, module: Module) -> int:
        """The rank of this layer's update."""
        ranks = self.settings.get("ranks") or {}
        return int(ranks.get(module.leaf, self.settings.get("rank") or 0))


def _low_rank(tape: Tape, base: Base, around: Around, module: Module, given: Tensor) -> Tensor:
    """LoRA and DoRA, by PEFT's layers for whole and for quantised bases (tuners/lora/layer.py and bnb.py)."""
    numbers, rank = base.numbers, around.rank(module)
    rows = given.count // module.in_features
    result = base.product(tape, module, given)
    width = result.width
    bare = base.bits and numbers.autocast  # mixed precision alone casts the input
    if base.bits and base.stored is not None and base.stored.kind != "int8":
        result = tape.copy(result)
    source = given if bare else tape.cast(given, numbers.trained)
    first = tape.parameter(rank * module.in_features, numbers.trained, True)
    second = tape.parameter(rank * module.out_features, numbers.trained, True)
    if around.settings.get("dora"):
        return _directed(tape, base, around, module, given, source, result, first, second, bare)
    wide = source
    if around.dropout:
        source = tape.dropout(source)
    update = tape.scale(tape.product(tape.product(source, first, rows * rank), second, rows * module.out_features))
    tape.makes(0, given, wide, source)  # a layer that is computed again stops here, with these still there
    if base.bits:
        update = update if bare else tape.cast(update, width)
        return tape.add(result, update)
    return tape.cast(tape.add(result, update), width)


def _directed(
    tape: Tape, base: Base, around: Around, module: Module, given: Tensor, source: Tensor, result: Tensor,
    first: Tensor, second: Tensor, bare: bool,
) -> Tensor:  # fmt: skip
    """DoRA: both results are scaled by a trained magnitude. With dropout the base's is computed again, thinned."""
    rows, width = source.count // module.in_features, result.width
    own, before = result, source
    if around.dropout:
        source = tape.dropout(source)
    tape.makes(_norms(base, module, source.width), given, before, source, result)
    if around.dropout:
        weight = tape.parameter(module.in_features * module.out_features, base.numbers.weight, False)
        if base.bits:
            weight = Tensor(weight.count, weight.width, False, Piece(weight.size))
        weight = tape.cast(weight, source.width)
        own = tape.product(source, weight, rows * module.out_features)
    elif module.has_bias:
        own = tape.scale(result)
    magnitude = tape.parameter(module.out_features, base.numbers.trained, True)
    update = tape.product(tape.product(source, first, rows * around.rank(module)), second, rows * module.out_features)
    both = tape.add(tape.multiply(own, magnitude), tape.scale(tape.multiply(update, magnitude)))
    added = tape.add(result, both)
    return added if bare else tape.cast(added, width)


def _norms(base: Base, module: Module, width: int) -> int:
    """What DoRA makes for the norms of its weights: the update of a whole identity matrix, and their sum, written out.

    (PEFT's tuners/lora/dora.py: get_lora_weight and get_weight_norm.)
    """
    square, size = module.in_features**2, module.in_features * module.out_features
    low = HALF if base.low and width != HALF else 0
    written = (low + width if low else width) + (width if base.bits or base.numbers.weight != width else 0)
    return max(square * (width + low), square * (low or width) + size * (written + 2 * width))


def _adaptive(tape: Tape, base: Base, around: Around, module: Module, given: Tensor) -> Tensor:
    """AdaLoRA: as LoRA, and the update is divided by the number of ranks."""
    numbers, rank = base.numbers, around.rank(module)
    rows = given.count // module.in_features
    result = base.product(tape, module, given)
    width = result.width
    bare = base.bits and numbers.autocast
    if base.bits and base.stored is not None and base.stored.kind != "int8":
        result = tape.copy(result)
    source = given if bare else tape.cast(given, numbers.trained)
    if around.dropout:
        source = tape.dropout(source)
    first = tape.scale(tape.parameter(rank * module.in_features, numbers.trained, True))
    first.piece = NOTHING
    second = tape.parameter(rank * module.out_features, numbers.trained, True)
    update = tape.product(tape.product(source, first, rows * rank), second, rows * module.out_features)
    update = tape.scale(tape.scale(update))
    added = tape.add(result, tape.cast(update, width))
    added.width = width
    return added


def _factors(tape: Tape, base: Base, around: Around, module: Module, given: Tensor) -> Tensor:
    """IA3: factors on what a layer gives, or, for the feed-forward's last one, on what it reads."""
    numbers, width = base.numbers, given.width
    reads = bool(around.settings.get("reads"))
    factor = tape.parameter(module.in_features if reads else module.out_features, numbers.trained, True)
    if base.bits:
        source = given if numbers.autocast else tape.cast(given, FLOAT)
        if reads:
            result = tape.copy(base.product(tape, module, tape.multiply(source, factor)))
        else:
            result = tape.copy(tape.multiply(base.product(tape, module, source), factor))
        return result if numbers.autocast or width == FLOAT else tape.cast(result, FLOAT)
    if reads:
        scaled = tape.cast(tape.multiply(tape.cast(given, numbers.trained), factor), width)
        return base.product(tape, module, scaled)
    result = base.product(tape, module, given)
    return tape.cast(tape.multiply(result, factor), result.width)


def _vector(tape: Tape, base: Base, around: Around, module: Module, given: Tensor) -> Tensor:
    """VeRA: shared frozen matrices, which keep no input but are kept, and two trained scales."""
    numbers, rank, before = base.numbers, around.rank(module), given.width
    rows = given.count // module.in_features
    result = base.product(tape, module, given)
    width = result.width
    if base.bits and base.stored is not None and base.stored.kind != "int8":
        result = tape.copy(result)
    source = tape.cast(given, numbers.trained)
    if around.dropout:
        source = tape.dropout(source)
    first = tape.parameter(rank * module.in_features, numbers.trained, False)
    second = tape.parameter(rank * module.out_features, numbers.trained, False)
    inner = tape.product(source, first, rows * rank)
    inner = tape.multiply(inner, tape.parameter(rank, numbers.trained, True))
    outer = tape.product(inner, second, rows * module.out_features)
    update = tape.multiply(outer, tape.parameter(module.out_features, numbers.trained, True))
    return tape.cast(tape.cast(tape.add(result, update), width), before)


def _turned(tape: Tape, base: Base, around: Around, module: Module, given: Tensor) -> Tensor:
    """OFT: the input is turned in blocks. The rotation is PEFT's Cayley-Neumann series of five terms."""
    numbers, before = base.numbers, given.width
    size = int(around.settings.get("block") or 0) or module.in_features
    values = module.in_features * size
    skew = tape.record(values, numbers.trained, (tape.parameter(values // 2, numbers.trained, True),))
    skew.piece = Piece(skew.size)
    square = _bmm(tape, skew, skew)
    third = _bmm(tape, square, skew)
    last = _bmm(tape, third, skew)
    rotation = tape.add(tape.add(tape.add(tape.scale(skew), square), third), last)
    rotation.width = numbers.trained
    source = tape.cast(given, numbers.trained)
    turned = _bmm(tape, source, rotation)
    return tape.cast(base.product(tape, module, tape.cast(turned, before)), before)


def _bmm(tape: Tape, one: Tensor, other: Tensor) -> Tensor:
    if tape.low:
        one, other = tape.cast(one, tape.low), tape.cast(other, tape.low)
    saved = (*((one.piece,) if other.grad else ()), *((other.piece,) if one.grad else ()))
    return tape.record(max(one.count, other.count), one.width, (one, other), saved)


def _shards(tape: Tape, base: Base, around: Around, module: Module, given: Tensor) -> Tensor:
    """MiSS: the sum of the input's slices, as long as the rank, times one block."""
    numbers, rank, before = base.numbers, around.rank(module), given.width
    rows = given.count // module.in_features
    result = base.product(tape, module, given)
    if base.bits and base.stored is not None and base.stored.kind != "int8":
        result = tape.copy(result)
    source = tape.cast(given, numbers.trained)
    if around.dropout:
        source = tape.dropout(source)
    summed = tape.record(rows * rank, source.width, (source,))
    block = tape.parameter(rank * module.out_features, numbers.trained, True)
    update = tape.product(summed, block, rows * module.out_features)
    return tape.cast(tape.add(result, update), before)


def read(tape: Tape, base: Base, around: Around, module: Module, given: Tensor) -> Tensor:  # noqa: ARG001
    """Any update: its input, in its own numbers."""
    result = base.product(tape, module, given)
    source = tape.cast(given, base.numbers.trained)
    update = tape.product(source, tape.parameter(0, base.numbers.trained, True), result.count)
    return tape.cast(tape.add(result, update), result.width)


WRAPS: dict[str, Callable[[Tape, Base, Around, Module, Tensor], Tensor]] = {
    "lora": _low_rank,
    "adalora": _adaptive,
    "ia3": _factors,
    "vera": _vector,
    "oft": _turned,
    "miss": _shards,
}
"""By kind, what a layer with such an update does."""


def bottleneck(
    tape: Tape, numbers: Numbers, settings: Mapping[str, Any], skeleton: Skeleton, read: Tensor, trained: bool = True
) -> Tensor:
    """What a bottleneck adapter adds (`workbench.engine.tuners`): in its own numbers, given back in its input's.

    Of `sources` among its settings, a fusion of the frozen adapters with those settings.
    """
    if "sources" in settings:
        return _fused(tape, numbers, settings["sources"], skeleton, read)
    width, size = skeleton.hidden_size, int(settings["size"])
    rows = read.count // width
    kind = "rectified" if settings["non_linearity"] in ("relu", "tanh") else "smooth"
    source = tape.cast(read, numbers.trained)
    first, second = (tape.parameter(width * size, numbers.trained, trained) for _ in range(2))
    down = tape.product(source, first, rows * size)
    up = tape.product(activate(tape, kind, down), second, rows * width)
    if settings["dropout"]:
        up = tape.dropout(up)
    return tape.cast(tape.scale(up), read.width)


def _fused(
    tape: Tape, numbers: Numbers, sources: Sequence[Mapping[str, Any]], skeleton: Skeleton, read: Tensor
) -> Tensor:
    """AdapterFusion: an attention of each token over what the adapters add (Pfeiffer et al. 2021, section 3.2)."""
    width, count = skeleton.hidden_size, read.count * len(sources)
    added = [bottleneck(tape, numbers, one, skeleton, read, trained=False) for one in sources]
    stacked = tape.cast(tape.record(count, read.width, added), numbers.trained)
    query, key, value = (
        tape.product(given, tape.parameter(width**2, numbers.trained, True), given.count)
        for given in (tape.cast(read, numbers.trained), stacked, stacked)
    )
    scores = tape.cast(matmul(tape, query, key, count // width), FLOAT)
    weights = tape.record(scores.count, FLOAT, (scores,))
    if weights.grad:
        tape.nodes[-1].saved = (weights.piece,)
    return tape.cast(matmul(tape, weights, value, read.count), read.width)
