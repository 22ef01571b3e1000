"""The names of the three views in one line, where there is room for one view only."""

from __future__ import annotations

from collections.abc import Mapping

from textual import events
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget


class ViewNames(Widget):
    """One line; a click on a name shows that view."""

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    ViewNames { height: 1; }
    """

    active: reactive[str] = reactive("")

    class Chosen(Message):
        """The person clicked on a view's name."""

        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

    def __init__(self, titles: Mapping[str, str]) -> None:
        super().__init__()
        self.titles = titles

    def render(self) -> Content:
        pieces: list[tuple[str, str] | str] = []
        for name, title in self.titles.items():
            pieces += [(f" {title} ", "bold reverse $primary" if name == self.active else "$quiet"), " "]
        return Content.assemble(*pieces)

    def on_click(self, event: events.Click) -> None:
        at = 0
        for name, title in self.titles.items():
            if at <= event.x < at + len(title) + 2:
                self.post_message(self.Chosen(name))
            at += len(title) + 3
