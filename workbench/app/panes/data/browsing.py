"""The rows: fetched page by page, walked by findings, by length, by a text or by chance, and copied."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.reactive import reactive

from workbench.app.deferred import deferred
from workbench.app.glyphs import glyphs
from workbench.app.messages import Told
from workbench.app.panes.data.ask_line import AskLine
from workbench.app.panes.data.known import SHOWN, KnownRows, known_rows
from workbench.app.panes.data.rows import PAGE, Row, RowList, header
from workbench.app.panes.data.summary import summary
from workbench.app.panes.data.trail import plain_sentence
from workbench.app.panes.data.view_names import ViewNames
from workbench.app.panes.data.views import ConversationView, RawView, RowView, TokensView
from workbench.app.reading import DataState, data_key, sentence_of
from workbench.app.recipe_desk import RecipeDesk
from workbench.app.widgets.drawn import Drawn
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
        self.known = KnownRows()
        """What the last report knows of every row."""
        self.only = ""
        """The set of rows that are listed; empty lists all of them."""
        self._viewed: tuple[Row | None, bool] = (None, False)
        """The row that the views show, and which end of it is cut."""
        self._resting = False
        """Whether the views wait for the cursor to rest."""
        self._page_problem = ""
        """Why the last page could not be read."""
        self.rows = RowList()
        self.summary = Drawn(id="summary")
        self.row_header = Drawn(self._header, id="row-header")
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
            self.known = known_rows(report)
            self.rows.mark(self.known)
            if self._page_problem:
                self._page_problem = ""
                self.rows.renew()
            if self.only:
                self.show_only(self.only)
            else:
                self._set_total(int(report["rows"]))
        elif report is None and now.problem and before.problem != now.problem and not self.rows.total:
            self.rows.clear(0)
        self._show_all()

    def show_only(self, name: str) -> None:
        """List the rows of one set alone; an empty name, or that of a set without rows, lists all."""
        found, rows = self.known[name], self.rows
        if name and not found.rows:
            self.post_message(Told(f"No row is {self.words_of(name)} any more, so all rows are listed."))
            name = ""
        self.only = name
        total = int(self.data_state.report["rows"]) if self.data_state.report is not None else 0
        if not name:
            if rows.order is not None:
                rows.narrow(None, "source", total)
        elif rows.of != found.of or rows.order is None or rows.order != found.rows:
            rows.narrow(found.rows, found.of, total)
        self.row_header.show(self._header)
        self.show_line()

    def words_of(self, name: str) -> str:
        """What the rows of a set have in common."""
        said = next((plain_sentence(finding) for finding in self.known.findings if finding["kind"] == name), name)
        words = SHOWN.get(name, said) if name else "all rows"
        of_file = self.known[name].of != "source" and name in SHOWN
        return f"{words} (in their own file)" if of_file else words

    def _header(self, width: int) -> Content:
        only = ""
        if self.only:
            only = f"{count_text(self.rows.total)} rows: {self.words_of(self.only)} {glyphs().dot} Esc lists all"
        return header(width - 1, self.rows.highest, only)

    def show_line(self) -> None:
        """Bring the line below the rows up to date."""

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
            self.forget()
            self.fetch_first()
        elif data_key(before) != data_key(now):
            self.rows.renew()

    def forget(self) -> None:
        """Know nothing of any row: these are other data."""
        self.known, self.only = KnownRows(), ""
        self.rows.mark(self.known)

    def fetch_first(self) -> None:
        """Forget the rows and fetch the first page; how many there are comes with it."""
        self._page_problem = ""
        self.only = ""
        self.rows.narrow(None, "source", 0)
        self.rows.cursor = 0
        self._viewed = None, False
        for view in self.views:
            view.clear()
        self.run_worker(deferred(self._fetch, 0), group="rows-0", exclusive=True)

    @property
    def own_state(self) -> DataState:
        """What is known of the data, without the report of other data that was open before."""
        state = self.data_state
        other = state.report is not None and state.report["source"] != self.recipe.data.source
        return replace(state, report=None) if other else state

    def _show_all(self) -> None:
        self.set_class(not self.rows.total, "-none")
        self._show_summary()
        self.show_line()

    @property
    def summary_lines(self) -> int:
        """Lines for what is known of the data."""
        return 7 if self.size.height >= 28 else 4

    def _show_summary(self) -> None:
        state, lines = self.own_state, self.summary_lines
        if self._page_problem and not state.problem:
            state = DataState(state.report, self._page_problem, state.busy, state.share, state.stopped)
        self.summary.show(lambda width: summary(state, lines, width))

    # pages and rows

    def on_row_list_page_wanted(self, event: RowList.PageWanted) -> None:
        event.stop()
        self.run_worker(deferred(self._fetch, event.start), group=f"rows-{event.start}", exclusive=True)

    async def _fetch(self, start: int) -> None:
        desk, recipe, order = self.desk, self.recipe, self.rows.order
        wanted: dict[str, Any] = {"start": start, "count": PAGE}
        if order is not None:
            wanted = {"numbers": list(order[start : start + PAGE]), "held_out": self.rows.of != "source"}
        page, wrong = await sentence_of(lambda: desk.helper.request("rows", recipe=recipe_to_mapping(recipe), **wanted))
        if data_key(recipe) != data_key(self.recipe) or order is not self.rows.order:
            return
        if wrong:
            self._page_problem = wrong
        elif order is not None:
            self.rows.put(start, page["rows"])
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
        self.show_line()

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
