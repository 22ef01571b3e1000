"""The two lines on top of the monitor: the state, the progress, and a sentence."""

from __future__ import annotations

from textual.content import Content

from workbench.app.charts.lines import Lines
from workbench.app.glyphs import glyphs
from workbench.app.panes.monitor.state import ASKED, progress_bar, state_sentence
from workbench.app.widgets.top_line import run_glyph
from workbench.app.words import visible
from workbench.core.runs.folder import RunFolder, Status
from workbench.core.runs.view import RunView
from workbench.core.words import clock_text


class StateLine(Lines):
    """What the run does now, in words, with a bar."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._run: RunFolder | None = None
        self._state = ""
        self._view = RunView()
        self._asked = ""
        self._checkpoint: int | None = None
        self._has_result = False

    def show(self, run: RunFolder, status: Status | None, view: RunView, asked: str) -> None:
        """Show the run; `asked` is the control that it has not yet obeyed, or empty."""
        state = status.state if status else "lost"
        if state != self._state or run != self._run:
            newest = run.newest_checkpoint()
            self._checkpoint = int(newest.name.removeprefix("step-")) if newest else None
            self._has_result = run.result is not None
        self._run, self._state, self._view, self._asked = run, state, view, asked
        self.redraw()

    @property
    def sentence(self) -> str:
        """The second line."""
        if self._asked:
            return ASKED[self._asked]
        return state_sentence(self._state, self._view, self._checkpoint, self._has_result)

    def draw(self, width: int, height: int) -> list[Content]:  # noqa: ARG002
        if self._run is None:
            return []
        view, marks = self._view, glyphs()
        glyph, style = run_glyph(marks, self._state)
        head = f"{glyph} {self._state}"
        steps = f"step {view.step} of {view.steps}" if view.steps else ""
        spent = f"{clock_text(view.seconds)} elapsed" if view.seconds else ""
        left = view.seconds_left if self._state == "running" else None
        times = f"{spent}, {clock_text(left)} left" if left is not None else spent
        name = visible(self._run.name)
        fixed = len(head) + len(name) + len(steps) + len(times) + 14
        if fixed + 8 > width:
            name = ""
            fixed = len(head) + len(steps) + len(times) + 12
        parts: list[tuple[str, str]] = [(head, f"bold {style}"), ("  ", ""), (name, "bold"), ("  " if name else "", "")]
        if view.steps:
            parts.append((steps, ""))
            room = min(60, width - fixed)
            if room >= 6:
                filled, empty = progress_bar(view.progress, room, marks)
                parts += [("  ", ""), (filled, style), (empty, "$quiet")]
            parts += [(f" {view.progress * 100:3.0f}%", "bold"), ("  ", ""), (times, "")]
        sentence = Content.styled(self.sentence, "" if self._asked else "$quiet")
        return [Content.assemble(*parts), *sentence.wrap(max(1, width))]
