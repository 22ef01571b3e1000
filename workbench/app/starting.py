"""Starting a run: what stands against it, and what has to be asked first."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass

from workbench.app.reading import DataState
from workbench.core.errors import UserError
from workbench.core.memory.advice import Advice, advise
from workbench.core.memory.estimate import Estimate
from workbench.core.memory.row_shape import RowShape
from workbench.core.memory.traced import Traced, find_traced, judge_traced
from workbench.core.methods.counted import is_counted
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
    if not is_counted(recipe.method, skeleton):
        return "What this method trains is being counted; start once the count is there."
    return recipe.method.facts.reason_against(skeleton, recipe.method.knobs)


def doubts(
    estimate: Estimate | None,
    runs: tuple[RunSummary, ...],
    advice: tuple[Advice, ...] = (),
    traced: Traced | None = None,
) -> list[Doubt]:
    """What to ask first: a run that does not fit, by formula or trace, and one that would share the machine."""
    found = []
    if estimate is not None:
        needs = _too_much(estimate, traced)
        if needs:
            found.append(Doubt("Start anyway", f"{needs} {_best_change(advice)}", "Start it anyway"))
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


def _too_much(estimate: Estimate, traced: Traced | None) -> str:
    """What the run would need where it does not fit, in words; empty where it does."""
    device = estimate.device
    room = f"{size_text(device.free)} of {size_text(device.total)} are free. It will probably stop for want of memory."
    if estimate.verdict == "does not fit":
        return f"This run would need about {size_text(estimate.process)}, and {room}"
    if traced is not None and judge_traced(estimate, traced) == "does not fit":
        tensors = f"{size_text(traced.allocated)} of tensors, more than the formula's {size_text(estimate.allocated)}"
        return f"This run would need {tensors}, as the trace of the real model says, and {room}"
    return ""


def _best_change(advice: tuple[Advice, ...]) -> str:
    """The first piece of advice, and where it is applied."""
    if not advice:
        return "No change that is known would make it smaller."
    best = advice[0]
    then = {"fits": "then it fits", "tight": "then it fits tightly"}.get(best.verdict, "which is not enough alone")
    change = best.change if not best.change.startswith("all together") else best.change.partition(": ")[2]
    return (
        f"The best change: {change}. It saves {size_text(best.memory)}, {then}. "
        "The memory pane (3) makes it with a, and lists the others."
    )


def advice_where_needed(
    estimate: Estimate | None, recipe: Recipe, skeleton: Skeleton | None, rows: RowShape | None
) -> tuple[Advice, ...]:
    """What would make the run smaller; nothing where there is no estimate."""
    if estimate is None or skeleton is None:
        return ()
    try:
        return advise(recipe, skeleton, estimate.device, rows)
    except UserError:
        return ()


def known_trace(
    estimate: Estimate | None, recipe: Recipe, rows: RowShape | None, workspace: Workspace
) -> Traced | None:
    """The trace of this recipe, where one has been made."""
    try:
        return None if estimate is None else find_traced(recipe, rows, estimate.device, workspace)
    except (UserError, OSError):
        return None


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
