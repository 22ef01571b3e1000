"""PEFT's other kinds of updates around a linear layer, as their own layers (peft/tuners/*/layer.py) compute them."""

from __future__ import annotations

from collections.abc import Callable

from workbench.core.memory.pieces import FLOAT
from workbench.core.memory.tape import Piece, Tape, Tensor
from workbench.core.memory.wraps import Around, Base, read
from workbench.core.models.skeleton import Module


def _whole(tape: Tape, base: Base, around: Around, module: Module, given: Tensor) -> Tensor:
    """An update that is written out as a whole matrix, from factors or a spectrum, and multiplies the input.

    LoHa's is a product of products, which mixed precision computes in 16 bits; the input is cast to its numbers.
    """
    result = base.product(tape, module, given)
    size = module.in_features * module.out_features
    width = tape.low or base.numbers.trained if around.kind == "LOHA" else base.numbers.trained
    update = tape.record(size, width, (tape.parameter(0, base.numbers.trained, True),))
    added = tape.product(tape.cast(given, width), update, result.count)
    return tape.cast(tape.add(result, added), given.width)


def _hadamard(tape: Tape, base: Base, around: Around, module: Module, given: Tensor) -> Tensor:  # noqa: ARG001
    """HiRA: the base's weight times a low-rank matrix, value by value, multiplies the input."""
    result = base.product(tape, module, given)
    size, numbers = module.in_features * module.out_features, base.numbers
    factors = tape.parameter(0, numbers.trained, True)
    if tape.low:
        factors = tape.cast(factors, tape.low)
    low = tape.record(size, factors.width, (factors,))
    update = tape.multiply(tape.parameter(size, numbers.weight, False), low)
    source = tape.cast(given, numbers.trained)
    if not tape.low:
        update = tape.cast(update, source.width)
    return tape.cast(tape.add(result, tape.product(source, update, result.count)), result.width)


def _scattered(tape: Tape, base: Base, around: Around, module: Module, given: Tensor) -> Tensor:  # noqa: ARG001
    """SHiRA: a copy of the base's weight with some values trained takes its place."""
    size = module.in_features * module.out_features
    weight = tape.record(size, base.numbers.weight, (tape.parameter(0, base.numbers.weight, True),))
    return tape.product(given, weight, given.count // module.in_features * module.out_features)


def _reflected(tape: Tape, base: Base, around: Around, module: Module, given: Tensor) -> Tensor:
    """HRA: the base's weight is turned by a chain of reflections, each a square matrix, and takes its own place."""
    numbers, square = base.numbers, module.in_features**2
    width = tape.low or numbers.trained
    rank = around.rank(module)
    chain = tape.record(
        square,
        numbers.trained,
        (tape.parameter(0, numbers.trained, True),),
        [Piece(square * width) for _ in range(rank)],
    )
    base_weight = tape.cast(tape.parameter(module.in_features * module.out_features, numbers.weight, False), width)
    whole = Tensor(square, width, False, Piece(square * width))  # the identity that the chain is multiplied by
    weight = tape.product(base_weight, tape.product(whole, chain, square), base_weight.count)
    source = tape.cast(given, weight.width)
    result = tape.product(source, weight, given.count // module.in_features * module.out_features)
    return tape.cast(result, given.width)


def _circular(tape: Tape, base: Base, around: Around, module: Module, given: Tensor) -> Tensor:  # noqa: ARG001
    """C3A: a circular convolution of the input in float32, which is kept."""
    result = base.product(tape, module, given)
    wide = tape.cast(given, FLOAT)
    turned = tape.record(result.count, FLOAT, (wide, tape.parameter(0, FLOAT, True)), (wide.piece,))
    added = tape.add(result, tape.cast(tape.scale(turned), result.width))
    return tape.cast(added, given.width)


def _rotated(tape: Tape, base: Base, around: Around, module: Module, given: Tensor) -> Tensor:  # noqa: ARG001
    """RoAd: what the layer gives, and the same with its halves swapped, each times a trained vector."""
    numbers = base.numbers
    result = base.product(tape, module, given)
    wide = tape.cast(result, numbers.trained)
    vector = tape.parameter(module.out_features, numbers.trained, True)
    both = tape.add(tape.multiply(wide, vector), tape.multiply(tape.copy(wide), vector))
    return tape.cast(both, result.width)


def _thin(tape: Tape, base: Base, around: Around, module: Module, given: Tensor) -> Tensor:
    """Two thin matrices that are computed from what is trained, as Uni-LoRA, VB-LoRA and LILY have them."""
    numbers, rank = base.numbers, around.rank(module)
    rows = given.count // module.in_features
    result = base.product(tape, module, given)
    first, second = (
        tape.record(rank * side, numbers.trained, (tape.parameter(0, numbers.trained, True),))
        for side in (module.in_features, module.out_features)
    )
    source = tape.cast(given, numbers.trained)
    update = tape.product(tape.product(source, first, rows * rank), second, result.count)
    return tape.cast(tape.add(result, update), result.width)


def _tiny(tape: Tape, base: Base, around: Around, module: Module, given: Tensor) -> Tensor:
    """TinyLoRA: frozen thin matrices around a small trained one, so that the input is not kept."""
    numbers, rank = base.numbers, around.rank(module)
    rows = given.count // module.in_features
    result = base.product(tape, module, given)
    first = tape.parameter(rank * module.in_features, numbers.trained, False)
    second = tape.parameter(rank * module.out_features, numbers.trained, False)
    inner = tape.product(tape.cast(given, numbers.trained), first, rows * rank)
    inner = tape.product(inner, tape.parameter(rank * rank, numbers.trained, True), rows * rank)
    return tape.cast(tape.add(result, tape.product(inner, second, result.count)), given.width)


def _shifted(tape: Tape, base: Base, around: Around, module: Module, given: Tensor) -> Tensor:  # noqa: ARG001
    """BEFT: a trained bias, whose gradient needs nothing."""
    result = base.product(tape, module, given)
    bias = tape.parameter(module.out_features, base.numbers.trained, True)
    return tape.cast(tape.add(result, bias), result.width)


def _normed(tape: Tape, base: Base, around: Around, module: Module, given: Tensor) -> Tensor:
    """DeLoRA: the input times the weight's norms, and what the first matrix makes of it before and after a scale."""
    numbers, rank = base.numbers, around.rank(module)
    rows = given.count // module.in_features
    result = base.product(tape, module, given)
    source = tape.multiply(given, tape.parameter(module.in_features, numbers.trained, False))
    first = tape.parameter(rank * module.in_features, numbers.trained, True)
    second = tape.parameter(rank * module.out_features, numbers.trained, True)
    inner = tape.multiply(tape.product(source, first, rows * rank), tape.parameter(rank, numbers.trained, True))
    update = tape.cast(tape.product(inner, second, result.count), result.width)
    return tape.cast(tape.add(result, update), given.width)


def _likely(tape: Tape, base: Base, around: Around, module: Module, given: Tensor) -> Tensor:
    """PVeRA: VeRA whose inner values are drawn about a mean with a deviation, both of which it computes."""
    numbers, rank = base.numbers, around.rank(module)
    rows = given.count // module.in_features
    result = base.product(tape, module, given)
    first = tape.parameter(2 * rank * module.in_features, numbers.trained, False)
    second = tape.parameter(rank * module.out_features, numbers.trained, False)
    both = tape.product(tape.cast(given, numbers.trained), first, 2 * rows * rank)
    both = tape.multiply(both, tape.parameter(2 * rank, numbers.trained, True))
    mean, deviation = tape.parts(both, (rows * rank, rows * rank))
    spread = tape.record(rows * rank, FLOAT, (tape.scale(deviation),))
    drawn = Tensor(rows * rank, FLOAT, False, Piece(rows * rank * FLOAT))
    tape.nodes[-1].saved = (spread.piece,)
    inner = tape.add(mean, tape.multiply(spread, drawn))
    outer = tape.multiply(tape.product(inner, second, result.count), tape.parameter(module.out_features, FLOAT, True))
    return tape.cast(tape.add(result, outer), given.width)


PEFT_WRAPS: dict[str, Callable[[Tape, Base, Around, Module, Tensor], Tensor]] = {
    "LOHA": _whole,
    "LOKR": _whole,
    "FOURIERFT": _whole,
    "WAVEFT": _whole,
    "HIRA": _hadamard,
    "SHIRA": _scattered,
    "HRA": _reflected,
    "C3A": _circular,
    "ROAD": _rotated,
    "UNILORA": _thin,
    "VBLORA": _thin,
    "LILY": _thin,
    "TINYLORA": _tiny,
    "BEFT": _shifted,
    "DELORA": _normed,
    "PVERA": _likely,
    "GRALORA": read,
}
"""By PEFT's name of the kind."""
