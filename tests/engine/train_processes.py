"""Trainers as real processes, forked from one that has imported torch already: half a second each instead of six."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import psutil

from workbench.core.recipe import Recipe, recipe_from_mapping
from workbench.core.runs.events import Event, EventReader
from workbench.core.runs.folder import ENDED, RunFolder

T = TypeVar("T")

SERVER = r"""
import json, os, sys
from workbench.engine.environment import prepare_environment
prepare_environment(1)
import workbench.engine.train.run
from workbench.engine.train.__main__ import main
print("ready", flush=True)
for line in sys.stdin:
    order = json.loads(line)
    pid = os.fork()
    if pid:
        print(pid, flush=True)
        continue
    os.setsid()
    log = os.open(order["folder"] + "/log.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0), os.dup2(log, 1), os.dup2(log, 2)
    if order["largest_file"]:
        import resource
        resource.setrlimit(resource.RLIMIT_FSIZE, (order["largest_file"], resource.RLIM_INFINITY))
    status = main([order["folder"]])
    with open(order["folder"] + "/exit-status", "w") as file:
        file.write(str(status))
    os._exit(status)
"""


def until(condition: Callable[[], T], what: str, seconds: float = 60.0) -> T:
    """What `condition` gives as soon as it is true; AssertionError after the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.01)


@dataclass
class Trainers:
    """Starts trainers, and ends those that a test left running."""

    server: subprocess.Popen[str]
    pids: list[int] = field(default_factory=list)

    def start(self, folder: RunFolder, largest_file: int = 0) -> int:
        """Start the trainer of a run; its process id. `largest_file`: bytes that a file may have, 0 for any."""
        assert self.server.stdin and self.server.stdout
        self.server.stdin.write(json.dumps({"folder": str(folder.path), "largest_file": largest_file}) + "\n")
        self.server.stdin.flush()
        pid = int(self.server.stdout.readline())
        self.pids.append(pid)
        return pid

    def finish(self, folder: RunFolder, largest_file: int = 0) -> list[Event]:
        """Train to the end; every event of the run."""
        pid = self.start(folder, largest_file)
        wait_for_end(pid)
        return events_of(folder)

    def end_all(self) -> None:
        for pid in self.pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.pids.clear()


def open_server() -> Trainers:
    """A process that trainers are forked from."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    server = subprocess.Popen(
        [sys.executable, "-c", "import signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n" + SERVER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert server.stdout and server.stdout.readline().strip() == "ready"
    return Trainers(server)


def wait_for_end(pid: int, seconds: float = 90.0) -> None:
    def gone() -> bool:
        return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE

    def gone_safely() -> bool:
        try:
            return gone()
        except psutil.NoSuchProcess:
            return True

    until(gone_safely, f"process {pid} to end", seconds)


def new_run(runs: Path, name: str, **sections: dict[str, Any]) -> RunFolder:
    """A run folder with a recipe of these sections, as `create_run` makes it."""
    from workbench.core.recipe import recipe_to_yaml

    recipe: Recipe = recipe_from_mapping(sections)
    folder = RunFolder(runs / name)
    folder.path.mkdir(parents=True)
    folder.recipe.write_text(recipe_to_yaml(recipe), encoding="utf-8")
    return folder


def events_of(folder: RunFolder, kind: str | None = None) -> list[Event]:
    """The run's events so far, of one kind or all."""
    return [event for event in EventReader(folder.events).read() if kind in (None, event["kind"])]


def losses_of(folder: RunFolder) -> dict[int, tuple[Any, ...]]:
    """What each step came to; where a step was made twice, the later one."""
    return {
        event["step"]: (event["loss"], event["grad_norm"], event["learning_rate"], event["tokens"])
        for event in events_of(folder, "step")
    }


def last_step(folder: RunFolder) -> int:
    """The step that the run has reached."""
    steps = events_of(folder, "step")
    return int(steps[-1]["step"]) if steps else 0


def wait_for_step(folder: RunFolder, step: int) -> None:
    until(lambda: last_step(folder) >= step, f"step {step} of {folder.name}")


def wait_for_state(folder: RunFolder, *states: str) -> str:
    def there() -> str | None:
        status = folder.read_status()
        return status.state if status and status.state in states else None

    return until(there, f"{folder.name} to be {' or '.join(states)}") or ""


__all__ = [
    "ENDED", "Trainers", "events_of", "last_step", "losses_of", "new_run", "open_server", "until", "wait_for_end",
    "wait_for_state", "wait_for_step",
]  # fmt: skip
