"""What the command line needs of a base model: read from the cache at once, else prepared by the helper process."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from workbench.cli.page import say_aside
from workbench.core.errors import RunFailedError
from workbench.core.models.ready import cached_skeleton, ready_folder
from workbench.core.models.skeleton import Skeleton, skeleton_from_json
from workbench.core.places import Workspace
from workbench.core.recipe import ModelSection, Recipe
from workbench.core.words import visible_text


def ask_helper(
    workspace: Workspace, do: str, on_event: Callable[[dict[str, Any]], None] | None = None, **what: Any
) -> dict[str, Any]:
    """One answer from a helper process of its own, which ends with it."""
    import asyncio

    from workbench.core.helper import Helper

    async def ask() -> dict[str, Any]:
        helper = Helper(workspace)
        try:
            return await helper.request(do, on_event, **what)
        finally:
            await helper.close()

    return asyncio.run(ask())


def tell_progress(event: dict[str, Any]) -> None:
    """Say what the helper is at, where somebody looks."""
    text = event.get("text")
    if event.get("event") == "progress" and text and sys.stderr.isatty():
        say_aside(visible_text(str(text)))


def find_folder(model: ModelSection, workspace: Workspace) -> Path:
    """The folder with the model's tokenizer and configuration, prepared first where it has to be."""
    ready = ready_folder(model, workspace)
    return ready or Path(str(ask_helper(workspace, "prepare", tell_progress, model=asdict(model))["folder"]))


def fetch_data(recipe: Recipe, workspace: Workspace) -> None:
    """Have the recipe's data from the Hub in the workspace's cache; UserError where it cannot be had."""
    from workbench.core.data.files.hub import unfetched

    if unfetched(recipe.data, workspace):
        from workbench.core.recipe import recipe_to_mapping

        ask_helper(workspace, "fetch_data", tell_progress, recipe=recipe_to_mapping(recipe))


def find_skeleton(model: ModelSection, workspace: Workspace) -> Skeleton:
    """The model's skeleton, built first where it has to be; neither weights nor a tokenizer are needed."""
    found = cached_skeleton(model, workspace)
    if found is None:
        answer = ask_helper(workspace, "skeleton", tell_progress, model=asdict(model))
        found = skeleton_from_json(answer["skeleton"])
    if found is None:
        raise RunFailedError(f"The layers of {model.path} cannot be read: the helper is of another version.")
    return found
