"""Changing the recipe's data: what else has to change with the source."""

from __future__ import annotations

from typing import Any

from workbench.core.errors import UserError
from workbench.core.recipe import Recipe, load_recipe, recipe_to_mapping


def source_settings(recipe: Recipe, source: str) -> dict[str, Any]:
    """Settings that take another source: a bundled sample brings its own data section, other data begins anew."""
    from workbench.core.data.files.sources import sample_names
    from workbench.core.places import sample_folder

    if source in sample_names():
        try:
            section = recipe_to_mapping(load_recipe(sample_folder() / f"{source}.yaml"))["data"]
        except UserError:
            section = {}
        return {**{f"data.{key}": value for key, value in section.items()}, "data.source": source}
    settings: dict[str, Any] = {"data.source": source, "data.format": "auto", "data.mapping": {}}
    if source != recipe.data.source:  # rows, columns and splits of the old data mean nothing in the new
        settings |= {
            "data.leave_out": [item for item in recipe.data.leave_out if isinstance(item, str)],
            "data.filter": None,
            "data.mix": {},
            "data.subset": None,
            "data.split": None,
            "data.revision": None,
        }
        if recipe.data.held_out_by not in ("random", "clusters"):
            settings["data.held_out_by"] = "random"
    if isinstance(recipe.data.held_out, str):
        settings["data.held_out"] = 0.1
    return settings
