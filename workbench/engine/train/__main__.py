"""`python -m workbench.engine.train RUNFOLDER`."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from workbench.core.errors import RunFailedError, UserError
from workbench.core.places import stay_in
from workbench.core.recipe import load_recipe
from workbench.core.runs.folder import ENDED, RunFolder, workspace_of
from workbench.engine.environment import be_nice, needs_bitsandbytes, prepare_environment
from workbench.engine.train.controls import Controls, StopAskedError
from workbench.engine.train.heartbeat import Clock, Heartbeat
from workbench.engine.train.journal import Journal

LOCK_WAIT = 30.0
"""Seconds that a trainer waits for a killed one to be gone: its last write to a slow disk holds it, and its lock."""


def main(arguments: list[str]) -> int:
    """Train; exit status 0 where the run finished or was stopped, 1 where it failed, 2 for a wrong call."""
    began = time.perf_counter()
    if len(arguments) != 1 or not (Path(arguments[0]) / "recipe.yaml").is_file():
        sys.stderr.write("Name one run folder that holds a recipe.yaml: python -m workbench.engine.train RUNFOLDER\n")
        return 2
    folder = RunFolder(Path(arguments[0]).absolute())
    controls = Controls(folder)
    controls.listen()
    rank = int(os.environ.get("RANK", "0"))
    with _alone(folder, rank) as alone:
        if not alone:
            sys.stderr.write(f"The run {folder.name} has a trainer already.\n")
            return 2
        be_nice()
        before = folder.read_status()
        clock = Clock(before.seconds if before else 0.0)
        heartbeat = Heartbeat(folder, clock, silent=rank != 0)
        heartbeat.start()
        journal = Journal(folder.events, silent=rank != 0)
        state, text = _execute(folder, journal, heartbeat, controls, began)
        clock.stop()
        journal.write("end", heartbeat.step, state=state, text=text)
        journal.close()
        heartbeat.stop(state)
        _say(text)
        return 1 if state == "failed" else 0


def _execute(
    folder: RunFolder, journal: Journal, heartbeat: Heartbeat, controls: Controls, began: float
) -> tuple[str, str]:
    """Run, and say how it ended: the state, and a sentence. A traceback goes to the log alone."""
    try:
        workspace = workspace_of(folder)
        stay_in(workspace)
        recipe = load_recipe(folder.recipe)
        prepare_environment(recipe.training.threads, needs_bitsandbytes(recipe, workspace))
        from workbench.engine.train.setup import Phases

        phases = Phases()
        with phases.time("imports"):
            import torch

            from workbench.engine.train.run import Run

        phases.seconds["imports"] = round(time.perf_counter() - began, 3)
        torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
        gc.freeze()  # imports leave a million objects that no collection need look at again
        run = Run(folder, recipe, journal, heartbeat, controls, int(os.environ.get("WORLD_SIZE", "1")), phases)
        state = run.execute()
    except StopAskedError:
        return "stopped", f"Stopped before step {heartbeat.step + 1}."
    except Exception as error:  # whatever it is, a person gets a sentence
        from workbench.engine.failures import sentence_for

        _say(traceback.format_exc())
        details = error.details if isinstance(error, (UserError, RunFailedError)) else ""
        if details:
            _say(details)
        return "failed", sentence_for(error)
    return state, f"{state.capitalize()} after {heartbeat.step} steps."


@contextlib.contextmanager
def _alone(folder: RunFolder, rank: int) -> Any:
    """Whether this is the run's only trainer; a lock on a hidden file that ends with the process."""
    try:
        import fcntl
    except ImportError:  # no such locks on Windows
        yield True
        return
    try:
        file = (folder.path / ".lock").open("w", encoding="ascii")
    except OSError:
        yield True  # the disk is full or read-only: what follows says so
        return
    with file:
        until = time.monotonic() + LOCK_WAIT
        while rank == 0:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > until or _has_other_trainer(folder):
                    yield False
                    return
                time.sleep(0.1)
                continue
            except OSError:
                pass  # a network file system without locks
            break
        yield True


def _has_other_trainer(folder: RunFolder) -> bool:
    """Whether the status names another trainer that is alive."""
    status = folder.read_status()
    return status is not None and status.state not in ENDED and status.pid != os.getpid()


def _say(text: str) -> None:
    with contextlib.suppress(OSError):
        print(text, flush=True)  # noqa: T201


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
