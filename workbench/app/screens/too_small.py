"""What is shown in a terminal that is too small to work in."""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult
from textual.content import Content
from textual.geometry import Size
from textual.screen import ModalScreen
from textual.widgets import Static

NEEDS = Size(60, 20)
"""Columns and rows below which nothing can be read properly."""


def is_too_small(size: Size) -> bool:
    """Whether a terminal of this size is too small."""
    return size.width < NEEDS.width or size.height < NEEDS.height


class TooSmall(ModalScreen[None]):
    """Says what is needed, and goes away once it is there."""

    DEFAULT_CSS = """
    TooSmall { background: $background; align: center middle; }
    TooSmall Static { width: 100%; height: auto; text-align: center; padding: 0 1; }
    """

    def compose(self) -> ComposeResult:
        yield Static(self._words(self.app.size), markup=False)

    @staticmethod
    def _words(size: Size) -> Content:
        return Content.assemble(
            ("Workbench", "bold $primary"),
            f"\nneeds {NEEDS.width} columns\nand {NEEDS.height} rows.\n",
            f"This terminal has {size.width} and {size.height}.\n",
            ("Make it larger, or ^q to leave.", "$quiet"),
        )

    def on_resize(self, event: events.Resize) -> None:
        self.query_one(Static).update(self._words(event.size))
