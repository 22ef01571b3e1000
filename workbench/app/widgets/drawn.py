"""A widget that is drawn by a function of its width, and only when what it would draw has changed."""

from __future__ import annotations

from collections.abc import Callable

from textual.content import Content
from textual.geometry import Region, Size
from textual.visual import visualize
from textual.widget import Widget

Draw = Callable[[int], Content]
"""Gives the content for a width in cells."""


class Drawn(Widget):
    """Text of as many lines as it needs."""

    DEFAULT_CSS = """
    Drawn { height: auto; width: 1fr; }
    """

    def __init__(self, draw: Draw | None = None, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._draw = draw or _nothing
        self._last: tuple[int, Content] | None = None

    def show(self, draw: Draw | Content | str) -> None:
        """Draw this from now on; text is never markup. Nothing is sent where it comes out the same."""
        self._draw = draw if callable(draw) else _constant(draw)
        if not self.display:
            return
        if self._last is None:
            self.refresh(layout=True)
            return
        width, before = self._last
        now = self._draw(width)
        if now.is_same(before):
            return
        height = self._height_of(now, width)
        if height != self._height_of(before, width):  # a new layout sends the whole screen again
            self.refresh(layout=True)
            return
        old, new = before.split("\n", allow_blank=True), now.split("\n", allow_blank=True)
        if len(old) == len(new) == height:  # no line is wrapped, so only those that differ are sent
            changed = (Region(0, y, width, 1) for y in range(height) if not old[y].is_same(new[y]))
            self.refresh(*changed)
        else:
            self.refresh()

    @property
    def text(self) -> str:
        """What is drawn, as plain text."""
        return self._draw(self.content_size.width or 80).plain

    def render(self) -> Content:
        width = self.content_size.width
        content = self._draw(width)
        self._last = (width, content)
        return content

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002
        return self._height_of(self._draw(max(1, width)), max(1, width))

    def _height_of(self, content: Content, width: int) -> int:
        return visualize(self, content).get_height({}, width) if content else 0


def _nothing(width: int) -> Content:  # noqa: ARG001
    return Content("")


def _constant(content: Content | str) -> Draw:
    fixed = content if isinstance(content, Content) else Content(content)
    return lambda width: fixed  # noqa: ARG005
