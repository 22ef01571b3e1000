"""Following a run: its new events and its status, read from its folder."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.core.places import Workspace
from workbench.core.runs.events import Event, EventReader
from workbench.core.runs.folder import ENDED, RunFolder, Status
from workbench.core.runs.listing import RunSummary, list_runs, summarise_run
from workbench.core.runs.view import RunView

CHUNK = 500
"""Events that are taken in at once; a long run is read in several bites, so that keys stay quick meanwhile."""


@dataclass
class Follower:
    """The run that the app follows, as far as it has been read."""

    folder: RunFolder
    view: RunView
    status: Status | None
    reader: EventReader
    waiting: list[Event]

    def read_on(self) -> bool:
        """Take in what is new, at most CHUNK events; whether anything has changed."""
        if not self.waiting:
            self.waiting = self.reader.read()
        bite, self.waiting = self.waiting[:CHUNK], self.waiting[CHUNK:]
        before = (self.view, self.status)
        for event in bite:
            try:
                self.view = self.view.after(event)
            except (KeyError, TypeError, ValueError):  # a line that is JSON, but not what its kind promises
                continue
        self.status = _still(self.folder.read_status(), self.status)
        return (self.view, self.status) != before if not bite else True

    @property
    def behind(self) -> bool:
        """Whether events are waiting to be taken in."""
        return bool(self.waiting)


def _still(now: Status | None, before: Status | None) -> Status | None:
    """The new status, or the one before where nothing that is shown has changed (a heartbeat is not shown)."""
    if now is None or before is None:
        return now
    same = (now.state, now.step, now.steps, now.pid, now.started) == (
        before.state, before.step, before.steps, before.pid, before.started,
    )  # fmt: skip
    return before if same else now


def follow(folder: RunFolder) -> Follower:
    """A follower at the start of a run's events."""
    return Follower(folder, RunView(), folder.read_status(), EventReader(folder.events), [])


def live_run(runs: tuple[RunSummary, ...]) -> RunFolder | None:
    """The newest run that is going on, or None."""
    return next((run.folder for run in runs if run.state not in ENDED), None)


def refresh_runs(workspace: Workspace, known: tuple[RunSummary, ...]) -> tuple[RunSummary, ...]:
    """Every run, newest first; recipes never change, so only those of unknown runs are read."""
    by_path = {run.folder.path: run for run in known}
    try:
        there = {path for path in workspace.runs.iterdir() if (path / "recipe.yaml").is_file()}
    except OSError:
        return ()
    if not known or not there <= set(by_path):
        if not known:
            return tuple(list_runs(workspace))
        for path in there - set(by_path):
            by_path[path] = summarise_run(RunFolder(path))
    found = [_with_status(run) for path, run in by_path.items() if path in there]
    found.sort(key=lambda run: run.status.started if run.status else 0.0, reverse=True)
    return tuple(found)


def _with_status(run: RunSummary) -> RunSummary:
    status = _still(run.folder.read_status(), run.status)
    if status is run.status:
        return run
    return RunSummary(run.folder, status, run.recipe, run.problem)
