"""Lines of text that send to the terminal only what changed."""

from __future__ import annotations

from abc import abstractmethod

from textual.content import Content
from textual.events import Resize
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.visual import Visual
from textual.widget import Widget

from workbench.app.glyphs import glyphs


class Lines(Widget):
    """A widget drawn as lines; a redraw sends the pieces of lines that differ, not the whole widget.

    Textual sends the whole region of a widget that refreshes. At one redraw a second that is most of what a live view
    costs over a slow line, so the new lines are compared with the old ones here.
    """

    ALLOW_SELECT = False

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._strips: list[Strip] = []
        self._heights: dict[int, int] = {}

    @abstractmethod
    def draw(self, width: int, height: int) -> list[Content]:
        """The lines at this size; `height` is 0 where the widget is as high as its lines."""

    def redraw(self) -> None:
        """Draw anew; call it when what is shown has changed."""
        if self.styles.height is not None and self.styles.height.is_auto:
            width = self.size.width
            if width and len(self._drawn(width, 0)) != self.size.height:
                self._strips = []
                self.refresh(layout=True)
                return
        strips = self._drawn(self.size.width, self.size.height)
        regions = _differences(self._strips, strips, self.size.width)
        self._strips = strips
        if regions:
            self.refresh(*regions)

    def _drawn(self, width: int, height: int) -> list[Strip]:
        if not width or not self.is_attached:
            return []
        strips: list[Strip] = []
        for line in self.draw(width, height):
            cut = line
            if line.cell_length > width:
                cut = Content.assemble(line.truncate(width - 1, ellipsis=False), glyphs().ellipsis)
            made = Visual.to_strips(self, cut, width, 1, self.visual_style)
            strips.append(made[0].adjust_cell_length(width, self.rich_style) if made else Strip.blank(width))
        return strips

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002
        return len(self.draw(width, 0))

    def get_content_width(self, container: Size, viewport: Size) -> int:  # noqa: ARG002
        return container.width

    def on_resize(self, event: Resize) -> None:  # noqa: ARG002
        self._strips = self._drawn(self.size.width, self.size.height)
        self.refresh()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._strips = []

    def render_line(self, y: int) -> Strip:
        if not self._strips:
            self._strips = self._drawn(self.size.width, self.size.height)
        if 0 <= y < len(self._strips):
            return self._strips[y]
        return Strip.blank(self.size.width, self.rich_style)


def _differences(old: list[Strip], new: list[Strip], width: int) -> list[Region]:
    """The pieces of lines, in whole segments, in which `new` differs from `old`."""
    regions: list[Region] = []
    for y in range(max(len(old), len(new))):
        before = list(old[y]) if y < len(old) else []
        after = list(new[y]) if y < len(new) else []
        if before == after:
            continue
        start = 0
        for left, right in zip(before, after, strict=False):
            if left != right:
                break
            start += left.cell_length
        end = width
        for left, right in zip(reversed(before), reversed(after), strict=False):
            if left != right or end - right.cell_length <= start:
                break
            end -= right.cell_length
        regions.append(Region(start, y, max(1, end - start), 1))
    return regions
