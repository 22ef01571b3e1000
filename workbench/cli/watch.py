"""workbench watch: follow a run as text."""

from __future__ import annotations

import argparse

from workbench.cli.command import StoppedError
from workbench.cli.follow import ALOUD, SILENT, Voice, follow_run, raise_if_failed
from workbench.cli.page import find_page, say_json
from workbench.core.places import find_workspace
from workbench.core.runs.facts import describe_run
from workbench.core.runs.folder import ENDED, RunFolder
from workbench.core.runs.listing import find_run
from workbench.core.runs.view import RunView


def run(given: argparse.Namespace) -> int:
    """Follow the run until it has ended; exit status 1 where it failed."""
    watch(find_run(given.run, find_workspace(given.workspace)), given.json)
    return 0


def watch(folder: RunFolder, as_json: bool) -> None:
    """Follow `folder` to its end, aloud, or with `as_json` only to its final document."""
    view = _follow(folder, SILENT if as_json else ALOUD)
    if as_json:
        say_json(describe_run(folder, view))
    raise_if_failed(folder, view)


def follow_to_end(folder: RunFolder, voice: Voice) -> RunView:
    """Follow `folder` with that voice, and return the run as it then stands; RunFailedError where it failed."""
    view = _follow(folder, voice)
    raise_if_failed(folder, view)
    return view


def _follow(folder: RunFolder, voice: Voice) -> RunView:
    try:
        return follow_run(folder, find_page(), voice)
    except KeyboardInterrupt:
        status = folder.read_status()
        state = status.state if status else "lost"
        raise StoppedError(
            f"The run {folder.name} is {state}."
            if state in ENDED
            else f"The run {folder.name} goes on; to stop it: workbench stop {folder.name}, "
            f"to follow it again: workbench watch {folder.name}"
        ) from None
