"""The run folder: its files, its status, and what the user wants of it."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from workbench.core.files import read_json, write_json_atomically
from workbench.core.places import Workspace, find_workspace

STATES = ("queued", "running", "paused", "finished", "stopped", "failed", "lost")
ENDED = ("finished", "stopped", "failed", "lost")

SILENCE = 60.0
"""Seconds without a heartbeat after which a run on another machine counts as lost."""


@dataclass(frozen=True, slots=True)
class Status:
    """status.json: who runs it, and how far it is."""

    state: str
    pid: int
    pid_started: float
    """Start time of the process, seconds since the epoch, so that a reused pid is not taken for it."""
    host: str
    step: int
    steps: int
    started: float
    """When the run first started, seconds since the epoch."""
    heartbeat: float
    seconds: float
    """Time spent running so far, over all resumptions."""

    @property
    def alive(self) -> bool:
        """Whether the trainer's process is there."""
        import socket

        if self.host != socket.gethostname():
            return time.time() - self.heartbeat < SILENCE
        import psutil  # 17 ms, for runs that say they are live

        try:
            process = psutil.Process(self.pid)
            return abs(process.create_time() - self.pid_started) < 2.0 and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False


@dataclass(frozen=True, slots=True)
class RunFolder:
    """A run's folder; see the table in the README for its files."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def recipe(self) -> Path:
        return self.path / "recipe.yaml"

    @property
    def status_file(self) -> Path:
        return self.path / "status.json"

    @property
    def events(self) -> Path:
        return self.path / "events.jsonl"

    @property
    def control(self) -> Path:
        return self.path / "control.json"

    @property
    def log(self) -> Path:
        return self.path / "log.txt"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def adapter(self) -> Path:
        return self.path / "adapter"

    @property
    def model(self) -> Path:
        return self.path / "model"

    @property
    def report(self) -> Path:
        return self.path / "report.md"

    @property
    def result(self) -> Path | None:
        """The trained adapter or model, or None where the run has none yet."""
        for folder in (self.adapter, self.model):
            if folder.is_dir():
                return folder
        return None

    def read_status(self) -> Status | None:
        """The status as it stands: `lost` where it says running, paused or queued and its process is gone."""
        values = read_json(self.status_file)
        try:
            status = Status(**(values or {}))
        except TypeError:
            return None
        if status.state not in ENDED and not status.alive:
            return Status(**{**asdict(status), "state": "lost"})
        return status

    def write_status(self, status: Status) -> None:
        """Replace the status atomically (the trainer only)."""
        write_json_atomically(self.status_file, asdict(status))

    def newest_checkpoint(self) -> Path | None:
        """The complete checkpoint with the highest step, or None."""
        found = [
            (int(folder.name.removeprefix("step-")), folder)
            for folder in self.checkpoints.glob("step-*")
            if folder.name.removeprefix("step-").isdigit()
        ]
        return max(found)[1] if found else None


WANTS = ("run", "pause", "stop", "checkpoint")


def write_control(folder: RunFolder, want: str) -> None:
    """Say what the user wants: run, pause, stop, or one checkpoint now. The trainer reads it at every step."""
    if want not in WANTS:
        raise ValueError(want)
    write_json_atomically(folder.control, {"want": want, "at": time.time_ns()})


def read_control(folder: RunFolder) -> tuple[str, int]:
    """What is wanted, and when it was said (nanoseconds; tells one request from the next); `run` where nothing is."""
    values: Any = read_json(folder.control)
    if isinstance(values, dict) and values.get("want") in WANTS and isinstance(values.get("at"), int):
        return values["want"], values["at"]
    return "run", 0


def workspace_of(folder: RunFolder) -> Workspace:
    """The workspace that holds a run, for its caches; the default one where the run lies elsewhere."""
    parent = folder.path.absolute().parent
    return Workspace(parent.parent) if parent.name == "runs" else find_workspace()
