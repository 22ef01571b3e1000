"""Rows that hold a text: looked for where they stand, one after the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workbench.core.data.encode import Progress
from workbench.core.data.lines import BAD_ROW
from workbench.core.data.reading import read_data
from workbench.core.errors import UserError
from workbench.core.recipe import Recipe

MOST = 10_000
"""Matches that are named; they are all counted."""

EVERY = 2048


def search_rows(recipe: Recipe, text: str, start: int = 0, progress: Progress | None = None) -> dict[str, Any]:
    """Numbers of the rows from `start` on whose values hold `text`, in letters of either case.

    `{"rows": [number from 0, …], "total": matches}`. Numbers are those of `page_rows`; the first 10,000 are named.
    """
    wanted = text.lower()
    if not wanted:
        raise UserError("There is nothing to search for; give a text.")
    data = read_data(recipe.data)
    size = data.size[0] if progress else 0
    found: list[int] = []
    total = 0
    for number, (raw, _) in enumerate(data.pairs()):
        if number >= start and BAD_ROW not in raw and _holds(raw, wanted):
            total += 1
            if len(found) < MOST:
                found.append(number)
        if progress and number % EVERY == EVERY - 1:
            progress(number + 1, max(size, number + 1))
    return {"rows": found, "total": total}


def _holds(row: Mapping[str, Any], wanted: str) -> bool:
    """Whether any value of a row, however deep, holds a text in small letters."""
    waiting: list[Any] = list(row.values())
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, (list, tuple)):
            waiting += value
        elif value is not None and wanted in str(value).lower():
            return True
    return False
