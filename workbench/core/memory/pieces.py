"""Parts of a decoder's block on a tape, as Transformers has them: norms, activations, rotary positions, attention."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.core.memory.numbers import Numbers
from workbench.core.memory.tape import NOTHING, Piece, Tape, Tensor

FLOAT = 4
FLASH_HEAD = 256
"""Largest head of the flash kernel."""


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a micro-batch."""

    batch: int
    length: int
    """Tokens of a row, virtual ones in front included."""
    keys: int
    """Tokens that attention sees of each row: more where a prefix stands before the text."""

    @property
    def tokens(self) -> int:
        return self.batch * self.length


def rms_norm(tape: Tape, given: Tensor, rows: int, trained: bool, shifted: bool) -> Tensor:
    """x / rms(x) · weight, as a chain of operations in float32.

    `shifted`: the weight multiplies in float32, as Gemma's 1 + weight and OLMo 2's do.
    """
    wide = tape.cast(given, FLOAT)
    power = tape.record(wide.count, FLOAT, (wide,), (wide.piece,), scratch=wide.size)
    mean = tape.record(rows, FLOAT, (power,))
    root = tape.record(rows, FLOAT, (mean,))
    if root.grad:
        tape.nodes[-1].saved = (root.piece,)
    normed = tape.multiply(wide, root)
    weight = tape.parameter(0, given.width, trained)
    if not shifted:
        normed = tape.cast(normed, given.width)
    scaled = tape.multiply(normed, weight)
    return tape.cast(scaled, given.width)


def centred_norm(tape: Tape, given: Tensor, rows: int, trained: bool) -> Tensor:
    """A LayerNorm without a bias as Cohere has it: a chain of operations in float32, which takes the mean off twice."""
    wide = tape.cast(given, FLOAT)
    centred = tape.record(wide.count, FLOAT, (wide,), shares=True)
    power = tape.record(wide.count, FLOAT, (centred,), (centred.piece,), scratch=wide.size)
    root = tape.record(rows, FLOAT, (power,))
    if root.grad:
        tape.nodes[-1].saved = (root.piece,)
    normed = tape.multiply(tape.record(wide.count, FLOAT, (wide,), shares=True), root)
    return tape.cast(tape.multiply(normed, tape.parameter(0, FLOAT, trained)), given.width)


def norm(tape: Tape, kind: str, given: Tensor, rows: int, trained: bool) -> Tensor:
    """An architecture's norm: native, centred, or rms with a weight in the given numbers or (shifted) in float32."""
    if kind == "native":
        return layer_norm(tape, given, rows, trained)
    if kind == "centred":
        return centred_norm(tape, given, rows, trained)
    return rms_norm(tape, given, rows, trained, kind == "shifted")


def layer_norm(tape: Tape, given: Tensor, rows: int, trained: bool) -> Tensor:
    """One operation, which keeps its input, and a mean and a deviation a row; mixed precision computes in float32."""
    wide = tape.cast(given, FLOAT) if tape.low else given
    weight = tape.parameter(0, wide.width, trained)
    return tape.record(wide.count, wide.width, (wide, weight), (wide.piece, Piece(2 * FLOAT * rows)))


def activate(tape: Tape, kind: str, given: Tensor) -> Tensor:
    """The feed-forward's non-linearity: one that keeps its input, ReLU, which keeps its result, or a chain."""
    if kind == "rectified":
        result = tape.record(given.count, given.width, (given,))
        if result.grad:
            tape.nodes[-1].saved = (result.piece,)
        return result
    if kind == "polynomial":
        return _polynomial(tape, given)
    return tape.record(given.count, given.width, (given,), (given.piece,))


def _polynomial(tape: Tape, given: Tensor) -> Tensor:
    """0.5·x·(1 + tanh(√(2/π)·(x + 0.044715·x³))) as a chain; mixed precision takes the power in float32."""
    wide = tape.cast(given, FLOAT) if tape.low else given
    power = tape.record(wide.count, wide.width, (wide,), (wide.piece,), scratch=wide.size)
    inside = tape.scale(tape.add(given, tape.scale(power)))
    bent = tape.record(inside.count, inside.width, (inside,))
    if bent.grad:
        tape.nodes[-1].saved = (bent.piece,)
    half = tape.scale(given)
    return tape.multiply(half, tape.record(bent.count, bent.width, (bent,), shares=True))


def rotate(tape: Tape, given: Tensor, table: int, joined: bool, share: float) -> Tensor:
    """Rotary positions: x·cos + rotated(x)·sin, in tables of `table` bytes a value, which all layers share.

    `joined`: the turned `share` of each head is joined with the rest, head by head.
    """
    part = given if share == 1 else tape.slice(given, int(given.count * share))
    width = max(part.width, table)
    turned = tape.record(part.count, width, (part,), scratch=3 * part.count * width)
    if not joined:
        return turned
    whole = tape.record(given.count, width, (turned,), viewed=True)
    whole.split = True
    return whole


def repeat(tape: Tape, given: Tensor, times: int, groups: int) -> Tensor:
    """Keys or values once for each of the query heads that share them; of a single group's it is a view."""
    if times == 1:
        return given
    return tape.record(given.count * times, given.width, (given,), view=groups == 1)


@dataclass(frozen=True, slots=True)
class Attention:
    """What attention's kernel is chosen by."""

    heads: int
    groups: int
    """Heads of keys and values."""
    head: int
    """Values a head."""
    masked: bool
    eager: bool
    capped: bool
    dropped: bool
    """Whether attention scores are thinned."""


def attend(
    tape: Tape, query: Tensor, key: Tensor, value: Tensor, rows: Rows, given: Attention, numbers: Numbers
) -> Tensor:
    """Attention by the kernel that torch takes (ATen's sdp_utils, SM80 and up), or by plain operations.

    On a GPU without a mask and in 16 bits that is flash attention; with one, or in float32, the memory-efficient
    kernel, before which keys and values are repeated for every query head, unless heads are small and there is no mask:
    then it is plain operations, as it is on a CPU where scores are thinned.
    """
    times = given.heads // max(1, given.groups)
    if given.eager:
        key, value = (repeat(tape, one, times, given.groups) for one in (key, value))
        return _plain(tape, query, key, value, rows, given, False)
    small = given.head <= FLASH_HEAD
    if given.masked or not small:
        key, value = (repeat(tape, one, times, given.groups) for one in (key, value))
        times = 1
    if tape.low:
        query, key, value = (tape.cast(one, tape.low) for one in (query, key, value))
    cuda = numbers.device == "cuda"
    flash = not given.masked and (query.width == 2 and small if cuda else True)
    if cuda and not flash and times > 1:
        key, value = (tape.copy(one, one.count * times) for one in (key, value))
        return _plain(tape, query, key, value, rows, given, True)
    if not cuda and given.dropped:  # the CPU's kernel thins nothing
        key, value = (repeat(tape, one, times, given.groups) for one in (key, value))
        return _plain(tape, query, key, value, rows, given, True)
    saved = [query.piece, key.piece, value.piece, Piece(FLOAT * given.heads * rows.tokens)]
    if given.masked:
        saved.append(Piece(query.width * rows.tokens * rows.keys))  # a mask of its own, in the queries' numbers
    wide = 32 if given.head <= 32 else -(-given.head // 32) * 32
    scratch = FLOAT * given.heads * rows.tokens * (wide + 1 if flash else given.head)
    if flash and times > 1:
        scratch += 2 * query.size
    if not cuda or (not flash and query.width == FLOAT):
        scratch = 0
    out = tape.record(query.count, query.width, (query, key, value), saved, scratch=scratch)
    if out.grad:
        tape.nodes[-1].saved += (out.piece,)
    out.split = query.split and flash
    return _together(tape, out)


def _together(tape: Tape, out: Tensor) -> Tensor:
    """The heads of each token one behind the other, which takes a copy where they do not lie so."""
    return tape.copy(out) if out.split else out


def _plain(tape: Tape, query: Tensor, key: Tensor, value: Tensor, rows: Rows, given: Attention, kernel: bool) -> Tensor:
    """Scores of every token with every other, softmax in float32, and their product with the values.

    `kernel`: as torch's own function does it where no kernel fits, which scales queries and keys first.
    """
    count = given.heads * rows.tokens * rows.keys
    if kernel:
        query, key = tape.scale(query), tape.scale(key)
    scores = matmul(tape, query, key, count)
    if not kernel:
        scores = tape.scale(scores)
        if given.capped:
            scores = tape.scale(scores)
            scores = tape.record(count, scores.width, (scores,))
            if scores.grad:
                tape.nodes[-1].saved = (scores.piece,)
            scores = tape.scale(scores)
        scores = tape.record(count, scores.width, (scores,), shares=True)  # and the mask
    wide = tape.cast(scores, FLOAT)
    weights = tape.record(count, FLOAT, (wide,))
    if weights.grad:
        tape.nodes[-1].saved = (weights.piece,)
    weights = tape.cast(weights, query.width)
    if given.dropped:
        weights = tape.dropout(weights)
    return tape.copy(matmul(tape, weights, value, query.count))


def matmul(tape: Tape, one: Tensor, other: Tensor, count: int) -> Tensor:
    """The product of two tensors, batch by batch, of so many values; each keeps the other."""
    if tape.low:
        one, other = tape.cast(one, tape.low), tape.cast(other, tape.low)
    saved = (*((one.piece,) if other.grad else ()), *((other.piece,) if one.grad else ()))
    return tape.record(count, one.width, (one, other), tuple(piece for piece in saved if piece is not NOTHING))
