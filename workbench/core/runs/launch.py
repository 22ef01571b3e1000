"""Starting and resuming runs: a process of its own that outlives whoever started it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil

from workbench.core.errors import UserError
from workbench.core.places import Workspace
from workbench.core.recipe import Recipe, recipe_to_yaml
from workbench.core.runs.folder import ENDED, RunFolder, Status, write_control
from workbench.core.runs.named import with_runs_found
from workbench.core.runs.names import check_name, invent_name


def create_run(recipe: Recipe, workspace: Workspace, name: str | None = None) -> RunFolder:
    """A new run folder with its recipe; UserError where the name is taken or the folder cannot be written."""
    if name is not None:
        check_name(name)
    taken = {path.name for path in workspace.runs.iterdir()}
    while True:
        chosen = name or invent_name(taken)
        folder = RunFolder(workspace.runs / chosen)
        try:
            folder.path.mkdir()
        except FileExistsError:
            if name is None:
                taken.add(chosen)
                continue
            raise UserError(f"There is already a run named {name}; choose another name.") from None
        except OSError as error:
            raise UserError(f"The run cannot be made in {workspace.runs} ({error.strerror}).") from None
        break
    try:
        folder.recipe.write_text(recipe_to_yaml(with_runs_found(recipe, workspace)), encoding="utf-8")
        write_control(folder, "run")
    except OSError as error:
        import shutil

        shutil.rmtree(folder.path, ignore_errors=True)
        raise UserError(f"The run cannot be written to {workspace.runs} ({error.strerror}).") from None
    return folder


def launch_run(folder: RunFolder) -> subprocess.Popen[bytes]:
    """Start the trainer on a run folder, detached: own session, no standard input, output to the run's log.

    It starts from the newest checkpoint where there is one. The process goes on when the caller ends.
    """
    before = folder.read_status()
    if before is not None and before.state not in ENDED:
        raise UserError(f"The run {folder.name} is {before.state} already; stop it first.")
    environment = {
        **os.environ,
        "PYTHONUNBUFFERED": "1",
        "GOMP_SPINCOUNT": "1000",
        "TOKENIZERS_PARALLELISM": "false",
    }
    with folder.log.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "workbench.engine.train", str(folder.path)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            close_fds=True,
            env=environment,
            cwd=Path.home() if Path.home().is_dir() else None,
        )
    now = time.time()
    try:
        pid_started = psutil.Process(process.pid).create_time()
    except psutil.Error:
        pid_started = now
    folder.write_status(
        Status(
            state="queued",
            pid=process.pid,
            pid_started=pid_started,
            host=socket.gethostname(),
            step=before.step if before else 0,
            steps=before.steps if before else 0,
            started=before.started if before else now,
            heartbeat=now,
            seconds=before.seconds if before else 0.0,
        )
    )
    return process


def resume_run(folder: RunFolder) -> subprocess.Popen[bytes] | None:
    """Let a paused run go on, or start a stopped, failed or lost one again from its newest checkpoint.

    Returns the new process, or None where the run's own process goes on. UserError where it is finished.
    """
    status = folder.read_status()
    if status is not None and status.state == "finished":
        raise UserError(f"The run {folder.name} is finished; start a new one to train further.")
    write_control(folder, "run")
    if status is not None and status.state not in ENDED:
        return None
    return launch_run(folder)
