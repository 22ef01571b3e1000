"""Horizontal bars made of cells, by halves of a cell where the terminal can draw them."""

from __future__ import annotations

from workbench.app.glyphs import glyphs


def bar(share: float, width: int) -> str:
    """A thin bar that fills `share` (0 to 1) of `width` cells; anything above nothing is seen."""
    marks = glyphs()
    halves = round(min(1.0, max(0.0, share)) * width * 2)
    if share > 0 and not halves:
        halves = 1
    whole, rest = divmod(halves, 2)
    return marks.line * whole + (marks.half_line or marks.line if rest else "")


def apportion(amounts: list[int], width: int) -> list[int]:
    """Cells for each amount so that they add up to `width`, by largest remainder; what is not nothing gets one."""
    total = sum(amounts)
    if not total or width <= 0:
        return [0] * len(amounts)
    exact = [amount / total * width for amount in amounts]
    cells = [max(1, int(share)) if amount else 0 for amount, share in zip(amounts, exact, strict=True)]
    order = sorted(range(len(amounts)), key=lambda place: exact[place] - int(exact[place]), reverse=True)
    for place in order:
        if sum(cells) >= width:
            break
        if amounts[place]:
            cells[place] += 1
    while sum(cells) > width and max(cells) > 1:
        cells[cells.index(max(cells))] -= 1
    return cells
