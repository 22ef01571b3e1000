"""Rows that have something in common, walked one after the other."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SEVERITIES = ("error", "warning", "info")


@dataclass(frozen=True, slots=True)
class Trail:
    """Rows to walk, in order."""

    words: str
    """What they have in common, after "row 12": nearly repeats an earlier row."""
    rows: Sequence[int]
    """Their numbers from 0, ascending."""
    total: int
    """How many there are; `rows` may be only the first of them."""
    of: str = "source"
    """Which rows they count: those of the `source`, or of the `held_out` file."""
    name: str = ""
    """The set that they are, by which they can be listed alone."""

    def neighbour(self, row: int, step: int) -> int | None:
        """The next row behind `row` (or before it, with a negative step), from the other end where there is none."""
        if not self.rows:
            return None
        if step > 0:
            at = bisect_right(self.rows, row)
            return self.rows[at % len(self.rows)]
        return self.rows[bisect_left(self.rows, row) - 1]

    def place_of(self, row: int) -> int | None:
        """Which of its rows this is, from 1."""
        at = bisect_left(self.rows, row)
        return at + 1 if at < len(self.rows) and self.rows[at] == row else None


def plain_sentence(finding: Mapping[str, Any]) -> str:
    """A finding's sentence without the count that ends it, where one does."""
    return str(finding["sentence"]).removesuffix(f": {finding['count']:,}.").removesuffix(".")
