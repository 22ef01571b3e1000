"""The comparison of runs, from the facts that each left behind."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from workbench.core.errors import UserError
from workbench.core.recipe import Recipe, load_recipe, recipe_to_mapping
from workbench.core.runs.facts import read_facts, recipe_measured
from workbench.core.runs.folder import RunFolder
from workbench.core.words import count_text, loss_text, seconds_text, share_text, size_text, visible_text

FIGURES = (
    "trainable_parameters", "share", "adapter_bytes", "seconds", "tokens_per_second", "base_loss", "held_out_loss",
    "base_score", "score",
)  # fmt: skip

REMARKS = {
    "queued": "has not begun yet",
    "running": "is still running",
    "paused": "is paused",
    "failed": "failed",
    "lost": "is lost: its process is gone",
}


def compare_runs(folders: Sequence[RunFolder]) -> list[dict[str, Any]]:
    """A row a run: method, parameters, memory, time, losses and scores.

    Sizes in bytes, times in seconds, shares and scores from 0 to 1. A run that has left no facts yet has null for every
    figure and says why in `remark`, which is null otherwise.
    """
    return [_compare(folder) for folder in folders]


def _compare(folder: RunFolder) -> dict[str, Any]:
    status = folder.read_status()
    state = status.state if status else "lost"
    facts = read_facts(folder) if state in ("finished", "stopped") else {}
    recipe = _recipe(folder)
    memory = facts.get("memory") or {}
    figures = {key: facts.get(key) for key in FIGURES}
    row: dict[str, Any] = {
        "run": folder.name,
        "state": state,
        "model": recipe.model.path if recipe else facts.get("model"),
        "method": recipe.method.name if recipe else facts.get("method"),
        "memory_predicted": memory.get("predicted"),
        "memory_measured": memory.get("measured"),
        **figures,
        "scored": facts.get("scored"),
        "remark": None,
    }
    if not facts:
        row["remark"] = REMARKS.get(state, "has left no facts")
    elif state == "stopped":
        row["remark"] = f"was stopped after {count_text(status.step if status else facts.get('steps'))} steps"
    return row


def _recipe(folder: RunFolder) -> Recipe | None:
    try:
        return recipe_measured(load_recipe(folder.recipe), folder)
    except UserError:
        return None


def read_recipes(folders: Sequence[RunFolder]) -> list[Recipe | None]:
    """Each run's recipe; None where it cannot be read."""
    return [_recipe(folder) for folder in folders]


def differing_keys(recipes: Sequence[Recipe | None]) -> dict[str, list[str]]:
    """The keys in which recipes differ, each with its values in order; a dash where a recipe has no such key."""
    flat: list[dict[str, str]] = [
        {
            f"{section}.{key}": value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            for section, values in (recipe_to_mapping(recipe) if recipe else {}).items()
            for key, value in values.items()
        }
        for recipe in recipes
    ]
    keys = dict.fromkeys(key for values in flat for key in values)
    found = {key: [values.get(key, "–") for values in flat] for key in keys}
    return {key: values for key, values in found.items() if len(set(values)) > 1}


def reason_against(recipes: Sequence[Recipe | None]) -> str | None:
    """Why losses and scores of runs by these recipes do not say which is better, in a sentence; None where they do."""
    differing = differing_keys(recipes)
    deciding = ["data.source", "data.held_out", "data.template", "data.train_on"]
    if any(recipe is not None and not isinstance(recipe.data.held_out, str) for recipe in recipes):
        deciding.append("training.seed")  # it chooses the rows of a held-out share
    found = [key for key in deciding if key in differing]
    if not found:
        return None
    return f"The runs differ in {', '.join(found)}, so their held-out losses and scores are not of the same rows."


COLUMNS = (
    ("run", "run"),
    ("method", "method"),
    ("trained", "trainable_parameters"),
    ("share", "share"),
    ("result", "adapter_bytes"),
    ("predicted", "memory_predicted"),
    ("measured", "memory_measured"),
    ("time", "seconds"),
    ("tokens/s", "tokens_per_second"),
    ("base loss", "base_loss"),
    ("loss", "held_out_loss"),
    ("base score", "base_score"),
    ("score", "score"),
)
"""Heading and key of each column, in order; losses are held-out losses, predicted and measured are peaks of memory."""


def cell_text(key: str, value: Any) -> str:
    """One figure of a comparison as people read it."""
    if value is None:
        return "–"
    if key in ("share", "base_score", "score"):
        return share_text(value)
    if key in ("adapter_bytes", "memory_predicted", "memory_measured"):
        return size_text(value)
    if key in ("base_loss", "held_out_loss"):
        return loss_text(value)
    if key == "seconds":
        return seconds_text(value)
    if key in ("trainable_parameters", "tokens_per_second"):
        return count_text(value)
    return visible_text(str(value))


def comparison_markdown(rows: Sequence[dict[str, Any]]) -> str:
    """The whole comparison as a Markdown table, and a line for each remark."""
    lines = [
        "| " + " | ".join(heading for heading, _ in COLUMNS) + " |",
        "|" + "|".join("---" if key in ("run", "method") else "---:" for _, key in COLUMNS) + "|",
    ]
    for row in rows:
        cells = (cell_text(key, row.get(key)).replace("|", "\\|") for _, key in COLUMNS)
        lines.append("| " + " | ".join(cells) + " |")
    remarks = [f"- {row['run']} {row['remark']}." for row in rows if row.get("remark")]
    return "\n".join([*lines, "", *remarks] if remarks else lines) + "\n"
