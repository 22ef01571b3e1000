"""Several runs side by side: their figures in a table, and their losses in one chart."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.content import Content

from workbench.app.charts.chart import Chart
from workbench.app.charts.drawing import ASCII_MARKS, MARKS, Curve
from workbench.app.charts.lines import Lines
from workbench.app.glyphs import glyphs
from workbench.app.words import visible
from workbench.core.compare import cell_text, compare_runs, differing_keys, read_recipes, reason_against
from workbench.core.runs.facts import read_view
from workbench.core.runs.folder import RunFolder
from workbench.core.runs.view import RunView
from workbench.core.words import clip_text

MOST = len(MARKS)
"""Runs in one comparison."""

STYLES = ("$text-primary", "$text-warning", "$text-success", "$text-error", "$text-secondary", "$foreground")

ROWS = (
    ("method", "method"),
    ("trained weights", "trainable_parameters"),
    ("share of all", "share"),
    ("result on disk", "adapter_bytes"),
    ("memory predicted", "memory_predicted"),
    ("memory measured", "memory_measured"),
    ("time", "seconds"),
    ("tokens a second", "tokens_per_second"),
    ("base held-out loss", "base_loss"),
    ("held-out loss", "held_out_loss"),
    ("base right answers", "base_score"),
    ("right answers", "score"),
)
"""Title and key of each line; the keys are those of every comparison."""

LOWER, HIGHER = "lower", "higher"
BEST = {
    "held_out_loss": LOWER,
    "score": HIGHER,
    "seconds": LOWER,
    "memory_measured": LOWER,
    "trainable_parameters": LOWER,
    "adapter_bytes": LOWER,
    "tokens_per_second": HIGHER,
}
"""Which figures can be better or worse, and which way."""

SAME_ROWS_ONLY = ("held_out_loss", "score")
"""Figures that say nothing across runs whose held-out rows differ."""


class CompareTable(Lines):
    """The figures, a column a run."""

    DEFAULT_CSS = """
    CompareTable { height: auto; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._rows: list[dict[str, Any]] = []
        self._differing: dict[str, list[str]] = {}
        self._warning: str | None = None

    def show(self, rows: list[dict[str, Any]], differing: dict[str, list[str]], warning: str | None) -> None:
        """Show these runs."""
        self._rows, self._differing, self._warning = rows, differing, warning
        self.redraw()

    def draw(self, width: int, height: int) -> list[Content]:  # noqa: ARG002
        if not self._rows:
            return [Content.styled("reading the runs", "$quiet")]
        names = max(20, max((len(key) for key in self._differing), default=0) + 2)
        names = min(names, max(20, width // 3))
        cell = max(10, min(26, (width - names) // len(self._rows)))
        marks = ASCII_MARKS if glyphs().ascii else MARKS
        head: list[tuple[str, str]] = [(" " * names, "")]
        for index, row in enumerate(self._rows):
            head.append((_fit(f"{marks[index]} {visible(row['run'])}", cell - 2) + "  ", f"bold {STYLES[index]}"))
        lines = [Content.assemble(*head)]
        for title, key in ROWS:
            best = self._best(key)
            parts: list[tuple[str, str]] = [(_left(title, names), "$quiet")]
            for index, row in enumerate(self._rows):
                text = cell_text(key, row.get(key))
                won = index in best
                parts.append((_fit(text, cell - 2) + (f" {glyphs().tick}" if won else "  "), "bold" if won else ""))
            lines.append(Content.assemble(*parts))
        if self._differing:
            lines += [Content(""), Content.styled("What differs in the recipes", "bold")]
            for key, values in self._differing.items():
                parts = [(_left(key, names), "$quiet")]
                parts += [(_fit(visible(value), cell - 2) + "  ", "") for value in values]
                lines.append(Content.assemble(*parts))
        notes = [f"{row['run']} {row['remark']}." for row in self._rows if row.get("remark")]
        notes += [self._warning] if self._warning else []
        for note in notes:
            lines += [Content(""), *Content.styled(visible(note), "$text-warning").wrap(max(1, width))]
        lines += [Content(""), Content.styled(f"{glyphs().tick} marks the best of a line. Esc goes back.", "$quiet")]
        return lines

    def _best(self, key: str) -> set[int]:
        """The runs whose figure, as written, is the best of a line; none where all are the same or say nothing."""
        values = [row.get(key) for row in self._rows]
        known = [value for value in values if value is not None]
        if key not in BEST or len(known) < 2 or len(set(known)) < 2:
            return set()
        if self._warning and key in SAME_ROWS_ONLY:
            return set()
        target = cell_text(key, min(known) if BEST[key] == LOWER else max(known))
        written = [cell_text(key, value) for value in values]
        return set() if len(set(written)) < 2 else {index for index, text in enumerate(written) if text == target}


def _left(text: str, width: int) -> str:
    """The text flush left, with a gap behind it."""
    shown = clip_text(text, width - 1)
    return shown + " " * (width - Content(shown).cell_length)


def _fit(text: str, width: int) -> str:
    """The text flush right, with a gap before it."""
    shown = clip_text(text, width - 1)
    return " " * (width - Content(shown).cell_length) + shown


class CompareView(Vertical):
    """The comparison: a chart above, the table below."""

    DEFAULT_CSS = """
    CompareView { height: 1fr; }
    CompareView Chart { height: 2fr; min-height: 6; }
    CompareView VerticalScroll { height: 3fr; margin-top: 1; scrollbar-size-vertical: 1; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._views: list[tuple[str, RunView]] = []
        self._training = False
        self._logarithmic = False

    def compose(self) -> ComposeResult:
        yield Chart("Held-out loss", id="compare-chart")
        with VerticalScroll():
            yield CompareTable()

    async def load(self, folders: Sequence[RunFolder]) -> None:
        """Read the runs, away from the screen's own work, and show them."""
        rows = await asyncio.to_thread(compare_runs, folders)
        recipes = await asyncio.to_thread(read_recipes, folders)
        self._views = [(folder.name, await asyncio.to_thread(read_view, folder)) for folder in folders]
        if not self.is_attached:
            return
        self.query_one(CompareTable).show(rows, differing_keys(recipes), reason_against(recipes))
        self._draw()
        self.focus_table()

    def focus_table(self) -> None:
        """Let the arrow keys scroll the table."""
        self.query_one(VerticalScroll).focus()

    def toggle_training(self) -> None:
        """Draw the training losses instead of the held-out ones, or those again."""
        self._training = not self._training
        self._draw()

    def toggle_scale(self) -> None:
        """Draw on a logarithmic scale, or on a plain one."""
        self._logarithmic = not self._logarithmic
        self._draw()

    def _draw(self) -> None:
        chart = self.query_one(Chart)
        chart.ascii_only = glyphs().ascii
        chart.title = "Training loss" if self._training else "Held-out loss"
        curves = []
        for index, (name, view) in enumerate(self._views):
            series = view.loss if self._training else view.held_out
            mark = "" if self._training else MARKS[index]
            curves.append(Curve(visible(name), series, STYLES[index], mark))
        chart.show(curves, logarithmic=self._logarithmic)
