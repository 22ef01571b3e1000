"""What would make a run smaller: concrete changes to the recipe, each with what it saves and what it costs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from workbench.core.errors import UserError
from workbench.core.memory.device import Device
from workbench.core.memory.estimate import Estimate, estimate_memory
from workbench.core.memory.loop import TRAINER, Loop
from workbench.core.memory.row_shape import RowShape
from workbench.core.methods.counted import is_counted
from workbench.core.models.skeleton import Skeleton
from workbench.core.recipe import Recipe, change_recipe


@dataclass(frozen=True, slots=True)
class Advice:
    """One change and its effect."""

    change: str
    settings: dict[str, Any]
    """The recipe's keys that it sets."""
    memory: int
    """Bytes less at the peak."""
    time: str
    """What it costs in time, in words."""
    verdict: str
    """Whether the run fits with this change: fits, tight, or does not fit."""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


VERDICTS = ("fits", "tight", "does not fit")

MOST_CHANGES = 12
"""Changes that are tried together."""


def advise(
    recipe: Recipe, skeleton: Skeleton, device: Device, rows: RowShape | None = None, loop: Loop = TRAINER
) -> tuple[Advice, ...]:
    """Changes that save memory on this run, each estimated, not guessed.

    Where the run does not fit, those that make it fit come first; where no single one does, several together do, if
    any do. Else the largest saving comes first.
    """
    now = estimate_memory(recipe, skeleton, device, rows, loop)
    found = []
    for change, settings, time in _changes(recipe):
        then = _estimate(recipe, settings, skeleton, device, rows, loop)
        if then is not None and now.reserved - then.reserved > 0.01 * now.allocated:
            found.append(Advice(change, settings, now.reserved - then.reserved, time, then.verdict))
    found.sort(key=lambda advice: advice.memory, reverse=True)
    if now.verdict != "does not fit":
        return tuple(found)
    if all(advice.verdict == "does not fit" for advice in found):
        together = _together(recipe, skeleton, device, rows, loop)
        return (*((together,) if together else ()), *found)
    return tuple(sorted(found, key=lambda advice: VERDICTS.index(advice.verdict)))


def _estimate(
    recipe: Recipe, settings: dict[str, Any], skeleton: Skeleton, device: Device, rows: RowShape | None, loop: Loop
) -> Estimate | None:
    try:
        changed = change_recipe(recipe, settings)
        if not is_counted(changed.method, skeleton):  # advice starts no process
            return None
        return estimate_memory(changed, skeleton, device, rows, loop)
    except UserError:
        return None


def _together(recipe: Recipe, skeleton: Skeleton, device: Device, rows: RowShape | None, loop: Loop) -> Advice | None:
    """The largest savings one after the other until the run fits; rows are shortened last. None where none help."""
    start = now = estimate_memory(recipe, skeleton, device, rows, loop)
    taken: dict[str, tuple[str, str]] = {}
    settings: dict[str, Any] = {}
    for _ in range(MOST_CHANGES):
        changed = change_recipe(recipe, settings)
        best = None
        for change, more, time in _changes(changed):
            then = _estimate(recipe, {**settings, **more}, skeleton, device, rows, loop)
            if then is None or then.reserved >= now.reserved:
                continue
            order = ("data.max_length" in more, then.reserved)
            if best is None or order < best[0]:
                best = (order, change, more, time, then)
        if best is None:
            return None
        _, change, more, time, now = best
        taken[",".join(sorted(more)) if "method.name" not in more else "method"] = (change, time)
        settings = {**settings, **more}
        if now.verdict != "does not fit":
            words = [change for change, _ in taken.values()]
            costs = dict.fromkeys(time for _, time in taken.values() if time != "about as fast")
            change = "all together: " + ", ".join(words) if len(words) > 1 else words[0]
            return Advice(change, settings, start.reserved - now.reserved, ", ".join(costs), now.verdict)
    return None


def _changes(recipe: Recipe) -> list[tuple[str, dict[str, Any], str]]:
    training, knobs = recipe.training, recipe.method.knobs
    changes: list[tuple[str, dict[str, Any], str]] = []
    if not training.gradient_checkpointing:
        changes.append(
            (
                "recompute activations in the backward pass",
                {"training.gradient_checkpointing": True},
                "about a third slower",
            )
        )
    if training.micro_batch > 1:
        half = next(size for size in range(training.micro_batch // 2, 0, -1) if training.effective_batch % size == 0)
        changes.append(
            (f"micro-batch {half} with accumulation", {"training.micro_batch": half}, "slower where the device idles")
        )
    if recipe.data.max_length >= 64:
        half = recipe.data.max_length // 2
        changes.append((f"rows of at most {half} tokens", {"data.max_length": half}, "longer rows are left out"))
    if recipe.method.name == "full":
        changes.append(("LoRA instead of every weight", {"method.name": "lora"}, "about as fast"))
    if recipe.method.name == "lora":
        changes.append(("a base in 4-bit numbers (QLoRA)", {"method.name": "qlora", **_kept(knobs)}, "slower"))
    if "rank" in knobs and int(knobs["rank"]) > 1:
        half = int(knobs["rank"]) // 2
        changes.append((f"rank {half}", {"method.rank": half}, "about as fast"))
    if training.optimizer == "adamw":
        changes.append(("optimizer states in 8 bits", {"training.optimizer": "adamw_8bit"}, "about as fast"))
    return changes


def _kept(knobs: Any) -> dict[str, Any]:
    return {f"method.{name}": value for name, value in knobs.items()}
