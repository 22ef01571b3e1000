"""Runs that a recipe names: the adapters that it combines, by the names of the runs that trained them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from workbench.core.errors import UserError
from workbench.core.places import Workspace
from workbench.core.recipe import Recipe
from workbench.core.runs.listing import find_run


def with_runs_found(recipe: Recipe, workspace: Workspace) -> Recipe:
    """The recipe with the names of runs in `method.adapters` replaced by their folders; paths and the rest stay."""
    adapters = recipe.method.knobs.get("adapters")
    if not adapters:
        return recipe
    found = [_folder(str(word), workspace) for word in adapters]
    return replace(recipe, method=replace(recipe.method, knobs={**recipe.method.knobs, "adapters": found}))


def _folder(word: str, workspace: Workspace) -> str:
    if Path(word).expanduser().exists() or "/" in word:
        return word
    try:
        return str(find_run(word, workspace).path.absolute())
    except UserError:
        return word
