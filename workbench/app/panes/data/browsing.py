"""The rows: fetched page by page, walked by findings, by length, by a text or by chance, and copied."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from typing import Any

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.reactive import reactive

from workbench.app.glyphs import glyphs
from workbench.app.messages import Told
from workbench.app.panes.data.ask_line import AskLine
from workbench.app.panes.data.rows import PAGE, Row, RowList, header
from workbench.app.panes.data.summary import summary
from workbench.app.panes.data.trail import Trail, severity_of_rows, trail_of_findings, words_of_row
from workbench.app.panes.data.view_names import ViewNames
from workbench.app.panes.data.views import ConversationView, RawView, RowView, TokensView
from workbench.app.reading import DataState, data_key, sentence_of
from workbench.app.recipe_desk import RecipeDesk
from workbench.app.widgets.drawn import Drawn
from workbench.app.words import clipped, visible
from workbench.core.recipe import Recipe, recipe_to_mapping
from workbench.core.words import count_text

REST = 0.05
"""Seconds between a move of the cursor and the views that follow it."""

VIEWS = {"raw": "In the file", "conversation": "Rendered", "tokens": "Tokens"}

READ_BY = (
    "source",
    "subset",
    "split",
    "revision",
    "paths",
    "mix",
    "on_bad_row",
    "filter",
    "first",
    "format",
    "mapping",
)
"""What says which rows there are and what they say; other settings change only how they are shown."""


class Browsing(Horizontal):
    """The rows and the views of one of them."""

    recipe: reactive[Recipe] = reactive(Recipe, init=False, repaint=False)
    data_state: reactive[DataState] = reactive(DataState(), init=False, repaint=False)
    chosen_view: reactive[str] = reactive("tokens", init=False, repaint=False)
    """Which view is shown where there is room for one."""

    def __init__(self) -> None:
        super().__init__()
        self.trail: Trail | None = None
        """The rows that n and N walk; None walks those with findings."""
        self._viewed: tuple[Row | None, bool] = (None, False)
        """The row that the views show, and which end of it is cut."""
        self._resting = False
        """Whether the views wait for the cursor to rest."""
        self._note = ""
        """What is going on in the line below the rows."""
        self._page_problem = ""
        """Why the last page could not be read."""
        self.rows = RowList()
        self.summary = Drawn(id="summary")
        self.row_header = Drawn(
            lambda width: Content.styled(header(width - 1, self.rows.total), "$quiet"), id="row-header"
        )
        self.trail_line = Drawn(id="trail")
        self.ask_line = AskLine()
        self.view_names = ViewNames(VIEWS)
        self.raw, self.conversation, self.tokens = RawView(), ConversationView(), TokensView()
        self.views: tuple[RowView, ...] = (self.raw, self.conversation, self.tokens)

    def compose(self) -> ComposeResult:
        with Vertical(id="seen"):
            yield self.summary
            yield self.row_header
            yield self.rows
            yield self.trail_line
            yield self.ask_line
            yield self.view_names
            with Horizontal(id="views"):
                yield from self.views

    # what comes down

    def show_data(self, before: DataState, now: DataState) -> None:
        """Take in what is known of the data now."""
        report = now.report
        if report is not None and report is not before.report:
            self.rows.mark(severity_of_rows(report))
            if self._page_problem:
                self._page_problem = ""
                self.rows.renew()
            self._set_total(int(report["rows"]))
        elif report is None and now.problem and before.problem != now.problem and not self.rows.total:
            self.rows.clear(0)
        self._show_all()

    def _set_total(self, total: int) -> None:
        if total != self.rows.total:
            self.rows.set_total(total)
            self.row_header.refresh()

    def read_anew(self, before: Recipe, now: Recipe) -> None:
        """Fetch the rows anew after a change of the recipe; other data begins with its first row."""
        other = before.model.path != now.model.path or any(
            getattr(before.data, name) != getattr(now.data, name) for name in READ_BY
        )
        if other:
            self.trail = None
            self.rows.mark({})
            self.fetch_first()
        elif data_key(before) != data_key(now):
            self.rows.renew()

    def fetch_first(self) -> None:
        """Forget the rows and fetch the first page; how many there are comes with it."""
        self._page_problem = ""
        self.rows.clear(0)
        self.rows.cursor = 0
        self._viewed = None, False
        for view in self.views:
            view.clear()
        self.run_worker(self._fetch(0), group="rows-0", exclusive=True)

    def _show_all(self) -> None:
        self.set_class(not self.rows.total, "-none")
        self._show_summary()
        self._show_trail()

    @property
    def summary_lines(self) -> int:
        """Lines for what is known of the data."""
        return 7 if self.size.height >= 28 else 4

    def _show_summary(self) -> None:
        state, lines = self.data_state, self.summary_lines
        if self._page_problem and not state.problem:
            state = DataState(state.report, self._page_problem, state.busy, state.share, state.stopped)
        self.summary.show(lambda width: summary(state, lines, width))

    # pages and rows

    def on_row_list_page_wanted(self, event: RowList.PageWanted) -> None:
        event.stop()
        self.run_worker(self._fetch(event.start), group=f"rows-{event.start}", exclusive=True)

    async def _fetch(self, start: int) -> None:
        desk, recipe = self.desk, self.recipe
        page, wrong = await sentence_of(
            lambda: desk.helper.request("rows", recipe=recipe_to_mapping(recipe), start=start, count=PAGE)
        )
        if data_key(recipe) != data_key(self.recipe):
            return
        if wrong:
            self._page_problem = wrong
        else:
            report = self.data_state.report
            whole = not page["estimated"] or len(page["rows"]) < PAGE  # behind the last row all have been counted
            if not self.rows.total or (report is None and whole):
                self._set_total(int(page["total"]))
            self.rows.put(start, page["rows"])
            self.row_header.refresh()
        self._show_all()

    @property
    def desk(self) -> RecipeDesk:
        """The app, as the holder of the recipe and the helper."""
        assert isinstance(self.app, RecipeDesk)
        return self.app

    def on_row_list_lit(self, event: RowList.Lit) -> None:
        """The views follow the cursor once it rests, so that a key held down moves it at full speed."""
        event.stop()
        if not self._resting:
            self._resting = True
            self.set_timer(REST, self._show_row)

    def _show_row(self) -> None:
        self._resting = False
        row, cut_left = self.rows.row_at(self.rows.cursor), self.recipe.data.over_length == "cut_left"
        if self._viewed != (row, cut_left):
            self._viewed = row, cut_left
            for view in self.views:
                if row is None:
                    view.clear()
                else:
                    view.show(row, cut_left)
        self._show_trail()

    # the line below the rows

    def note(self, words: str) -> None:
        """Say what is going on below the rows; nothing takes it back."""
        self._note = words
        self._show_trail()

    def _show_trail(self) -> None:
        self.trail_line.show(self._trail_words)

    def _trail_words(self, width: int) -> Content:
        if self._note:
            return Content.styled(clipped(visible(self._note), width), "$accent")
        report, row, trail = self.data_state.report, self.rows.cursor, self.trail
        dot = f" {glyphs().dot} "
        if trail is not None:
            at = trail.place_of(row)
            of = f"{count_text(at)} of {count_text(trail.total)}" if at else count_text(trail.total)
            some = f", the first {count_text(len(trail.rows))} listed" if trail.total > len(trail.rows) else ""
            end = f"{some}{dot}n next{dot}N before{dot}Esc ends"
            words = clipped(visible(trail.words), max(8, width - len(of) - len(end) - 2))
            return Content.assemble((words, "$accent"), f"  {of}", (end, "$quiet"))
        found = list(words_of_row(report, row)) if report is not None else []
        lit = self.rows.row_at(row)
        problem = str(lit["problem"]) if lit is not None and lit["problem"] else ""
        if problem:
            found = [f"Left out: {problem}"]
        style = "$text-error" if problem else "$text-warning"
        return Content.styled(clipped(visible(dot.join(found)), width), style) if found else Content(" ")

    # going to a row

    def go(self, row: int) -> None:
        """Put the cursor on a row, and it on the screen."""
        self.rows.cursor = row

    def follow(self, trail: Trail, from_row: int | None = None) -> None:
        """Walk these rows from now on, beginning with the first at or behind the cursor."""
        self.trail = trail
        at = self.rows.cursor if from_row is None else from_row
        row = trail.neighbour(at - 1, 1)
        if row is not None:
            self.go(row)
        self._show_trail()

    def end_trail(self) -> bool:
        """Walk those rows no more; whether there were any."""
        had, self.trail = self.trail is not None, None
        self._show_trail()
        return had

    def action_next_on_trail(self, step: int) -> None:
        trail, report = self.trail, self.data_state.report
        if trail is None:
            trail = trail_of_findings(report) if report is not None else None
        row = trail.neighbour(self.rows.cursor, step) if trail is not None else None
        if row is None:
            known = report is not None
            self.post_message(Told("No finding is about a single row." if known else "The data has not been read yet."))
        else:
            self.go(row)

    def action_next_long(self) -> None:
        report = self.data_state.report
        if report is None:
            self.post_message(Told("The data has not been read yet."))
            return
        over = report["over_length"]
        trail = Trail(f"longer than {count_text(report['max_length'])} tokens", tuple(over["first"]), over["rows"])
        row = trail.neighbour(self.rows.cursor, 1)
        if row is None:
            self.post_message(Told(f"No row is longer than {count_text(report['max_length'])} tokens."))
        else:
            self.trail = trail
            self.go(row)
            self._show_trail()

    def action_any_row(self) -> None:
        if self.rows.total:
            self.go(random.randrange(self.rows.total))

    def action_go_to(self) -> None:
        if self.rows.total:
            self.ask_line.ask("row", f"Go to row, 1 to {count_text(self.rows.total)}:")

    def action_search(self) -> None:
        if self.rows.total:
            self.ask_line.ask("text", "Search for:")

    def on_ask_line_left(self, event: AskLine.Left) -> None:
        event.stop()
        self.rows.focus()

    def on_ask_line_answered(self, event: AskLine.Answered) -> None:
        event.stop()
        self.rows.focus()
        self.take_answer(event.about, event.text)

    def take_answer(self, about: str, text: str) -> None:
        """Do what was asked for in the line below the rows."""
        if about == "row":
            digits = text.replace(",", "").replace(" ", "").replace("_", "")
            number = int(digits) if digits.isdecimal() and len(digits) < 12 else 0
            if 1 <= number <= self.rows.total:
                self.go(number - 1)
            else:
                last = count_text(self.rows.total)
                self.post_message(Told(f"There is no row {text[:20]}; rows go from 1 to {last}.", "warning"))
        elif about == "text":
            self.run_worker(self._search(text), group="asking", exclusive=True)

    async def _search(self, text: str) -> None:
        recipe = self.recipe

        def tell(event: Mapping[str, Any]) -> None:
            self.note(f"Searching {event.get('text') or ''} {glyphs().dot} Esc stops")

        self.note(f"Searching {glyphs().dot} Esc stops")
        try:
            found, wrong = await sentence_of(
                lambda: self.desk.helper.request("search", tell, recipe=recipe_to_mapping(recipe), text=text)
            )
        finally:
            self.note("")
        if wrong or data_key(recipe) != data_key(self.recipe):
            self.post_message(Told(wrong or "The data has changed; search again.", "warning"))
        elif not found["rows"]:
            self.post_message(Told(f"No row holds {text[:40]!r}."))
        else:
            self.follow(Trail(f"holds {text[:40]!r}", tuple(found["rows"]), int(found["total"])))

    # copying

    def action_copy_row(self) -> None:
        row = self.rows.row_at(self.rows.cursor)
        if row is None:
            self.post_message(Told("There is no row to copy yet."))
            return
        if self.conversation.has_focus:
            what, text = "as rendered", str(row["rendered"])
        elif self.tokens.has_focus:
            what, text = "as token ids", json.dumps(row["ids"])
        else:
            what, text = "as JSON", json_of(row)
        self.app.copy_to_clipboard(text)
        size = count_text(len(text))
        self.post_message(Told(f"Row {count_text(row['row'] + 1)} {what} is on the clipboard, {size} characters."))

    # views

    def watch_chosen_view(self) -> None:
        for name, view in zip(VIEWS, self.views, strict=True):
            view.set_class(name == self.chosen_view, "-shown")
        self.view_names.active = self.chosen_view

    def action_next_view(self) -> None:
        """The next view: shown where there is room for one, given the focus where all three are shown."""
        names = list(VIEWS)
        if self.has_class("-one"):
            self.chosen_view = names[(names.index(self.chosen_view) + 1) % len(names)]
        else:
            at = next((place for place, view in enumerate(self.views) if view.has_focus), -1)
            self.views[(at + 1) % len(self.views)].focus()

    def action_ids(self) -> None:
        self.tokens.ids = not self.tokens.ids
        if self.has_class("-one"):
            self.chosen_view = "tokens"

    def stop_asking(self) -> bool:
        """Stop a search or a save that goes on; whether one did."""
        going = any(worker.group == "asking" and worker.is_running for worker in self.workers)
        self.workers.cancel_group(self, "asking")
        return going


def json_of(row: Row) -> str:
    """The row as one line of JSON, as it stands in its source."""
    return json.dumps({name: _value(row, name) for name in row["raw"]}, ensure_ascii=False)


def _value(row: Row, name: str) -> Any:
    text = row["raw"][name]
    try:
        return json.loads(text) if name in row["json"] else text
    except ValueError:  # a value too long to be shown whole
        return text
