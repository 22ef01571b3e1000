"""A run's facts: what it was and what came of it, for tables, documents and the report."""

from __future__ import annotations

from typing import Any

from workbench.core.errors import UserError
from workbench.core.files import read_json
from workbench.core.recipe import Recipe, change_recipe, load_recipe
from workbench.core.runs.events import EventReader
from workbench.core.runs.folder import RunFolder
from workbench.core.runs.view import RunView

FACTS = "facts.json"

MEASURED_ON = "measured_on"
"""In the facts of an imported run: the keys of a recipe that say on what its losses and scores were measured since."""

KEYS = (
    "run", "state", "model", "method", "steps", "seconds", "tokens", "trained_tokens", "loss", "held_out_loss",
    "base_loss", "score", "base_score", "scored", "memory", "tokens_per_second", "adapter_bytes",
    "trainable_parameters", "total_parameters", "share", "learning_rate",
)  # fmt: skip
"""What every run's document has, null where it is not known."""


def read_facts(folder: RunFolder) -> dict[str, Any]:
    """The facts that the trainer left at the end; empty where there are none yet."""
    values = read_json(folder.path / FACTS)
    return values if isinstance(values, dict) else {}


def read_view(folder: RunFolder) -> RunView:
    """The run as its events tell it so far."""
    return RunView().after_all(EventReader(folder.events).read())


def recipe_measured(recipe: Recipe, folder: RunFolder) -> Recipe:
    """A run's recipe; an imported run's with the data that its losses and scores were measured on since."""
    measured_on = read_facts(folder).get(MEASURED_ON)
    try:
        return change_recipe(recipe, measured_on) if isinstance(measured_on, dict) else recipe
    except UserError:
        return recipe


def describe_run(folder: RunFolder, view: RunView | None = None) -> dict[str, Any]:
    """One run as a document: its facts, or for a run without them what its events and its recipe say.

    Sizes in bytes, times in seconds, shares from 0 to 1; `memory` is {"predicted", "measured"}, both peaks.
    """
    status = folder.read_status()
    state = status.state if status else "lost"
    facts = read_facts(folder)
    if facts and state in ("finished", "stopped"):
        return {**dict.fromkeys(KEYS), **facts, "run": folder.name, "state": state}
    seen = view or read_view(folder)
    started, last, memory = seen.started or {}, seen.last_step or {}, seen.memory or {}
    document = {
        **dict.fromkeys(KEYS),
        "run": folder.name,
        "state": state,
        "steps": status.step if status else seen.step,
        "seconds": status.seconds if status else seen.seconds,
        "tokens": last.get("tokens"),
        "trained_tokens": last.get("trained_tokens"),
        "loss": seen.loss.last,
        "held_out_loss": seen.held_out_loss,
        "base_loss": seen.base_loss,
        "score": seen.score,
        "base_score": seen.base_score,
        "scored": seen.scored or None,
        "memory": {"predicted": started.get("predicted_memory"), "measured": measured_memory(memory)},
        "trainable_parameters": started.get("trainable_parameters"),
        "total_parameters": started.get("total_parameters"),
        "share": started.get("share"),
        "learning_rate": started.get("learning_rate"),
    }
    try:
        recipe = load_recipe(folder.recipe)
    except UserError:
        return document
    return {**document, "model": recipe.model.path, "method": recipe.method.name}


def measured_memory(event: dict[str, Any]) -> int | None:
    """The measured peak in a memory event, bytes: what a GPU's allocator reserved, else the whole process.

    The same that the estimate's `predicted` is about; tensors alone where an old run counted nothing else.
    """
    value = event.get("reserved") or event.get("process") or event.get("allocated")
    return int(value) if isinstance(value, (int, float)) else None
