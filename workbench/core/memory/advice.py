"""What would make a run smaller: concrete changes to the recipe, each with what it saves and what it costs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from workbench.core.errors import UserError
from workbench.core.memory.device import Device
from workbench.core.memory.estimate import estimate_memory
from workbench.core.memory.row_shape import RowShape
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

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def advise(recipe: Recipe, skeleton: Skeleton, device: Device, rows: RowShape | None = None) -> tuple[Advice, ...]:
    """Changes that save memory on this run, the largest saving first; each is estimated, not guessed."""
    now = estimate_memory(recipe, skeleton, device, rows)
    found = []
    for change, settings, time in _changes(recipe):
        try:
            then = estimate_memory(change_recipe(recipe, settings), skeleton, device, rows)
        except UserError:
            continue
        saved = now.reserved - then.reserved
        if saved > 0.01 * now.allocated:
            found.append(Advice(change, settings, saved, time))
    return tuple(sorted(found, key=lambda advice: advice.memory, reverse=True))


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
