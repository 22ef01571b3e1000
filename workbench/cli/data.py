"""workbench data: the rows that a recipe takes saved anew, rows by their text or use or in each template, splits."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from workbench.cli.models import ask_helper, fetch_data, find_folder, tell_progress
from workbench.cli.page import find_page, say, say_json
from workbench.cli.progress import row_progress
from workbench.cli.recipes import anchor_path, change
from workbench.core.errors import UserError
from workbench.core.places import Workspace, find_workspace
from workbench.core.recipe import Recipe, parse_settings
from workbench.core.words import count_text, size_text, visible_text

SHOWN = 1000
"""Row numbers that are printed; --json names all of a set, and up to ten thousand matches of a search."""


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
    act = {"search": _search, "rows": _rows, "templates": _templates, "clean": _clean}[given.action]
    return act(given, recipe, workspace)


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
            f"{visible_text(saved['path'])} ({size_text(saved['bytes'])}"
            + (f", each a row of {saved['format']})." if saved["format"] else ").")
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
    _say_rows(found["rows"])
    return 0


def _say_rows(rows: Sequence[int]) -> None:
    if rows:
        more = ", …" if len(rows) > SHOWN else ""
        say(f"Row {', '.join(str(row + 1) for row in rows[:SHOWN])}{more}")


def _rows(given: argparse.Namespace, recipe: Recipe, workspace: Workspace) -> int:
    from workbench.core.data.checks.row_sets import USES
    from workbench.core.data.inspect import list_rows

    folder = find_folder(recipe.model, workspace)
    fetch_data(recipe, workspace)
    found = list_rows(recipe, folder, given.of, workspace=workspace)
    if given.json:
        say_json(found)
    elif given.of is None:
        for name, count in found["counts"].items():
            meaning = f"  {USES[name]}" if name in USES else ""
            say(f"{name:<26} {count_text(count):>9}{meaning}".rstrip())
    else:
        said = f"{count_text(found['count'])} rows of {visible_text(found['file'])}"
        say(f"{given.of.replace('_', ' ')}: {said}.")
        _say_rows(found["rows"])
    return 0


def _templates(given: argparse.Namespace, recipe: Recipe, workspace: Workspace) -> int:
    from workbench.core.data.templates.previews import preview_templates

    folder = find_folder(recipe.model, workspace)
    fetch_data(recipe, workspace)
    found = preview_templates(recipe, folder, given.row - 1, workspace)
    if given.json:
        say_json(found)
        return 0
    page = find_page()
    for template in found["templates"]:
        chosen = ", which the recipe takes" if template["chosen"] else ""
        figures = f"{count_text(template['count'])} tokens, {count_text(template['trained_count'])} trained on"
        say(page.bold(visible_text(template["name"])) + f"{chosen}: {template['problem'] or figures}")
        for warning in template["warnings"]:
            for line in page.entry(f"{warning['severity']:<9}", visible_text(warning["sentence"])):
                say(line)
        for line in template["rendered"].splitlines():
            say(f"  {visible_text(line)}")
        say("")
    return 0


def _splits(given: argparse.Namespace, workspace: Workspace) -> int:
    from workbench.core.data.files.folders import list_splits
    from workbench.core.data.files.hub import hub_data
    from workbench.core.data.files.sources import find_source

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
