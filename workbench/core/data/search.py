"""Rows that hold a text: looked for where they stand, one after the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from workbench.core.data.files.lines import BAD_ROW, Row
from workbench.core.data.opened import open_data
from workbench.core.data.reading import Part, ReadData
from workbench.core.data.watch import Progress, watched
from workbench.core.errors import UserError
from workbench.core.places import Workspace
from workbench.core.recipe import Recipe

MOST = 10_000
"""Matches that are named; they are all counted."""

EVERY = 2048


def search_rows(
    recipe: Recipe,
    text: str,
    start: int = 0,
    progress: Progress | None = None,
    workspace: Workspace | None = None,
) -> dict[str, Any]:
    """Numbers of the rows from `start` on whose values hold `text`, in letters of either case.

    `{"rows": [number from 0, …], "total": matches, "searched": rows looked at}`. Numbers are those of `page_rows`; the
    first 10,000 are named. Every source of the recipe is searched, whatever the recipe leaves out.
    """
    wanted = text.lower()
    if not wanted:
        raise UserError("There is nothing to search for; give a text.")
    with watched(progress):
        return _search(open_data(recipe.data, workspace=workspace), wanted, start, progress)


def _search(data: ReadData, wanted: str, start: int, progress: Progress | None) -> dict[str, Any]:
    size = data.size[0] if progress else 0
    found: list[int] = []
    total = number = 0
    for number, held in enumerate(_matches(data, wanted), 1):
        if held and number > start:
            total += 1
            if len(found) < MOST:
                found.append(number - 1)
        if progress and number % EVERY == 0:
            progress(number, max(size, number))
    if progress:
        progress(number, number)
    return {"rows": found, "total": total, "searched": max(0, number - start)}


def _matches(data: ReadData, wanted: str) -> Iterator[bool]:
    """For each row whether it holds the text."""
    for part in data.parts:
        if part.form.name == "oasst":
            yield from _in_trees(part, wanted)
            continue
        with_text = getattr(part.table.rows, "rows_with", None)
        rows: Iterable[Row | None] = part.table.rows if with_text is None else with_text(wanted)
        yield from (row is not None and holds(row, wanted) for row in rows)


def _in_trees(part: Part, wanted: str) -> Iterator[bool]:
    for conversation in part.conversations:
        yield any(wanted in message.content.lower() for message in conversation.messages)


def holds(row: Row, wanted: str) -> bool:
    """Whether any value of a row, however deep, holds a text in small letters."""
    if BAD_ROW in row:
        return False
    waiting: list[Any] = list(row.values())
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            if wanted in value.lower():
                return True
        elif isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, (list, tuple)):
            waiting += value
        elif value is not None and wanted in str(value).lower():
            return True
    return False
