"""Line charts drawn in character cells: a pure function from curves to lines of text."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from textual.content import Content

from workbench.app.charts.canvas import Canvas, Cell
from workbench.app.charts.ticks import step_ticks, tick_labels, value_ticks
from workbench.core.runs.series import Series

AXIS = "$quiet"
MARKS = "◆▲●■✚★"
ASCII_MARKS = "o+x#@%"


@dataclass(frozen=True, slots=True)
class Curve:
    """One line of a chart."""

    name: str
    series: Series
    style: str = "$text-primary"
    mark: str = ""
    """A character on every point, for a curve of few points; empty draws a plain line."""
    dashed: bool = False
    shown: str = ""
    """The latest value as text, behind the name; empty leaves it out."""


def draw_chart(
    curves: Sequence[Curve],
    width: int,
    height: int,
    *,
    title: str = "",
    last_step: int | None = None,
    logarithmic: bool = False,
    from_zero: bool = False,
    ascii_only: bool = False,
) -> list[Content]:
    """`height` lines of `width` cells: a heading with the legend, the curves over their steps, and both axes.

    `last_step` is the right edge (the last step drawn where None). A logarithmic chart leaves out values that are not
    positive; `from_zero` keeps 0 on a plain one.
    """
    lines = [_heading(title, curves, ascii_only)]
    drawn = [_usable(curve, logarithmic) for curve in curves]
    values = [value for curve in drawn for _, value in curve.series.points]
    values += [0.0] if from_zero and values and not logarithmic else []
    rows = height - 2
    if rows < 2 or width < 16:
        return lines[:height]
    if not values:
        return [*lines, Content.styled("  no figures yet", AXIS)][:height]
    scale: Callable[[float], float] = math.log10 if logarithmic else float
    ticks = value_ticks(scale(min(values)), scale(max(values)), max(1, min(6, rows // 2)))
    labels = [f"{10.0**tick:.2g}" for tick in ticks] if logarithmic else tick_labels(ticks)
    gutter = max(len(label) for label in labels)
    right = last_step or max(step for curve in drawn for step, _ in curve.series.points)
    canvas = Canvas(width - gutter - 1, rows, ascii_only)
    place = _Place(canvas, ticks[0], ticks[-1], max(1, right))
    for pen, curve in sorted(enumerate(drawn), key=lambda item: not item[1].dashed):  # dashed ones lie below
        _draw(canvas, place, curve, pen, scale)
    for pen, curve in enumerate(drawn):
        for step, value in curve.series.points if curve.mark else ():
            canvas.mark(place.x(step), place.y(scale(value)), _mark(curve, pen, ascii_only), pen)
    named = {place.y(tick) // canvas.down: label for tick, label in zip(ticks, labels, strict=True)}
    tick_mark, edge = ("+", "|") if ascii_only else ("┤", "│")
    styles = [curve.style for curve in curves]
    letters = [_mark(curve, index, True) if curve.mark else "*" for index, curve in enumerate(curves)]
    for row in range(rows):
        label = named.get(row, "")
        lines.append(
            Content.assemble(
                (f"{label:>{gutter}}{tick_mark if label else edge}", AXIS), *_runs(canvas.row(row, letters), styles)
            )
        )
    return [*lines, _step_axis(right, gutter, canvas.width, ascii_only)]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a step and a value lie on the canvas."""

    canvas: Canvas
    low: float
    high: float
    right: int

    def x(self, step: int) -> int:
        return round(step / self.right * (self.canvas.dots_wide - 1))

    def y(self, value: float) -> int:
        share = (value - self.low) / (self.high - self.low)
        return round((1 - share) * (self.canvas.dots_high - 1))


def _usable(curve: Curve, logarithmic: bool) -> Curve:
    if not logarithmic:
        return curve
    points = tuple(point for point in curve.series.points if point[1] > 0)
    return replace(curve, series=Series(points, curve.series.last))


def _draw(canvas: Canvas, place: _Place, curve: Curve, pen: int, scale: Callable[[float], float]) -> None:
    """The curve's line; in ASCII a curve of marks has none."""
    if curve.mark and canvas.ascii_only:
        return
    before: tuple[int, int, int] | None = None
    for step, low, high in curve.series.columns(canvas.dots_wide):
        x, top, bottom = place.x(step), place.y(scale(high)), place.y(scale(low))
        if before is not None:
            left, above, below = before
            start, end = _nearest((above, below), (top, bottom))
            canvas.line(left, start, x, end, pen, every=3 if curve.dashed else 1)
        if not curve.mark:
            canvas.line(x, top, x, bottom, pen)
        before = (x, top, bottom)


def _nearest(before: tuple[int, int], after: tuple[int, int]) -> tuple[int, int]:
    """The ends of the shortest link between two vertical spans (top, bottom)."""
    if after[0] > before[1]:
        return before[1], after[0]
    if after[1] < before[0]:
        return before[0], after[1]
    level = max(before[0], after[0])
    return level, level


def _mark(curve: Curve, index: int, ascii_only: bool) -> str:
    return ASCII_MARKS[index % len(ASCII_MARKS)] if ascii_only else curve.mark


def _heading(title: str, curves: Sequence[Curve], ascii_only: bool) -> Content:
    parts: list[tuple[str, str]] = [(title, "bold")] if title else []
    for index, curve in enumerate(curves):
        sign = _mark(curve, index, ascii_only) if curve.mark else ("*" if ascii_only else "━")
        parts.append(("  " if parts else "", ""))
        if curve.name:
            parts += [(f"{sign} ", curve.style), (curve.name, "")]
        if curve.shown:
            parts.append((f" {curve.shown}" if curve.name else curve.shown, "bold"))
    return Content.assemble(*parts)


def _runs(cells: Sequence[Cell], styles: Sequence[str]) -> list[tuple[str, str]]:
    """Neighbouring cells of one pen as one piece of styled text."""
    runs: list[tuple[str, str]] = []
    for character, pen in cells:
        style = "" if pen is None else styles[pen]
        if runs and runs[-1][1] == style:
            runs[-1] = (runs[-1][0] + character, style)
        else:
            runs.append((character, style))
    return runs


def _step_axis(right: int, gutter: int, width: int, ascii_only: bool) -> Content:
    """The numbers of the steps under the chart, each centred on its place, the last step at the right end."""
    corner = "+" if ascii_only else "└"
    line = [" "] * (gutter + 1 + width)
    line[gutter] = corner
    taken = -1
    last = f"step {right}"
    end = gutter + 1 + width - len(last)
    for tick in step_ticks(right, max(1, width // 14)):
        label = str(tick)
        start = gutter + 1 + round(tick / max(1, right) * (width - 1)) - len(label) // 2
        start = max(start, gutter + 1)
        if start > taken and start + len(label) < end:
            line[start : start + len(label)] = label
            taken = start + len(label) + 1
    line[max(0, end) :] = last
    return Content.styled("".join(line), AXIS)
