"""A pass through a model as a tape of operations: what each keeps for the backward pass, and what that pass makes.

It is autograd's own bookkeeping without any values: pieces of memory, tensors that lie in them, and for each operation
the pieces that PyTorch's derivative of it needs (tools/autograd/derivatives.yaml). Two tensors in one piece are counted
once, and what no gradient flows through keeps nothing. All sizes are bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(eq=False, slots=True)
class Piece:
    """A piece of memory."""

    size: int


NOTHING = Piece(0)
"""Memory that is counted elsewhere: weights, and what all layers share."""


@dataclass(eq=False, slots=True)
class Tensor:
    """A tensor of so many values."""

    count: int
    width: int
    """Bytes a value."""
    grad: bool
    """Whether a gradient flows to it."""
    piece: Piece
    leaf: bool = False
    """Whether it is a trained parameter, whose gradient stays."""
    split: bool = False
    """Whether its rows lie head by head, so that the next layer has to copy them together."""

    @property
    def size(self) -> int:
        return self.count * self.width


@dataclass(eq=False, slots=True)
class _Node:
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    saved: tuple[Piece, ...]
    shares: bool
    """Whether the gradient of its result is its inputs' too."""
    scratch: int
    """What its backward pass makes beside its inputs' gradients, and lets go again."""
    viewed: bool
    """Whether its inputs' gradients are views, which autograd does not add up in place."""


@dataclass(eq=False, slots=True)
class _Gradient:
    size: int
    holders: int
    viewed: bool


@dataclass(frozen=True, slots=True)
class Backward:
    """A backward pass through a tape."""

    peak: int
    """The most that is there at once: what the tape keeps, gradients on their way, and new gradients of parameters."""
    grown: int
    """Gradients of parameters that are there afterwards and were not before."""


@dataclass(slots=True)
class Tape:
    """Records operations. `low` is the width that mixed precision computes products in; 0 without it."""

    low: int
    native: bool = True
    """Whether dropout is one operation, as on a GPU, whose mask has a byte a value; else a product with float noise."""
    nodes: list[_Node] = field(default_factory=list)
    casts: dict[int, Tensor] = field(default_factory=dict)
    """Trained float32 weights that mixed precision has cast in this pass."""
    held: list[Piece] = field(default_factory=list)
    """What else is there until the forward pass ends, such as a cache of keys and values."""
    cached: list[Piece] = field(default_factory=list)
    """What a cache of keys and values holds that outlives the pass."""
    ahead: int = 0
    """The most that was there at once in the forward pass, as far as that is told."""

    def parameter(self, count: int, width: int, trained: bool) -> Tensor:
        """A weight, which lies elsewhere."""
        return Tensor(count, width, trained, NOTHING, trained)

    def record(
        self,
        count: int,
        width: int,
        inputs: Sequence[Tensor],
        saved: Sequence[Piece] = (),
        *,
        shares: bool = False,
        scratch: int = 0,
        viewed: bool = False,
        view: bool = False,
    ) -> Tensor:
        """The result of an operation; a `view` lies in its first input's memory."""
        flows = tuple(one for one in inputs if one.grad)
        result = Tensor(count, width, bool(flows), inputs[0].piece if view else Piece(count * width))
        if any(one.count == count and one.width < width for one in flows):
            scratch += sum(count * (width - one.width) for one in flows if one.count == count)
        if flows:
            kept = tuple(one for one in saved if one is not NOTHING)
            self.nodes.append(_Node(flows, (result,), kept, shares, scratch, viewed))
        return result

    def cast(self, given: Tensor, width: int) -> Tensor:
        """The tensor in other numbers; itself where they are the same. Mixed precision casts a trained weight once."""
        if given.width == width:
            return given
        if given.leaf and id(given) in self.casts:
            return self.casts[id(given)]
        result = self.record(given.count, width, (given,))
        result.split = given.split
        if self.nodes and result.grad:
            self.nodes[-1].scratch = 0  # this is that cast itself
        if given.leaf:
            self.casts[id(given)] = result
        return result

    def product(self, given: Tensor, weight: Tensor, count: int, bias: Tensor | None = None) -> Tensor:
        """A linear layer: keeps its input for the weight's gradient, and the weight for its input's.

        `bias`: one that is trained, whose gradient needs nothing.
        """
        if self.low:
            given, weight = self.cast(given, self.low), self.cast(weight, self.low)
        saved = (*((given.piece,) if weight.grad else ()), *((weight.piece,) if given.grad else ()))
        inputs = (given, weight) if bias is None else (given, weight, bias)
        return self.record(count, given.width, inputs, saved, viewed=True)

    def multiply(self, one: Tensor, other: Tensor) -> Tensor:
        """Each keeps the other; a smaller one's gradient is summed up from one of full size."""
        count, width = max(one.count, other.count), max(one.width, other.width)
        saved = (*((one.piece,) if other.grad else ()), *((other.piece,) if one.grad else ()))
        smaller = (one.grad and one.count < count) or (other.grad and other.count < count)
        return self.record(count, width, (one, other), saved, scratch=count * width if smaller else 0)

    def add(self, one: Tensor, other: Tensor) -> Tensor:
        """Both take the sum's gradient as it is."""
        return self.record(max(one.count, other.count), max(one.width, other.width), (one, other), shares=True)

    def scale(self, given: Tensor) -> Tensor:
        """The tensor times a number."""
        return self.record(given.count, given.width, (given,))

    def copy(self, given: Tensor, count: int = 0) -> Tensor:
        """A copy, perhaps of a part, or with repetitions."""
        return self.record(count or given.count, given.width, (given,))

    def slice(self, given: Tensor, count: int) -> Tensor:
        """A part of a tensor, in its memory; its gradient is one of the whole, filled up with zeros."""
        return self.record(count, given.width, (given,), view=True)

    def parts(self, given: Tensor, counts: Sequence[int]) -> list[Tensor]:
        """Parts of a tensor, in its memory, whose gradients are joined."""
        made = [Tensor(count, given.width, given.grad, given.piece) for count in counts]
        if given.grad:
            self.nodes.append(_Node((given,), tuple(made), (), False, 0, False))
        return made

    def dropout(self, given: Tensor) -> Tensor:
        """Keeps what thins it."""
        return self.record(given.count, given.width, (given,), (Piece(given.count if self.native else given.size),))

    def kept(self) -> int:
        """What is kept until the backward pass."""
        return sum(one.size for one in {id(one): one for node in self.nodes for one in node.saved}.values())

    def makes(self, size: int, *there: Tensor) -> None:
        """So much is made in the forward pass and let go again, beside what is kept and these tensors."""
        kept = {id(one): one for node in self.nodes for one in node.saved} | {id(one.piece): one.piece for one in there}
        self.ahead = max(self.ahead, size + sum(one.size for one in kept.values()))

    def passing(self, again: bool) -> int:
        """What the forward pass alone holds on to; all of it where operations are done `again` in the backward pass."""
        kept = set() if again else {id(piece) for node in self.nodes for piece in node.saved}
        pieces = {id(piece): piece for piece in (*(one.piece for one in self.casts.values()), *self.held)}
        return sum(piece.size for key, piece in pieces.items() if key not in kept)

    def cache(self) -> int:
        """What the cache holds and the backward pass does not wait for."""
        kept = {id(piece) for node in self.nodes for piece in node.saved}
        return sum(piece.size for key, piece in {id(one): one for one in self.cached}.items() if key not in kept)

    def backward(self, result: Tensor, accumulated: bool) -> Backward:
        """The backward pass from the gradient of `result` on. `accumulated`: parameters have gradients already."""
        holders: dict[int, int] = {}
        for node in self.nodes:
            for piece in node.saved:
                holders[id(piece)] = holders.get(id(piece), 0) + 1
        gradients = {id(result): _Gradient(result.size, 1, False)}
        now = peak = self.kept() + result.size
        grown = 0
        for node in reversed(self.nodes):
            arrived = [gradients.pop(id(one), None) for one in node.outputs]
            if not any(arrived):
                continue
            given: list[tuple[Tensor, _Gradient]] = []
            for one in node.inputs:
                first = arrived[0]
                if node.shares and first is not None and first.size == one.size:
                    first.holders += 1
                    given.append((one, first))
                else:
                    now += one.size
                    given.append((one, _Gradient(one.size, 1, node.viewed)))
            peak = max(peak, now + node.scratch)
            for piece in node.saved:
                holders[id(piece)] -= 1
                now -= 0 if holders[id(piece)] else piece.size
            for gradient in arrived:
                now -= _let_go(gradient)
            for one, gradient in given:
                before = gradients.get(id(one))
                if one.leaf:
                    if accumulated or before is not None:
                        now -= _let_go(gradient)
                    else:
                        gradients[id(one)] = gradient
                        grown += gradient.size
                elif before is None:
                    gradients[id(one)] = gradient
                elif before.holders == 1 and not before.viewed:
                    now -= _let_go(gradient)
                else:
                    peak = max(peak, now + one.size)
                    now += one.size - _let_go(gradient) - _let_go(before)
                    gradients[id(one)] = _Gradient(one.size, 1, False)
        return Backward(max(peak, self.ahead + result.size), grown)


def _let_go(gradient: _Gradient | None) -> int:
    """Bytes that are free when one of a gradient's holders lets go of it."""
    if gradient is None:
        return 0
    gradient.holders -= 1
    return 0 if gradient.holders else gradient.size
