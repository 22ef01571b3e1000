"""The runs pane: every run, what came of it, and what can be done with it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.reactive import reactive
from textual.widgets import ContentSwitcher, Static

from workbench.app.actions import bindings_for
from workbench.app.deferred import deferred
from workbench.app.messages import ChatRequested, ControlRequested, RecipeOpened, RunChosen, Told
from workbench.app.panes.runs.compare_view import MOST, CompareView
from workbench.app.panes.runs.delete import delete_run, size_on_disk
from workbench.app.panes.runs.facts_cache import FactsCache
from workbench.app.panes.runs.rows import COLUMNS, RunRow
from workbench.app.panes.runs.table import RunTable, TableHead, next_sort
from workbench.app.screens.question import Question
from workbench.app.words import home_path, visible
from workbench.core.errors import UserError
from workbench.core.runs.folder import ENDED, RunFolder
from workbench.core.runs.listing import RunSummary
from workbench.core.words import size_text

if TYPE_CHECKING:
    from textual.events import Hide, Show

EMPTY = (
    "No runs yet.\n\n"
    "Every run that you start is listed here with what came of it, for as long as you keep it.\n"
    "Press s to start a run of the recipe as it stands; 1 and 2 show what it would train, and on what."
)


class RunsPane(Vertical, can_focus=True):
    """Every run of the workspace."""

    BINDINGS = bindings_for("runs")

    HELP = (
        "Every run of this workspace and what came of it. Held-out is the loss on rows that were never trained on, "
        "right the share of held-out questions answered exactly. Mark runs with Space and compare them with m. A "
        "click on a title sorts."
    )

    DEFAULT_CSS = """
    RunsPane {
        #runs-empty { padding: 1 2; height: auto; }
        #runs-views { height: 1fr; }
        #runs-list { height: 1fr; }
        #runs-note { height: auto; max-height: 3; color: $quiet; margin-top: 1; }
    }
    """

    runs: reactive[tuple[RunSummary, ...]] = reactive((), repaint=False)
    run: reactive[RunFolder | None] = reactive(None, repaint=False)

    def __init__(self, *, id: str | None = "runs") -> None:
        super().__init__(id=id)
        self._cache = FactsCache()
        self._deleted: set[str] = set()
        self._shown = True
        self._ready = False

    def compose(self) -> ComposeResult:
        yield Static(EMPTY, id="runs-empty", markup=False)
        with ContentSwitcher(initial="runs-list", id="runs-views"):
            with Vertical(id="runs-list"):
                table = RunTable(id="runs-table")
                yield TableHead(table, id="runs-head")
                yield table
                yield Static("", id="runs-note", markup=False)
            yield CompareView(id="runs-compare")

    def on_mount(self) -> None:
        self._ready = True
        self._show_rows()

    def focus_first(self) -> None:
        """Begin on the table, or on the comparison that is shown."""
        if self.comparing:
            self.query_one(CompareView).focus_table()
        else:
            (self._table if self._table.current is not None else self).focus()

    # what comes down

    def watch_runs(self) -> None:
        self._show_rows()

    def watch_run(self) -> None:
        self._show_rows()

    def on_show(self, event: Show) -> None:  # noqa: ARG002
        self._shown = True
        self._show_rows()
        self.call_after_refresh(self.focus_first)

    def on_hide(self, event: Hide) -> None:  # noqa: ARG002
        self._shown = False

    @property
    def _table(self) -> RunTable:
        return self.query_one("#runs-table", RunTable)

    def _show_rows(self) -> None:
        if not self._ready or not self._shown:
            return
        listed = [item for item in self.runs if str(item.folder.path) not in self._deleted]
        self.query_one("#runs-empty").display = not listed
        self.query_one("#runs-views").display = bool(listed)
        rows, unread = [], []
        for item in listed:
            facts = self._cache.quick(item.folder, item.state not in ENDED)
            if facts is None:
                unread.append(item.folder)
            rows.append(RunRow(item, facts if facts is not None else self._cache.known(item.folder)))
        table = self._table
        if table.followed != self.run:
            table.followed = self.run
            table.redraw()
        table.show(rows)
        self._note()
        if rows and self.has_focus:
            self.focus_first()
        if unread:
            self.run_worker(deferred(self._read_events, unread), group="facts", exclusive=True, exit_on_error=False)

    async def _read_events(self, folders: list[RunFolder]) -> None:
        """Learn from their events what came of the runs that left no facts."""
        for folder in folders:
            await asyncio.to_thread(self._cache.whole, folder)
        listed = [item for item in self.runs if str(item.folder.path) not in self._deleted]
        self._table.show([RunRow(item, self._cache.known(item.folder)) for item in listed])

    def _note(self) -> None:
        """The line below the table: what the run under the cursor is about."""
        row = self._table.current
        text = ""
        if row is not None:
            marked = len(self._table.marked)
            parts = [f"{marked} marked, m compares them."] if marked else []
            if row.summary.problem:
                parts.append(row.summary.problem)
            elif row.state == "lost":
                parts.append("Its process ended without a word; r resumes it from its last checkpoint.")
            parts.append(home_path(row.folder.path))
            text = " ".join(parts)
        self.query_one("#runs-note", Static).update(Content(visible(text)))

    # what the person does

    def on_run_table_moved(self, event: RunTable.Moved) -> None:
        event.stop()
        self._note()

    def on_run_table_opened(self, event: RunTable.Opened) -> None:
        event.stop()
        self.action_follow()

    def on_table_head_sorted(self, event: TableHead.Sorted) -> None:
        event.stop()
        self._sort_by(event.key)

    @property
    def comparing(self) -> bool:
        """Whether the comparison is shown instead of the table."""
        return self.query_one(ContentSwitcher).current == "runs-compare"

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        if not self._ready:
            return True
        if action in ("close_comparison", "training_loss", "log_scale"):
            return self.comparing
        if action in ("follow", "mark", "compare", "chat", "resume", "open_recipe", "sort", "delete"):
            return not self.comparing and self._table.current is not None
        return True

    def action_follow(self) -> None:
        """Follow the run under the cursor on the monitor."""
        row = self._table.current
        if row is not None:
            self.post_message(RunChosen(row.folder))

    def action_mark(self) -> None:
        """Mark the run under the cursor for a comparison, or take the mark off."""
        self._table.toggle_mark()
        self._note()

    def action_compare(self) -> None:
        """Show the marked runs side by side."""
        marked = self._table.marked
        if len(marked) < 2:
            self._tell("Mark two runs or more with Space, then compare them.")
            return
        if len(marked) > MOST:
            self._tell(f"{len(marked)} runs are marked; at most {MOST} can be compared at once.")
            return
        self.query_one(ContentSwitcher).current = "runs-compare"
        self.run_worker(deferred(self.query_one(CompareView).load, list(marked)), group="compare", exclusive=True)
        self.call_after_refresh(self.refresh_bindings)

    def action_close_comparison(self) -> None:
        """Go back to the table."""
        self.query_one(ContentSwitcher).current = "runs-list"
        self._table.focus()
        self.refresh_bindings()

    def action_training_loss(self) -> None:
        """Compare the training losses instead of the held-out ones, or those again."""
        self.query_one(CompareView).toggle_training()

    def action_log_scale(self) -> None:
        """Draw the compared losses on a logarithmic scale, or on a plain one."""
        self.query_one(CompareView).toggle_scale()

    def action_chat(self) -> None:
        """Talk to the run's base and tuned model."""
        row = self._table.current
        if row is None:
            return
        if row.folder.result is None:
            self._tell(f"{row.folder.name} has no tuned model to talk to; it writes one when it stops or finishes.")
        else:
            self.post_message(ChatRequested(row.folder))

    def action_resume(self) -> None:
        """Let the run go on, from its newest checkpoint where its process is gone."""
        row = self._table.current
        if row is None:
            return
        if row.state == "finished":
            self._tell(f"{row.folder.name} is finished; start a new run to train further.")
        elif row.state in ("queued", "running"):
            self._tell(f"{row.folder.name} is {row.state} already.")
        else:
            self.post_message(RunChosen(row.folder))
            self.post_message(ControlRequested("run"))

    def action_open_recipe(self) -> None:
        """Make the run's recipe the current one."""
        row = self._table.current
        if row is None:
            return
        if row.summary.problem:
            self._tell(row.summary.problem)
        else:
            self.post_message(RecipeOpened(str(row.folder.recipe)))

    def action_sort(self) -> None:
        """Sort by the next column."""
        self._sort_by(next_sort(self._table.sort_key, self._table.columns))

    def _sort_by(self, key: str) -> None:
        table = self._table
        table.descending = not table.descending if key == table.sort_key else COLUMNS[key].descending
        table.sort_key = key
        self.query_one(TableHead).redraw()
        self._show_rows()
        table.redraw()

    def action_delete(self) -> None:
        """Delete the run under the cursor, after a question; never one that is going on."""
        row = self._table.current
        if row is None:
            return
        folder = row.folder
        if row.live:
            self._tell(f"{folder.name} is {row.state}; stop it before you delete it.")
            return
        size = size_text(size_on_disk(folder))

        def answered(yes: bool | None) -> None:
            if yes:
                self.run_worker(deferred(self._delete, folder), group="delete", exit_on_error=False)

        self.app.push_screen(
            Question(
                f"Delete {visible(folder.name)}?",
                f"Its folder with {size} goes, with its checkpoints, its log and its tuned model. "
                "It cannot be brought back.",
                "Delete it",
                "Keep it",
            ),
            answered,
        )

    async def _delete(self, folder: RunFolder) -> None:
        try:
            await asyncio.to_thread(delete_run, folder)
        except UserError as error:
            self._tell(error.sentence)
            return
        self._deleted.add(str(folder.path))
        self._show_rows()
        self._tell(f"{folder.name} is deleted.", "information")

    def _tell(self, sentence: str, severity: str = "warning") -> None:
        self.post_message(Told(sentence, severity))
