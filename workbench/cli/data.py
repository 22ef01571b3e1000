"""workbench data clean: the rows that a recipe takes, saved to a new file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from workbench.cli.models import find_folder
from workbench.cli.page import say, say_json
from workbench.cli.recipes import anchor_path, change
from workbench.core.data.clean import save_clean
from workbench.core.places import find_workspace
from workbench.core.recipe import Recipe, parse_settings
from workbench.core.words import count_text, size_text, visible_text


def run(given: argparse.Namespace) -> int:
    """Save the cleaned data."""
    settings: dict[str, Any] = {"data.source": anchor_path(given.data)}
    if given.leave_out:
        settings["data.leave_out"] = [int(word) if word.isdigit() else word for word in given.leave_out]
    if given.keep_first:
        settings["data.duplicates"] = "first"
    if given.model is not None:
        settings["model.path"] = given.model
    recipe = change(Recipe(), {**settings, **parse_settings(given.settings)})
    folder = find_folder(recipe.model, find_workspace(given.workspace))
    saved = save_clean(recipe, folder, Path(given.to).expanduser().absolute())
    if given.json:
        say_json(saved)
    else:
        say(
            f"{count_text(saved['rows'])} of {count_text(saved['source_rows'])} rows are in "
            f"{visible_text(saved['path'])} ({size_text(saved['bytes'])})."
        )
    return 0
