"""The table of runs: drawn line by line, so that five hundred runs cost no more than twenty."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.visual import Visual

from workbench.app.charts.lines import Lines
from workbench.app.glyphs import glyphs
from workbench.app.panes.runs.rows import COLUMNS, MARGIN, Column, RunRow, columns_for, sort_rows
from workbench.app.widgets.top_line import run_glyph
from workbench.core.runs.folder import RunFolder
from workbench.core.words import clip_text


class RunTable(ScrollView, can_focus=True):
    """Rows with a cursor and marks. Enter, a key of the pane or a second click acts on the row under the cursor."""

    ALLOW_SELECT = False

    DEFAULT_CSS = """
    RunTable { height: 1fr; overflow-x: hidden; scrollbar-size-vertical: 1; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("home", "move(-1000000)", "First", show=False),
        Binding("end", "move(1000000)", "Last", show=False),
    ]

    class Moved(Message):
        """The cursor is on another row."""

    class Opened(Message):
        """The row under the cursor was clicked a second time."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.sort_key = "started"
        self.descending = True
        self.marked: list[RunFolder] = []
        """Runs marked for a comparison, in the order in which they were marked."""
        self.followed: RunFolder | None = None
        self._rows: list[RunRow] = []
        self._cursor = 0
        self._columns: list[Column] = []

    @property
    def current(self) -> RunRow | None:
        """The row under the cursor."""
        return self._rows[self._cursor] if self._rows else None

    @property
    def columns(self) -> list[Column]:
        """The columns that fit now."""
        return self._columns

    def show(self, rows: list[RunRow]) -> None:
        """Show these runs; the cursor stays on its run."""
        before, under = self._rows, self.current
        self._rows = sort_rows(rows, self.sort_key, self.descending)
        places = {row.folder: place for place, row in enumerate(self._rows)}
        self.marked = [folder for folder in self.marked if folder in places]
        cursor = places.get(under.folder, self._cursor) if under else 0
        moved = cursor != self._cursor or len(before) != len(self._rows)
        self._cursor = max(0, min(cursor, len(self._rows) - 1))
        self.virtual_size = Size(self.size.width, len(self._rows))
        if moved:
            self.refresh()
        else:
            self._refresh_rows([place for place, row in enumerate(self._rows) if row != before[place]])

    def redraw(self) -> None:
        """Draw every row anew."""
        self.refresh()

    def toggle_mark(self) -> None:
        """Mark the row under the cursor, or take its mark off, and go to the next."""
        row = self.current
        if row is None:
            return
        if row.folder in self.marked:
            self.marked.remove(row.folder)
        else:
            self.marked.append(row.folder)
        self.refresh()
        self.action_move(1)

    def action_move(self, by: int) -> None:
        """Move the cursor by so many rows."""
        self._go(self._cursor + by)

    def action_page(self, pages: int) -> None:
        """Move the cursor by so many screens of rows."""
        self._go(self._cursor + pages * max(1, self.size.height - 1))

    def _go(self, place: int) -> None:
        place = max(0, min(place, len(self._rows) - 1))
        if place == self._cursor or not self._rows:
            return
        before, self._cursor = self._cursor, place
        self._refresh_rows([before, place])
        self.scroll_to_region(Region(0, place, self.size.width, 1), animate=False)
        self.post_message(self.Moved())

    def _refresh_rows(self, places: list[int]) -> None:
        top, height, width = self.scroll_offset.y, self.size.height, self.size.width
        regions = [Region(0, place - top, width, 1) for place in places if 0 <= place - top < height]
        if regions:
            self.refresh(*regions)

    def on_resize(self, event: events.Resize) -> None:
        self._columns = columns_for(event.size.width)
        self.virtual_size = Size(event.size.width, len(self._rows))
        self.refresh()

    def on_focus(self) -> None:
        self._refresh_rows([self._cursor])

    def on_blur(self) -> None:
        self._refresh_rows([self._cursor])

    def on_click(self, event: events.Click) -> None:
        place = event.y + self.scroll_offset.y
        if not 0 <= place < len(self._rows):
            return
        event.stop()
        if event.x < MARGIN:
            self._go(place)
            self.toggle_mark()
        elif place == self._cursor and event.chain >= 2:
            self.post_message(self.Opened())
        else:
            self._go(place)

    def render_line(self, y: int) -> Strip:
        place, width = y + self.scroll_offset.y, self.size.width
        if not 0 <= place < len(self._rows):
            return Strip.blank(width, self.rich_style)
        strips = Visual.to_strips(self, self._line(place), width, 1, self.visual_style)
        return strips[0].adjust_cell_length(width, self.rich_style)

    def _line(self, place: int) -> Content:
        row, marks = self._rows[place], glyphs()
        under = place == self._cursor
        marked = row.folder in self.marked
        mark = str(self.marked.index(row.folder) + 1) if marked else " "
        parts: list[tuple[str, str]] = [
            (mark[-1], "bold reverse $accent" if marked else ""),
            (f"{marks.pointer if under else ' '} ", "bold $accent"),
        ]
        for column in self._columns:
            text, style = column.text(row), ""
            if column.key == "state":
                glyph, style = run_glyph(marks, row.state)
                text = f"{glyph} {text}"
            elif column.key == "run" and row.folder == self.followed:
                style = "bold $text-primary"
            shown = clip_text(text, column.width)
            pad = " " * (column.width - Content(shown).cell_length)
            parts.append((pad + shown if column.right else shown + pad, style))
            parts.append(("" if column is self._columns[-1] else "  ", ""))
        line = Content.assemble(*parts)
        line = line.truncate(self.size.width, ellipsis=False)
        line = Content.assemble(line, " " * max(0, self.size.width - line.cell_length))
        if under:
            line = line.stylize("bold on $primary 30%" if self.has_focus else "on $primary 15%")
        return line


class TableHead(Lines):
    """The titles of the columns; a click sorts by one."""

    DEFAULT_CSS = """
    TableHead { height: 1; pointer: pointer; }
    """

    class Sorted(Message):
        """The person chose a column to sort by."""

        def __init__(self, key: str) -> None:
            super().__init__()
            self.key = key

    def __init__(self, table: RunTable, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._table = table

    def draw(self, width: int, height: int) -> list[Content]:  # noqa: ARG002
        marks = glyphs()
        parts: list[tuple[str, str]] = [(" " * MARGIN, "")]
        for column in columns_for(width):
            sorted_by = column.key == self._table.sort_key
            arrow = (marks.down if self._table.descending else marks.up) if sorted_by else ""
            text = f"{column.title[: column.width - len(arrow)]}{arrow}"
            shown = f"{text:>{column.width}}" if column.right else f"{text:<{column.width}}"
            parts += [(shown, "bold $primary" if sorted_by else "$quiet"), ("  ", "")]
        return [Content.assemble(*parts[:-1])]

    def on_click(self, event: events.Click) -> None:
        event.stop()
        at = MARGIN
        for column in columns_for(self.size.width):
            if at <= event.x < at + column.width + 2:
                self.post_message(self.Sorted(column.key))
                return
            at += column.width + 2


def next_sort(key: str, columns: list[Column]) -> str:
    """The column after `key` among those shown, round and round."""
    keys = [column.key for column in columns] or list(COLUMNS)
    return keys[(keys.index(key) + 1) % len(keys)] if key in keys else keys[0]
