"""The columns of a recipe's source, whatever format its rows have or have not."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from workbench.core.data.files.lines import BAD_ROW
from workbench.core.data.reading import open_source
from workbench.core.places import Workspace
from workbench.core.recipe import Recipe

SHOWN = 200
"""Characters of a value that are given."""


def list_columns(recipe: Recipe, workspace: Workspace | None = None) -> dict[str, str]:
    """Each column of the source with the beginning of its first value that is not empty, as text."""
    table = open_source(replace(recipe.data, on_bad_row="skip"), recipe.data.source, None, workspace)
    rows = [row for row in table.first if BAD_ROW not in row]
    return {name: _text(next((row[name] for row in rows if row.get(name)), "")) for name in table.columns}


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value[:SHOWN]
    try:
        return json.dumps(value, ensure_ascii=False, default=str)[:SHOWN]
    except (RecursionError, ValueError, TypeError):
        return "…"
