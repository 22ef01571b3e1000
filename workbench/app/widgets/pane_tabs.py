"""The line of panes, each with the key that opens it."""

from __future__ import annotations

from rich.cells import cell_len
from textual import events
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

from workbench.app.actions import PANES


class PaneTabs(Widget):
    """One line; a click on a name opens the pane. The number keys and F2 to F8 do the same."""

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    PaneTabs { height: 1; padding: 0 1; background: $background; }
    """

    active: reactive[str] = reactive("data")
    _hovered: reactive[str] = reactive("")

    class Chosen(Message):
        """The person clicked on a pane's name."""

        def __init__(self, pane: str) -> None:
            super().__init__()
            self.pane = pane

    def places(self) -> dict[str, tuple[int, int]]:
        """First and last column (past the end) of every pane's name, from the left edge of the content."""
        room = self.content_size.width
        labels = {name: f"{number} {title}" for number, (name, title) in enumerate(PANES.items(), 1)}
        letters = sum(cell_len(label) for label in labels.values())
        edge = 1 if letters + 2 * len(labels) <= room else 0
        spare = room - letters - 2 * edge * len(labels)
        gap = max(1 - edge, min(2, spare // (len(labels) - 1)))
        found, at = {}, 0
        for name, label in labels.items():
            end = at + cell_len(label) + 2 * edge
            found[name] = (at, end)
            at = end + gap
        return found

    def render(self) -> Content:
        pieces: list[tuple[str, str] | str] = []
        at = 0
        for number, (name, (start, end)) in enumerate(self.places().items(), 1):
            pieces.append(" " * (start - at))
            title = PANES[name]
            edge = " " * ((end - start - cell_len(title) - 2) // 2)
            if name == self.active:
                pieces.append((f"{edge}{number} {title}{edge}", "bold reverse $primary"))
            else:
                style = "underline " if name == self._hovered else ""
                pieces += [(f"{edge}{number} ", "$accent"), (title, f"{style}$foreground"), edge]
            at = end
        return Content.assemble(*pieces)

    def _pane_at(self, x: int) -> str:
        return next((name for name, (start, end) in self.places().items() if start <= x < end), "")

    def on_mouse_move(self, event: events.MouseMove) -> None:
        self._hovered = self._pane_at(event.get_content_offset_capture(self).x)

    def on_leave(self) -> None:
        self._hovered = ""

    def on_click(self, event: events.Click) -> None:
        name = self._pane_at(event.get_content_offset_capture(self).x)
        if name:
            self.post_message(self.Chosen(name))
