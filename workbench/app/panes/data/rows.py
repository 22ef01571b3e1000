"""The list of rows: drawn line by line, fetched page by page, however many there are."""

from __future__ import annotations

from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from workbench.app.glyphs import glyphs
from workbench.app.panes.data.known import KnownRows, use_mark
from workbench.app.words import clipped, visible
from workbench.core.words import count_text

PAGE = 50
"""Rows fetched at once."""

KEPT = 40
"""Pages kept."""

USE = 12
"""Cells for what becomes of a row."""

WIDE = 64
"""Cells from which that is said in a word; narrower, its mark stands alone and the word below the list."""

USE_STYLES = {"held out": "info", "held cut": "warning", "held split": "warning", "cut": "warning",
              "split": "warning", "left out": "wrong"}  # fmt: skip

LONGEST = 400
"""Characters of a text that a line looks at."""

Row = Mapping[str, Any]


class RowList(ScrollView, can_focus=True):
    """One line a row. Up, Down, PgUp, PgDn, Home, End and the mouse move through it."""

    HELP = (
        "The rows of the data. The one that is lit is shown below as it is in the file, as rendered, and as tokens. A "
        "mark behind a row's number says that there is a finding about it; n goes from one to the next. At the end of "
        "the line stand its tokens, those that are trained on, and what becomes of it: train, held out, cut, or left "
        "out. o shows only some of the rows."
    )
    ALLOW_SELECT = False
    DEFAULT_CSS = """
    RowList { height: 1fr; background: transparent; overflow-x: hidden; }
    RowList .row-list--cursor { background: $primary 25%; color: $foreground; text-style: bold; }
    RowList .row-list--plain { color: $foreground; }
    RowList .row-list--quiet { color: $quiet; }
    RowList .row-list--wrong, RowList .row-list--error { color: $text-error; }
    RowList .row-list--warning { color: $text-warning; text-style: bold; }
    RowList .row-list--info { color: $accent; text-style: bold; }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "row-list--cursor", "row-list--plain", "row-list--quiet", "row-list--wrong",
        "row-list--error", "row-list--warning", "row-list--info",
    }  # fmt: skip
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", "Up", show=False),
        Binding("down", "move(1)", "Down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("home", "to(0)", "First row", show=False),
        Binding("end", "to(-1)", "Last row", show=False),
    ]

    total: reactive[int] = reactive(0)
    cursor: reactive[int] = reactive(0, repaint=False)

    class PageWanted(Message):
        """Rows are to be shown that are not there yet."""

        def __init__(self, start: int) -> None:
            super().__init__()
            self.start = start

    class Lit(Message):
        """The cursor is on another row, or the content of its row has come."""

    def __init__(self) -> None:
        super().__init__(id="rows")
        self._pages: OrderedDict[int, Sequence[Row]] = OrderedDict()
        self._asked: set[int] = set()
        self._old: set[int] = set()
        """Pages that are shown until they have been fetched anew."""
        self.order: Sequence[int] | None = None
        """The numbers of the rows that are listed, ascending; None: all of them."""
        self.of = "source"
        """Whose rows these are: the `source`'s, or those of the `held_out` file where it is one of its own."""
        self.known = KnownRows()
        """What is known of them."""

    # content

    def number_of(self, place: int) -> int:
        """The number of the row at a place of the list, both from 0."""
        order = self.order
        return place if order is None else order[place] if 0 <= place < len(order) else 0

    def place_of(self, number: int) -> int | None:
        """The place of a row in the list; None where it is not listed."""
        if self.order is None:
            return number if 0 <= number < self.total else None
        at = bisect_left(self.order, number)
        return at if at < len(self.order) and self.order[at] == number else None

    @property
    def lit(self) -> int:
        """The number of the row under the cursor."""
        return self.number_of(self.cursor)

    @property
    def highest(self) -> int:
        """The greatest number that is listed, from 1."""
        return self.total if self.order is None else (self.order[-1] + 1 if self.order else 0)

    def narrow(self, order: Sequence[int] | None, of: str, total: int) -> None:
        """List these rows only, or all `total` of them; the cursor stays on its row, or as near as can be."""
        lit = self.lit if of == self.of else 0
        self.order, self.of = order, of
        self.clear(total if order is None else len(order))
        at = lit if order is None else bisect_left(order, lit)
        self.cursor = at
        self._tell_lit()

    def clear(self, total: int = 0) -> None:
        """Forget every row; there are `total` now."""
        self._pages.clear()
        self._asked.clear()
        self._old.clear()
        self.set_total(total)
        self.refresh()

    def set_total(self, total: int) -> None:
        """There are so many rows."""
        self.total = total
        self.cursor = min(self.cursor, max(0, total - 1))

    def renew(self) -> None:
        """Fetch again what is shown; the rows stay on the screen until they are there."""
        self._asked.clear()
        self._old = set(self._pages)
        first = self.scroll_offset.y
        for number in (self.cursor, *range(first, first + self.size.height + 1, PAGE), first + self.size.height):
            self.row_at(number)

    def put(self, start: int, rows: Sequence[Row]) -> None:
        """Take in a page; one that is not full is the last."""
        self._asked.discard(start)
        self._old.discard(start)
        same = self._pages.get(start) == rows
        self._pages[start] = rows
        while len(self._pages) > KEPT:
            self._pages.popitem(last=False)
        if len(rows) < PAGE and start + len(rows) < self.total:
            self.set_total(start + len(rows))
        if same:
            return
        self.refresh()
        if start <= self.cursor < start + PAGE:
            self._tell_lit()

    def mark(self, known: KnownRows) -> None:
        """Mark rows by their findings and by what becomes of them."""
        if known is not self.known:
            self.known = known
            self.refresh()

    def row_at(self, number: int) -> Row | None:
        """The row, where its page is there; else its page is asked for."""
        if not 0 <= number < self.total:
            return None
        start = number // PAGE * PAGE
        page = self._pages.get(start)
        if (page is None or start in self._old) and start not in self._asked:
            self._asked.add(start)
            self.post_message(self.PageWanted(start))
        if page is None:
            return None
        self._pages.move_to_end(start)
        place = number - start
        return page[place] if place < len(page) else None

    def on_resize(self) -> None:
        self.scroll_to_region(Region(0, self.cursor, 1, 1), animate=False, force=True)

    def watch_total(self) -> None:
        self.virtual_size = Size(0, self.total)

    def validate_cursor(self, cursor: int) -> int:
        return max(0, min(cursor, self.total - 1))

    def watch_cursor(self, before: int, now: int) -> None:
        for number in (before, now):
            self.refresh(Region(0, number - self.scroll_offset.y, self.size.width, 1))
        self.scroll_to_region(Region(0, now, 1, 1), animate=False, force=True)
        self._tell_lit()

    def _tell_lit(self) -> None:
        self.post_message(self.Lit())

    # drawing

    def render_line(self, y: int) -> Strip:
        number = y + self.scroll_offset.y
        width = self.scrollable_content_region.width
        if number >= self.total:
            return Strip.blank(width, self.rich_style)
        row = self.row_at(number)
        lit = number == self.cursor
        style = self.get_component_rich_style("row-list--cursor" if lit else "row-list--plain")
        quiet = style if lit else self.get_component_rich_style("row-list--quiet")
        wrong = style if lit else self.get_component_rich_style("row-list--wrong")
        shown = self.number_of(number)
        head = f"{glyphs().pointer if lit else ' '}{shown + 1:>{number_room(self.highest)}} "
        said = self.known.said_of(shown, self.of)
        found = said[0]["severity"] if said else ""
        mark = {"error": glyphs().cross, "warning": glyphs().warning, "info": glyphs().dot}.get(found, " ")
        mark_style = style if lit else self.get_component_rich_style(f"row-list--{found or 'quiet'}")
        use = self.known.use_of(shown, self.of)
        use_style = style if lit else self.get_component_rich_style(f"row-list--{USE_STYLES.get(use, 'quiet')}")
        marks = (Segment(head, quiet), Segment(f"{mark} ", mark_style))
        return _line(marks, row, width, (style, quiet, wrong), Segment(use, use_style))

    # what the person does

    def action_move(self, by: int) -> None:
        self.cursor += by

    def action_page(self, by: int) -> None:
        self.cursor += by * max(1, self.scrollable_content_region.height - 1)

    def action_to(self, place: int) -> None:
        self.cursor = self.total - 1 if place < 0 else place

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is not None:
            self.cursor = offset.y + self.scroll_offset.y


def _line(
    head: tuple[Segment, ...], row: Row | None, width: int, styles: tuple[Style, Style, Style], use: Segment
) -> Strip:
    """One line: pointer, number and mark, what is asked and answered, tokens, trained tokens, and its use."""
    plain, quiet, wrong = styles
    marks = glyphs()
    tail, tail_style = "", quiet
    text = marks.ellipsis
    word: str | None = use.text
    if row is not None:
        text = row_text(row)
        if row["problem"] and not row["ids"]:
            tail, tail_style, word = f" {marks.warning} {row['problem']}", wrong, None
        else:
            tail = f" {count_text(len(row['ids'])):>6} {count_text(sum(row['trained'])):>7}"
            word = "left out" if row["problem"] and word in ("", "train") else word  # why is said below the list
    tail = clipped(visible(tail), max(14, width // 2))
    ends = [Segment(tail, tail_style)]
    if word is not None:
        said = f" {use_mark(word)} {word:<{USE - 3}}" if width >= WIDE else f" {use_mark(word)}"
        ends.append(Segment(said, use.style if word == use.text else wrong))
    room = max(0, width - sum(segment.cell_length for segment in (*head, *ends)))
    text = clipped(text, room)
    shown = Segment(text + " " * (room - cell_len(text)), plain)
    return Strip([*head, shown, *ends]).adjust_cell_length(width, plain)


def number_room(total: int) -> int:
    """Cells for the number of a row."""
    return max(5, len(str(total)))


def row_text(row: Row) -> str:
    """A row in one line: what is asked, and what is answered."""
    messages = row["messages"]
    if not messages:
        return visible(" ".join(str(value) for value in row["raw"].values())[:LONGEST])
    asked = next((message["content"] for message in messages if message["role"] == "user"), messages[0]["content"])
    answered = next((message["content"] for message in reversed(messages) if message["role"] == "assistant"), "")
    arrow = f" {glyphs().arrow} " if answered else ""
    return visible(asked[:LONGEST].strip()) + arrow + visible(answered[:LONGEST].strip())


def header(width: int, total: int, only: str = "") -> Content:
    """The line above the list; `only` says which rows are listed where these are not all."""
    use = f"   {'use':<{USE - 3}}" if width >= WIDE else "  "
    end = f"{'tokens':>7} {'trained':>7}{use}"
    start = f"{'row':>{number_room(total) + 1}}   "
    room = max(0, width - len(start) - len(end))
    words = clipped(visible(only) if only else f"what is asked {glyphs().arrow} answered", room)
    middle = words + " " * (room - cell_len(words))
    return Content.assemble((start, "$quiet"), (middle, "bold $accent" if only else "$quiet"), (end, "$quiet"))
