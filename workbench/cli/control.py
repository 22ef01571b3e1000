"""workbench pause, resume, stop, checkpoint: saying what is wanted of a run, and waiting a little to see it done."""

from __future__ import annotations

import argparse
import time

from workbench.cli.command import StoppedError
from workbench.cli.page import say, say_json
from workbench.core.errors import UserError
from workbench.core.places import find_workspace
from workbench.core.runs.folder import ENDED, RunFolder, Status, write_control
from workbench.core.runs.launch import resume_run
from workbench.core.runs.listing import find_run

PATIENCE = 20.0
"""Seconds to wait for the trainer's obedience; its start alone can take twelve."""


def run(given: argparse.Namespace) -> int:
    """Do what the verb says."""
    folder = find_run(given.run, find_workspace(given.workspace))
    try:
        sentence = {"pause": _pause, "resume": _resume, "stop": _stop, "checkpoint": _checkpoint}[given.verb](folder)
    except KeyboardInterrupt:
        raise StoppedError(f"The run {folder.name} has been told; workbench runs shows what it does.") from None
    status = folder.read_status()
    if given.json:
        newest = folder.newest_checkpoint()
        say_json({
            "run": folder.name,
            "state": status.state if status else "lost",
            "step": status.step if status else 0,
            "steps": status.steps if status else 0,
            "checkpoint": newest.name if newest else None,
        })  # fmt: skip
    else:
        say(sentence)
    return 0


def _pause(folder: RunFolder) -> str:
    status = _alive(folder, "pause")
    if status.state == "paused":
        return f"{folder.name} is paused already, at step {status.step}."
    write_control(folder, "pause")
    status = _wait(folder, "paused")
    if status.state == "paused":
        return f"{folder.name} is paused at step {status.step}; to go on: workbench resume {folder.name}"
    return _not_yet(folder, status, "pause")


def _stop(folder: RunFolder) -> str:
    _alive(folder, "stop")
    write_control(folder, "stop")
    status = _wait(folder, "stopped")
    if status.state == "stopped":
        return f"{folder.name} is stopped at step {status.step}; to go on: workbench resume {folder.name}"
    return _not_yet(folder, status, "stop")


def _resume(folder: RunFolder) -> str:
    status = folder.read_status()
    if status is not None and status.state in ("running", "queued"):
        return f"{folder.name} is {status.state} already."
    checkpoint = folder.newest_checkpoint()
    if resume_run(folder) is None:
        status = _wait(folder, "running")
        return f"{folder.name} goes on at step {status.step}; to follow it: workbench watch {folder.name}"
    begin = "from the start, as it has no checkpoint"
    if checkpoint:
        begin = f"from step {checkpoint.name.removeprefix('step-')}"
    return f"{folder.name} is taken up again {begin}; to follow it: workbench watch {folder.name}"


def _checkpoint(folder: RunFolder) -> str:
    _alive(folder, "write a checkpoint of")
    before = folder.newest_checkpoint()
    write_control(folder, "checkpoint")
    deadline = time.monotonic() + PATIENCE
    while True:
        status, newest = _status(folder), folder.newest_checkpoint()
        at = newest.name.removeprefix("step-") if newest else ""
        if newest != before or (status.state == "paused" and at == str(status.step)):
            return f"{folder.name} has a checkpoint at step {at}."
        if status.state in ENDED or time.monotonic() > deadline:
            return _not_yet(folder, status, "write a checkpoint")
        time.sleep(0.1)


def _alive(folder: RunFolder, what: str) -> Status:
    """The status of a run that has not ended; UserError where there is nothing to `what`."""
    status = folder.read_status()
    if status is None:
        raise UserError(f"The run {folder.name} was never started; there is nothing to {what}.")
    if status.state in ENDED:
        hint = f"; to take it up again: workbench resume {folder.name}" if status.state != "finished" else ""
        raise UserError(f"The run {folder.name} is {status.state}; there is nothing to {what}{hint}.")
    return status


def _wait(folder: RunFolder, state: str) -> Status:
    """The status once it is `state` or has ended, or as it stands when patience is at an end."""
    deadline = time.monotonic() + PATIENCE
    while True:
        status = _status(folder)
        if status.state == state or status.state in ENDED or time.monotonic() > deadline:
            return status
        time.sleep(0.1)


def _status(folder: RunFolder) -> Status:
    status = folder.read_status()
    if status is None:
        raise UserError(f"The status of the run {folder.name} cannot be read.")
    return status


def _not_yet(folder: RunFolder, status: Status, what: str) -> str:
    if status.state in ENDED:
        return f"{folder.name} is {status.state} already, at step {status.step}."
    return f"{folder.name} is still {status.state}; it has been asked to {what} and will after the step in work."
