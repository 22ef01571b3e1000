"""Starting a run: what stands against it, and what has to be asked first."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass

from workbench.app.reading import DataState
from workbench.core.errors import UserError
from workbench.core.memory.estimate import Estimate
from workbench.core.models.skeleton import Skeleton
from workbench.core.places import Workspace
from workbench.core.recipe import Recipe
from workbench.core.runs.folder import ENDED, RunFolder
from workbench.core.runs.launch import create_run, launch_run
from workbench.core.runs.listing import RunSummary
from workbench.core.words import size_text


@dataclass(frozen=True, slots=True)
class Doubt:
    """Something to ask before a run is started."""

    title: str
    sentence: str
    yes: str


def reason_not_to_start(recipe: Recipe, skeleton: Skeleton | None, model_note: str, data: DataState) -> str | None:
    """What is known to make the run fail at once, in one sentence; None where nothing is."""
    if data.problem:
        return data.problem
    if skeleton is None:
        return f"{model_note.rstrip('.')}." if model_note else None
    return recipe.method.facts.reason_against(skeleton, recipe.method.knobs)


def doubts(estimate: Estimate | None, runs: tuple[RunSummary, ...]) -> list[Doubt]:
    """What to ask first: a run that does not fit, and one that would share the machine with another."""
    found = []
    if estimate is not None and estimate.verdict == "does not fit":
        found.append(
            Doubt(
                "Start anyway",
                f"This run would need about {size_text(estimate.process)}, and {size_text(estimate.device.free)} of "
                f"{size_text(estimate.device.total)} are free. It will probably stop for want of memory. "
                "The memory pane (3) lists what would make it fit.",
                "Start it anyway",
            )
        )
    live = [run.folder.name for run in runs if run.state not in ENDED]
    if live:
        found.append(
            Doubt(
                "Start a second run",
                f"The run {live[0]} is going on. Two runs at once share this machine, and both take longer.",
                "Start a second one",
            )
        )
    return found


def start_run(recipe: Recipe, workspace: Workspace) -> tuple[RunFolder, subprocess.Popen[bytes]]:
    """A new run of the recipe, on its way in a process of its own. UserError where it cannot be written or started."""
    try:
        folder = create_run(recipe, workspace)
        return folder, launch_run(folder)
    except OSError as error:
        raise UserError(
            f"The run cannot be started in {workspace.runs} ({error.strerror or error}); check that the folder is "
            "there and has room."
        ) from None
