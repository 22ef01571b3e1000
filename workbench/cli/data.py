"""workbench data: the rows that a recipe takes saved to a new file, rows that hold a text, and the splits there are."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from workbench.cli.models import ask_helper, fetch_data, find_folder, tell_progress
from workbench.cli.page import say, say_json
from workbench.cli.progress import row_progress
from workbench.cli.recipes import anchor_path, change
from workbench.core.errors import UserError
from workbench.core.places import Workspace, find_workspace
from workbench.core.recipe import Recipe, parse_settings
from workbench.core.words import count_text, size_text, visible_text

SHOWN = 1000
"""Row numbers that are printed; --json names up to ten thousand."""


def run(given: argparse.Namespace) -> int:
    """Do what the action says."""
    workspace = find_workspace(given.workspace)
    if given.action == "splits":
        return _splits(given, workspace)
    settings: dict[str, Any] = {"data.source": anchor_path(given.data)}
    if given.leave_out:
        settings["data.leave_out"] = [int(word) if word.isdigit() else word for word in given.leave_out]
    if given.keep_first:
        settings["data.duplicates"] = "first"
    if given.model is not None:
        settings["model.path"] = given.model
    for name in ("subset", "split"):
        if getattr(given, name) is not None:
            settings[f"data.{name}"] = getattr(given, name)
    recipe = change(Recipe(), {**settings, **parse_settings(given.settings)})
    return _search(given, recipe, workspace) if given.action == "search" else _clean(given, recipe, workspace)


def _clean(given: argparse.Namespace, recipe: Recipe, workspace: Workspace) -> int:
    from workbench.core.data.clean import save_clean

    if given.to is None:
        raise UserError("workbench data clean needs --to FILE, the new file.")
    folder = find_folder(recipe.model, workspace)
    fetch_data(recipe, workspace)
    with row_progress(given.json) as progress:
        saved = save_clean(recipe, folder, Path(given.to).expanduser().absolute(), progress, workspace)
    if given.json:
        say_json(saved)
    else:
        say(
            f"{count_text(saved['rows'])} of {count_text(saved['source_rows'])} rows are in "
            f"{visible_text(saved['path'])} ({size_text(saved['bytes'])})."
        )
    return 0


def _search(given: argparse.Namespace, recipe: Recipe, workspace: Workspace) -> int:
    from workbench.core.data.search import search_rows

    if given.text is None:
        raise UserError("workbench data search needs --text TEXT, what a row must hold.")
    fetch_data(recipe, workspace)
    with row_progress(given.json) as progress:
        found = search_rows(recipe, given.text, progress=progress, workspace=workspace)
    if given.json:
        say_json(found)
        return 0
    what = visible_text(repr(given.text))
    say(f"{count_text(found['total'])} of {count_text(found['searched'])} rows hold {what}.")
    if found["rows"]:
        more = ", …" if found["total"] > SHOWN else ""
        say(f"Row {', '.join(str(row + 1) for row in found['rows'][:SHOWN])}{more}")
    return 0


def _splits(given: argparse.Namespace, workspace: Workspace) -> int:
    from workbench.core.data.folders import list_splits
    from workbench.core.data.hub import hub_data
    from workbench.core.data.sources import find_source

    settings = parse_settings(given.settings)
    recipe = change(Recipe(), {"data.source": anchor_path(given.data), **settings})
    source = recipe.data.source
    if hub_data(source, recipe.data) is not None:
        found = ask_helper(workspace, "data_choices", tell_progress, source=source, revision=recipe.data.revision)
    else:
        place = find_source(source)
        subsets = list_splits(place) if place.is_dir() else {"default": []}
        found = {"name": source, "revision": None, "default": None, "subsets": subsets}
    if given.json:
        say_json(found)
        return 0
    for subset, splits in found["subsets"].items():
        listed = ", ".join(map(str, splits)) if splits else "one split without a name"
        say(visible_text(f"{subset}: {listed}" + (" (the default)" if subset == found["default"] else "")))
    return 0
