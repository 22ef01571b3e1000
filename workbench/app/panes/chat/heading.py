"""The lines on top of the chat: who answers, what goes on, and what is wrong."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from textual.content import Content

from workbench.app.charts.lines import Lines
from workbench.app.glyphs import glyphs
from workbench.app.words import visible

if TYPE_CHECKING:
    from textual.timer import Timer


class ChatHeading(Lines):
    """Who answers; while something is under way, what, and for how long."""

    DEFAULT_CSS = """
    ChatHeading { height: auto; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._title = ""
        self._note = ""
        self._work = ""
        self._since = 0.0
        self._problem = ""
        self._modes: list[str] = []
        self._ticking: Timer | None = None

    def on_mount(self) -> None:
        self._ticking = self.set_interval(1.0, self.redraw, pause=True)

    def show_source(self, title: str, note: str) -> None:
        """Who answers, and why there is no tuned side."""
        if (title, note) != (self._title, self._note):
            self._title, self._note, self._problem = title, note, ""
            self.redraw()

    def show_work(self, work: str) -> None:
        """What goes on now, or empty; the seconds count by themselves."""
        if not self.is_attached:
            return
        if not self._work or work == "answering":
            self._since = time.monotonic()
        self._work = visible(work)
        if work:
            self._problem = ""
        if self._ticking is not None:
            if work:
                self._ticking.resume()
            else:
                self._ticking.pause()
        self.redraw()

    def hear(self, event: dict[str, Any]) -> None:
        """Take what the helper says about its progress."""
        if event.get("event") == "progress" and event.get("text"):
            self.show_work(str(event["text"]))

    def show_problem(self, problem: str) -> None:
        """What is wrong, in a sentence, or empty."""
        self._problem = problem
        self.redraw()

    def show_modes(self, modes: list[str]) -> None:
        """Which of the pane's switches are on."""
        self._modes = modes
        self.redraw()

    def draw(self, width: int, height: int) -> list[Content]:  # noqa: ARG002
        marks = glyphs()
        parts: list[tuple[str, str] | str] = [(self._title, "bold")] if self._title else []
        if self._work:
            seconds = int(time.monotonic() - self._since)
            spent = f" {seconds} s" if seconds else ""
            hint = ", Esc stops it" if self._work == "answering" else ""
            parts.append((f"  {marks.running} {self._work}{spent}{hint}", "$text-success"))
        for mode in self._modes:
            parts.append((f"  {marks.dot} {mode}", "$text-accent"))
        lines = [Content.assemble(*parts)] if parts else []
        for text, style in ((self._note, "$quiet"), (self._problem, "$text-error")):
            if text:
                lines += Content.styled(text, style).wrap(max(1, width))
        return lines or [Content("")]
