"""The app's half that holds the runs: starting one, following one, and saying what is wanted of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.reactive import reactive

from workbench.app.messages import ControlRequested, RunChosen, StartRequested
from workbench.app.recipe_desk import LATER, RecipeDesk
from workbench.core.errors import UserError
from workbench.core.places import Workspace

if TYPE_CHECKING:
    import subprocess

    from workbench.app.following import Follower
    from workbench.app.starting import Doubt
    from workbench.core.runs.folder import RunFolder, Status
    from workbench.core.runs.listing import RunSummary
    from workbench.core.runs.view import RunView

TICK = 0.5
"""Seconds between two looks at the followed run."""

LOOK_AROUND = 8
"""Ticks between two looks at the list of runs."""


class RunDesk(RecipeDesk):
    """Runs live in their folders; the app only reads them and writes what is wanted."""

    followed: reactive[RunFolder | None] = reactive(None, repaint=False)
    view: reactive[RunView] = reactive(LATER, repaint=False)
    status: reactive[Status | None] = reactive(None, repaint=False)
    runs: reactive[tuple[RunSummary, ...]] = reactive((), repaint=False)

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace)
        self._follower: Follower | None = None
        self._started: list[subprocess.Popen[bytes]] = []
        self._ticks = 0

    def find_runs(self) -> RunFolder | None:
        """List the runs and follow the newest live one, else the newest; returns the live one."""
        from workbench.app.following import live_run, refresh_runs
        from workbench.core.runs.view import RunView

        self.view = RunView()
        self.runs = refresh_runs(self.workspace, ())
        live = live_run(self.runs)
        chosen = live or (self.runs[0].folder if self.runs else None)
        if chosen is not None:
            self.follow(chosen)
        self.set_interval(TICK, self._tick)
        return live

    def follow(self, folder: RunFolder) -> None:
        """Follow this run from now on."""
        from workbench.app.following import follow

        self._follower = follow(folder)
        self.followed = folder
        self._read_on()

    def _tick(self) -> None:
        self._ticks += 1
        self._started = [process for process in self._started if process.poll() is None]
        self._read_on()
        if self._ticks % LOOK_AROUND == 0:
            self.look_at_runs()

    def look_at_runs(self) -> None:
        """List the runs anew."""
        from workbench.app.following import refresh_runs

        self.runs = refresh_runs(self.workspace, self.runs)

    def _read_on(self) -> None:
        follower = self._follower
        if follower is None:
            return
        before = self.status.state if self.status and self.followed == follower.folder else ""
        follower.read_on()
        if follower.behind:
            self.set_timer(0.02, self._read_on)
        self.view = follower.view
        self.status = follower.status
        now = follower.status.state if follower.status else "lost"
        if before and before != now:
            self._state_changed(follower.folder, now)

    def _state_changed(self, folder: RunFolder, state: str) -> None:
        from workbench.core.runs.folder import ENDED

        self.look_at_runs()
        if state not in ENDED:
            return
        self.look_at_device()
        words = {
            "finished": "is finished. 5 opens the chat with base and tuned.",
            "failed": "has failed. The monitor (4) says why.",
            "lost": "is lost: its process is gone. It can be resumed from its last checkpoint.",
        }
        if state in words:
            self.tell(f"{folder.name} {words[state]}", "information" if state == "finished" else "error")

    # what the panes ask for

    def on_start_requested(self, event: StartRequested) -> None:
        event.stop()
        self.ask_and_start()

    def action_start(self) -> None:
        self.ask_and_start()

    def ask_and_start(self) -> None:
        """Start a run of the recipe, after the questions that have to be asked."""
        from workbench.app.starting import advice_where_needed, doubts, known_trace, reason_not_to_start

        reason = reason_not_to_start(self.recipe, self.skeleton, self.model_note, self.data_state)
        if reason:
            self.tell(reason, "error")
            return
        self.look_at_runs()
        rows = self.data_state.rows
        traced = known_trace(self.estimate, self.recipe, rows, self.workspace)
        advice = advice_where_needed(self.estimate, self.recipe, self.skeleton, rows)
        self._ask(doubts(self.estimate, self.runs, advice, traced))

    def _ask(self, rest: list[Doubt]) -> None:
        if not rest:
            self._start()
            return
        from workbench.app.screens.question import Question

        doubt, *others = rest

        def answered(yes: bool | None) -> None:
            if yes:
                self._ask(others)

        self.push_screen(Question(doubt.title, doubt.sentence, doubt.yes, "Not now"), answered)

    def _start(self) -> None:
        from workbench.app.starting import start_run

        try:
            folder, process = start_run(self.recipe, self.workspace)
        except UserError as error:
            self.tell(error.sentence, "error")
            return
        self._started.append(process)
        self.look_at_runs()
        self.follow(folder)
        self.run_started()

    def run_started(self) -> None:
        """A run was started and is followed now."""

    def on_run_chosen(self, event: RunChosen) -> None:
        event.stop()
        self.follow(event.folder)
        self.run_started()

    def on_control_requested(self, event: ControlRequested) -> None:
        event.stop()
        self.control(event.want)

    def control(self, want: str) -> None:
        """Say what is wanted of the followed run; `run` also starts one again that has stopped or was lost."""
        from workbench.core.runs.folder import write_control
        from workbench.core.runs.launch import resume_run

        folder = self.followed
        if folder is None:
            self.tell("There is no run yet; s starts one.", "warning")
            return
        try:
            if want == "run":
                process = resume_run(folder)
                if process is not None:
                    self._started.append(process)
            else:
                write_control(folder, want)
        except UserError as error:
            self.tell(error.sentence, "error")
        except OSError as error:
            self.tell(f"The run {folder.name} cannot be told ({error.strerror or error}).", "error")
        self._read_on()
        self.look_at_runs()
