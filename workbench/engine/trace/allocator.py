"""CUDA's caching allocator, replayed: which segments torch would take from the driver for a list of allocations.

After c10/cuda/CUDACachingAllocator.cpp with its default settings: blocks are rounded to 512 bytes, small ones are cut
from segments of 2 MiB, middle ones from 20 MiB, and large ones get a segment of their own; the best fitting free block
is taken, cut where enough is left, and joined with free neighbours when it is given back.
"""

from __future__ import annotations

import bisect
from dataclasses import dataclass, field
from typing import Any

ROUND = 512
SMALL = 2**20
SMALL_SEGMENT = 2 * 2**20
MIDDLE = 10 * 2**20
MIDDLE_SEGMENT = 20 * 2**20
LARGE_ROUND = 2 * 2**20


def rounded(size: int) -> int:
    """Bytes that a block of `size` takes."""
    return max(ROUND, -(-size // ROUND) * ROUND)


@dataclass(eq=False, slots=True)
class _Block:
    address: int
    size: int
    small: bool
    free: bool = False
    before: _Block | None = None
    behind: _Block | None = None


@dataclass
class Allocator:
    """The allocator's state; sizes in bytes."""

    reserved: int = 0
    highest: int = 0
    """Peak of `reserved`."""
    _next: int = 0
    _free: dict[bool, list[tuple[int, int, Any]]] = field(default_factory=lambda: {True: [], False: []})
    _taken: dict[int, _Block] = field(default_factory=dict)

    def allocate(self, number: int, size: int) -> None:
        """Hand out a block under a number."""
        size = rounded(size)
        small = size <= SMALL
        free = self._free[small]
        at = bisect.bisect_left(free, (size, -1))
        block: _Block = free.pop(at)[2] if at < len(free) else self._segment(size, small)
        rest = block.size - size
        if rest >= ROUND if small else rest > SMALL:
            behind = _Block(block.address + size, rest, small, True, block, block.behind)
            if block.behind is not None:
                block.behind.before = behind
            block.behind, block.size = behind, size
            self._put(behind)
        block.free = False
        self._taken[number] = block

    def release(self, number: int) -> None:
        """Take a block back and join it with its free neighbours."""
        block = self._taken.pop(number)
        block.free = True
        behind = block.behind
        if behind is not None and behind.free:
            self._drop(behind)
            _join(block, behind)
        before = block.before
        if before is not None and before.free:
            self._drop(before)
            _join(before, block)
            block = before
        self._put(block)

    def _segment(self, size: int, small: bool) -> _Block:
        if small:
            whole = SMALL_SEGMENT
        elif size < MIDDLE:
            whole = MIDDLE_SEGMENT
        else:
            whole = -(-size // LARGE_ROUND) * LARGE_ROUND
        block = _Block(self._next, whole, small)
        self._next += whole + LARGE_ROUND  # segments are no neighbours
        self.reserved += whole
        self.highest = max(self.highest, self.reserved)
        return block

    def _put(self, block: _Block) -> None:
        bisect.insort(self._free[block.small], (block.size, block.address, block))

    def _drop(self, block: _Block) -> None:
        free = self._free[block.small]
        free.pop(bisect.bisect_left(free, (block.size, block.address)))


def _join(block: _Block, behind: _Block) -> None:
    block.size += behind.size
    block.behind = behind.behind
    if behind.behind is not None:
        behind.behind.before = block
