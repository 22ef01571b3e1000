"""workbench runs: every run with its state."""

from __future__ import annotations

import argparse
import time

from workbench.cli.page import find_page, say, say_json
from workbench.core.places import find_workspace
from workbench.core.runs.listing import RunSummary, list_runs
from workbench.core.words import seconds_text, visible_text


def run(given: argparse.Namespace) -> int:
    """Print them, newest first."""
    workspace = find_workspace(given.workspace)
    runs = list_runs(workspace)
    if given.json:
        say_json([run.to_json() for run in runs])
        return 0
    if not runs:
        say(f"There are no runs in {visible_text(str(workspace.root))} yet. The first one: workbench demo")
        return 0
    page = find_page()
    headers = ("run", "state", "model", "method", "step", "started", "running time")
    for line in page.table(headers, [_row(run) for run in runs], "llllrlr"):
        say(line)
    for run in runs:
        if run.problem:
            say(f"{run.folder.name}: {visible_text(run.problem)}")
    lost = [run.folder.name for run in runs if run.state == "lost"]
    if lost:
        say(f"A lost run's process is gone; it can be taken up again: workbench resume {lost[0]}")
    return 0


def _row(run: RunSummary) -> list[str]:
    status = run.status
    model = run.recipe.model.path if run.recipe else "?"
    return [
        run.folder.name,
        run.state,
        visible_text(model if len(model) < 40 else "…" + model[-39:]),
        run.recipe.method.name if run.recipe else "?",
        f"{status.step}/{status.steps}" if status else "0/0",
        time.strftime("%Y-%m-%d %H:%M", time.localtime(status.started)) if status else "",
        seconds_text(status.seconds) if status else "",
    ]
