"""The data pane itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.reactive import reactive

from workbench.app.actions import bindings_for
from workbench.app.panes.data.rows import PAGE, Row, RowList, header
from workbench.app.panes.data.set_up import SetUp
from workbench.app.panes.data.summary import summary
from workbench.app.panes.data.view_names import ViewNames
from workbench.app.panes.data.views import ConversationView, RawView, RowView, TokensView
from workbench.app.reading import DataState, data_key, sentence_of
from workbench.app.recipe_desk import RecipeDesk
from workbench.app.widgets.drawn import Drawn
from workbench.app.words import visible
from workbench.core.recipe import Recipe, recipe_to_mapping

THREE = 96
"""Columns from which the three views stand side by side."""

SET_UP = 56
"""Columns of the set-up beside the rows."""

SET_UP_SHOWN = 150
"""Columns of the pane from which the set-up stands beside the rows without being asked for."""

SET_UP_BESIDE = 112
"""Columns from which an opened set-up stands beside the rows, not in their place."""

REST = 0.05
"""Seconds between a move of the cursor and the views that follow it."""

VIEWS = {"raw": "In the file", "conversation": "Rendered", "tokens": "Tokens"}


class DataPane(Horizontal):
    """The rows and how they are trained on."""

    BINDINGS = bindings_for("data")
    HELP = (
        "The data as it will be trained on. The lines at the top say how it is read; below are its rows, and the row "
        "that is lit in three views. e opens the set-up: model, source, template, longest row."
    )
    DEFAULT_CSS = """
    DataPane #seen { width: 1fr; height: 1fr; }
    DataPane #summary { margin-bottom: 1; }
    DataPane RowList { height: 2fr; }
    DataPane #views { height: 2fr; }
    DataPane ViewNames { display: none; }
    DataPane.-one ViewNames { display: block; }
    DataPane.-one RowView { display: none; border: none; border-top: $edge $edge-blurred; padding: 0; }
    DataPane.-one RowView.-shown { display: block; }
    DataPane.-one RowView:focus { border: none; border-top: $edge $border; }
    DataPane SetUp { display: none; }
    DataPane.-set-up SetUp { display: block; }
    DataPane.-instead.-set-up #seen { display: none; }
    DataPane.-instead SetUp { width: 1fr; }
    DataPane.-low #summary { margin-bottom: 0; }
    DataPane.-none #row-header, DataPane.-none ViewNames, DataPane.-none #views { display: none; }
    """

    recipe: reactive[Recipe] = reactive(Recipe, init=False, repaint=False)
    data_state: reactive[DataState] = reactive(DataState(), init=False, repaint=False)
    chosen_view: reactive[str] = reactive("tokens", init=False, repaint=False)
    """Which view is shown where there is room for one."""

    def __init__(self) -> None:
        super().__init__()
        self._opened: bool | None = None
        """Whether the person opened or closed the set-up; None where the width decides."""
        self.set_up: SetUp | None = None
        """The form, once it has been shown."""
        self._lit: Row | None = None
        """A row that waits to be shown in the views."""
        self.rows = RowList()
        self.summary = Drawn(id="summary")
        self.view_names = ViewNames(VIEWS)
        self.raw, self.conversation, self.tokens = RawView(), ConversationView(), TokensView()
        self.views: tuple[RowView, ...] = (self.raw, self.conversation, self.tokens)

    def compose(self) -> ComposeResult:
        with Vertical(id="seen"):
            yield self.summary
            yield Drawn(lambda width: Content.styled(header(width - 1), "$quiet"), id="row-header")
            yield self.rows
            yield self.view_names
            with Horizontal(id="views"):
                yield from self.views

    def on_mount(self) -> None:
        self.watch_chosen_view()
        self._show_data(None)

    @property
    def _in_set_up(self) -> bool:
        """Whether the focus is in the form."""
        focused = self.app.focused
        return focused is not None and self.set_up is not None and self.set_up in focused.ancestors

    def focus_first(self) -> None:
        if self.set_up is not None and self.has_class("-set-up", "-instead"):
            self.set_up.focus_first()
        else:
            self.rows.focus()

    # what comes down

    def watch_recipe(self) -> None:
        if self.set_up is not None:
            self.set_up.show(self.recipe)

    def watch_data_state(self, before: DataState, now: DataState) -> None:  # noqa: ARG002
        self._show_data(before.report)

    def _show_data(self, before: Mapping[str, Any] | None) -> None:
        state = self.data_state
        if state.report is not None and state.report is not before:
            self.rows.clear(int(state.report["rows"]))
        elif state.report is None and not state.busy:
            self.rows.clear(0)
        self.set_class(not self.rows.total, "-none")
        self._show_summary()

    def _show_summary(self) -> None:
        state, lines = self.data_state, 7 if self.size.height >= 28 else 4
        self.summary.show(lambda width: summary(state, lines, width))

    async def on_resize(self, event: events.Resize) -> None:
        self.set_class(event.size.height < 24, "-low")
        await self._arrange()
        self._show_summary()

    async def _arrange(self) -> None:
        """What is shown side by side at this width."""
        width = self.size.width
        opened = width >= SET_UP_SHOWN if self._opened is None else self._opened
        beside = width >= SET_UP_BESIDE
        if opened and self.set_up is None:
            self.set_up = SetUp(self.recipe)
            await self.mount(self.set_up, before=0)
        self.set_class(opened, "-set-up")
        self.set_class(not beside, "-instead")
        one = width - (SET_UP if opened and beside else 0) < THREE
        self.set_class(one, "-one")
        for view, title in zip(self.views, VIEWS.values(), strict=True):
            view.border_title = "" if one else title

    # pages and rows

    def on_row_list_page_wanted(self, event: RowList.PageWanted) -> None:
        event.stop()
        self.run_worker(self._fetch(event.start), group=f"rows-{event.start}", exclusive=True)

    async def _fetch(self, start: int) -> None:
        assert isinstance(self.app, RecipeDesk)
        helper, recipe = self.app.helper, self.recipe
        page, wrong = await sentence_of(
            lambda: helper.request("rows", recipe=recipe_to_mapping(recipe), start=start, count=PAGE)
        )
        if data_key(recipe) != data_key(self.recipe):
            return
        if wrong:
            self.summary.show(Content.styled(visible(wrong), "$text-error"))
            return
        self.rows.put(start, page["rows"])

    def on_row_list_lit(self, event: RowList.Lit) -> None:
        """The views follow the cursor once it rests, so that a key held down moves it at full speed."""
        event.stop()
        if self._lit is None:
            self.set_timer(REST, self._show_row)
        self._lit = event.row

    def _show_row(self) -> None:
        row, self._lit = self._lit, None
        if row is not None:
            self.raw.show(row)
            self.conversation.show(row)
            self.tokens.show(row, self.recipe.data.over_length == "cut_left")

    # what the person does

    def watch_chosen_view(self) -> None:
        for name, view in zip(VIEWS, self.views, strict=True):
            view.set_class(name == self.chosen_view, "-shown")
        self.view_names.active = self.chosen_view

    def on_view_names_chosen(self, event: ViewNames.Chosen) -> None:
        event.stop()
        self.chosen_view = event.name

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

    async def action_set_up(self) -> None:
        """Go into the set-up, opened where it is not; from inside it, back to the rows."""
        if self._in_set_up:
            await self._close_set_up()
            return
        if not self.has_class("-set-up"):
            self._opened = True
            await self._arrange()
        if self.set_up is not None:
            self.set_up.focus_first()

    async def _close_set_up(self) -> None:
        self._opened = None
        await self._arrange()
        self.rows.focus()

    async def key_escape(self, event: events.Key) -> None:
        """Escape leads out of the set-up; elsewhere it goes on to the app."""
        if self._in_set_up:
            event.stop()
            await self._close_set_up()

    def action_reload(self) -> None:
        assert isinstance(self.app, RecipeDesk)
        self.app.read_again()
