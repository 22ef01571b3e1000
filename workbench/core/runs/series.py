"""A series for a chart: as many points as a chart can use, however long the run."""

from __future__ import annotations

import math
from dataclasses import dataclass

LIMIT = 2048
"""Points kept; beyond, pairs of neighbours are folded into their extremes."""


@dataclass(frozen=True, slots=True)
class Series:
    """Points (step, value) in order of step; never more than LIMIT, the extremes always among them."""

    points: tuple[tuple[int, float], ...] = ()
    last: float | None = None

    def __len__(self) -> int:
        return len(self.points)

    def with_point(self, step: int, value: object) -> Series:
        """The series with one more point; a value that is no finite number is left out."""
        if not isinstance(value, (int, float)) or not math.isfinite(value):
            return self
        points = (*self.points, (step, float(value)))
        return Series(_thinned(points) if len(points) > LIMIT else points, float(value))

    def until(self, step: int) -> Series:
        """The series up to and with `step`, as after a resumption from that step."""
        kept = tuple(point for point in self.points if point[0] <= step)
        return Series(kept, kept[-1][1] if kept else None)

    def columns(self, width: int) -> list[tuple[int, float, float]]:
        """At most `width` columns of (step, lowest, highest) for a chart that many cells wide."""
        count = len(self.points)
        if not count or width < 1:
            return []
        per = max(1, math.ceil(count / width))
        found: list[tuple[int, float, float]] = []
        for start in range(0, count, per):
            values = [value for _, value in self.points[start : start + per]]
            found.append((self.points[min(start + per, count) - 1][0], min(values), max(values)))
        return found


def _thinned(points: tuple[tuple[int, float], ...]) -> tuple[tuple[int, float], ...]:
    """Half as many points: of every four neighbours the lowest and the highest, in order of step."""
    kept: list[tuple[int, float]] = []
    for start in range(0, len(points), 4):
        four = points[start : start + 4]
        low = min(four, key=lambda point: point[1])
        high = max(four, key=lambda point: point[1])
        kept.extend(sorted({low, high}))
    return tuple(kept)
