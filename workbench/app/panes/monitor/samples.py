"""Answers to held-out questions as the run gives them, newest first, and its notices."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content

from workbench.app.charts.lines import Lines
from workbench.app.glyphs import glyphs
from workbench.app.words import visible
from workbench.core.data.score import exact_match
from workbench.core.runs.events import Event
from workbench.core.runs.view import RunView

LEVELS = {"info": "", "warning": "$text-warning", "error": "$text-error"}


def answer_mark(given: str, expected: str) -> tuple[str, str]:
    """A mark with its word, and its colour: whether an answer is exactly the expected one."""
    marks = glyphs()
    if exact_match(given, expected):
        return f"{marks.tick} right", "$text-success"
    return f"{marks.cross} wrong", "$text-error"


def sample_lines(samples: tuple[Event, ...], width: int) -> list[Content]:
    """The samples grouped by step, the newest step first."""
    if not samples:
        told = Content.styled("Answers to held-out questions appear here as the run is measured.", "$quiet")
        return list(told.wrap(max(1, width)))
    lines: list[Content] = []
    for step, group in groupby(sorted(samples, key=_step, reverse=True), key=_step):
        title = f"step {step}" if step else "before training"
        lines.append(Content.styled(title.ljust(width), "bold underline"))
        for sample in group:
            lines += _sample(sample)
    return lines


def _step(sample: Event) -> int:
    return int(sample.get("step") or 0)


def _sample(sample: Event) -> list[Content]:
    expected = str(sample.get("expected") or "")
    lines = [Content.assemble((visible(str(sample.get("prompt") or "")), ""))]
    lines.append(Content.assemble(("  expected  ", "$quiet"), (visible(expected), "")))
    for side in ("base", "tuned"):
        given: Any = sample.get(side)
        if given is not None:
            mark, style = answer_mark(str(given), expected)
            lines.append(
                Content.assemble((f"  {side:<9} ", "$quiet"), (mark, style), ("  ", ""), (visible(str(given)), ""))
            )
    return lines


class SampleLines(Lines):
    """The samples, as high as they are."""

    def __init__(self) -> None:
        super().__init__(id="sample-lines")
        self._samples: tuple[Event, ...] = ()

    def show(self, samples: tuple[Event, ...]) -> None:
        """Show these samples; the same ones again cost nothing."""
        if samples is not self._samples:
            self._samples = samples
            self.redraw()

    def draw(self, width: int, height: int) -> list[Content]:  # noqa: ARG002
        return sample_lines(self._samples, width)


class Samples(VerticalScroll):
    """Sample answers, scrolled by keys and by mouse."""

    def compose(self) -> ComposeResult:
        yield SampleLines()

    def show(self, view: RunView) -> None:
        """Show the samples of this view."""
        self.query_one(SampleLines).show(view.samples)


class Notices(Lines):
    """The last notices of the run, the newest last."""

    KEPT = 3

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._notices: tuple[Event, ...] = ()

    def show(self, view: RunView) -> None:
        """Show the last notices of this view."""
        self._notices = view.notices[-self.KEPT :]
        self.set_class(bool(self._notices), "-some")
        self.redraw()

    def draw(self, width: int, height: int) -> list[Content]:  # noqa: ARG002
        lines: list[Content] = []
        for notice in self._notices:
            level = str(notice.get("level") or "info")
            word = f"{glyphs().warning} {level}: " if level != "info" else ""
            lines += Content.assemble(
                (word, f"bold {LEVELS.get(level, '')}".strip()), (visible(str(notice.get("text") or "")), "")
            ).wrap(max(1, width))[:3]
        return lines
