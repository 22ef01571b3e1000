"""workbench score: a run's base and result on the held-out rows of any data."""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from workbench.cli.engine import last_line, run_engine
from workbench.cli.page import say, say_json
from workbench.cli.recipes import change
from workbench.core.errors import RunFailedError, UserError
from workbench.core.files import write_json_atomically
from workbench.core.places import find_workspace
from workbench.core.recipe import Recipe, load_recipe, parse_settings, recipe_to_mapping, recipe_to_yaml
from workbench.core.runs.facts import FACTS, MEASURED_ON, read_facts, recipe_measured
from workbench.core.runs.folder import RunFolder
from workbench.core.runs.listing import find_run
from workbench.core.words import count_text, loss_text, share_text, visible_text

FREE = ("data", "training")
"""Sections of the recipe that may be changed: what is measured is the run's own model and method."""


def run(given: argparse.Namespace) -> int:
    """Measure it; a run that was imported keeps the figures, which it has no others of."""
    folder = find_run(given.run, find_workspace(given.workspace))
    facts = read_facts(folder)
    imported = bool(facts.get("imported"))
    recipe = _recipe(folder, given, imported)
    found = _measure(folder, recipe)
    if imported:
        data = {f"data.{key}": value for key, value in recipe_to_mapping(recipe)["data"].items()}
        measured_on = {**data, "training.seed": recipe.training.seed}
        write_json_atomically(folder.path / FACTS, {**facts, **found, MEASURED_ON: measured_on})
    if given.json:
        say_json({"run": folder.name, "data": recipe.data.source, "kept": imported, **found})
        return 0
    rows = f"{count_text(found['held_out_rows'])} held-out rows of {visible_text(recipe.data.source)}"
    say(f"{visible_text(folder.name)} on {rows}:")
    say(f"  held-out loss  base {loss_text(found['base_loss'])}, tuned {loss_text(found['held_out_loss'])}")
    if found["scored"]:
        answers = f"of {count_text(found['scored'])} answers"
        say(f"  exact match    base {share_text(found['base_score'])}, tuned {share_text(found['score'])} {answers}")
    if imported:
        say(f"The run keeps these figures; to see them beside others: workbench compare {folder.name} RUN")
    return 0


def _recipe(folder: RunFolder, given: argparse.Namespace, imported: bool) -> Recipe:
    """The run's recipe with the data that was asked for; UserError where none is known."""
    settings: dict[str, Any] = parse_settings(given.settings)
    other = next((key for key in settings if key.partition(".")[0] not in FREE), None)
    if other is not None:
        raise UserError(f"{other} cannot be set here: the run's own model and method are measured; train another run.")
    recipe = recipe_measured(load_recipe(folder.recipe), folder)
    if given.like is not None:
        like = find_run(given.like, find_workspace(given.workspace))
        recipe = _measured_like(recipe, recipe_measured(load_recipe(like.recipe), like))
    if given.data is not None:
        settings = {"data.source": given.data, **settings}
    known = given.like is not None or "data.source" in settings or MEASURED_ON in read_facts(folder)
    if imported and not known:
        raise UserError(
            f"{folder.name} was trained elsewhere; say what to measure it on, with --data DATA or --like RUN."
        )
    return change(recipe, settings)


def _measured_like(recipe: Recipe, other: Recipe) -> Recipe:
    """The recipe with all that chooses the other's held-out rows and those that are scored."""
    training = replace(recipe.training, seed=other.training.seed, score_rows=other.training.score_rows)
    return replace(recipe, data=other.data, training=training)


def _measure(folder: RunFolder, recipe: Recipe) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as aside:
        file = Path(aside) / "recipe.yaml"
        file.write_text(recipe_to_yaml(recipe), encoding="utf-8")
        arguments = [str(folder.path), "--recipe", str(file)]
        said = run_engine("workbench.engine.scoring", arguments, "Nothing was measured.", capture=True)
    try:
        return dict(json.loads(last_line(said)))
    except ValueError:
        raise RunFailedError("The measurement did not say what it found.") from None
