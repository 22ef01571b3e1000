"""The end of a run's log: what the trainer printed."""

from __future__ import annotations

from pathlib import Path

from textual.content import Content

from workbench.app.charts.lines import Lines
from workbench.app.words import visible

READ = 65_536
"""Bytes read from the end of the log."""


def tail_lines(path: Path, count: int) -> list[str]:
    """The last lines of a text file, control characters shown; of a line rewritten in place, what it ended as."""
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - READ))
            text = file.read().decode("utf-8", errors="replace")
    except OSError:
        return []
    lines = [line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n")]
    if lines and not lines[-1]:
        lines.pop()
    return [visible(line) for line in lines[-count:]] if count > 0 else []


class LogTail(Lines):
    """As many of the last lines of the log as fit, the newest at the bottom."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._path: Path | None = None

    def show(self, path: Path) -> None:
        """Read the end of the log again."""
        self._path = path
        self.redraw()

    def draw(self, width: int, height: int) -> list[Content]:  # noqa: ARG002
        lines = tail_lines(self._path, height - 1) if self._path else []
        head = Content.styled("Log, its last lines", "bold")
        return [head, *(Content(line) for line in lines or ["The trainer has printed nothing yet."])]
