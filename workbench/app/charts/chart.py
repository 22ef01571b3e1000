"""The chart as a widget."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from workbench.app.charts.drawing import Curve, draw_chart
from workbench.app.charts.lines import Lines


class Chart(Lines):
    """Curves over the steps of a run."""

    def __init__(self, title: str, *, from_zero: bool = False, id: str | None = None) -> None:
        super().__init__(id=id)
        self.title = title
        self._from_zero = from_zero
        self._curves: tuple[Curve, ...] = ()
        self._last_step: int | None = None
        self._logarithmic = False
        self.ascii_only = False

    def show(self, curves: Sequence[Curve], last_step: int | None = None, logarithmic: bool = False) -> None:
        """Draw these curves, up to `last_step` at the right edge."""
        self._curves = tuple(curves)
        self._last_step = last_step
        self._logarithmic = logarithmic
        self.redraw()

    def draw(self, width: int, height: int) -> list[Content]:
        title = f"{self.title}, log scale" if self._logarithmic else self.title
        return draw_chart(
            self._curves,
            width,
            height,
            title=title,
            last_step=self._last_step,
            logarithmic=self._logarithmic,
            from_zero=self._from_zero,
            ascii_only=self.ascii_only,
        )
