"""workbench compare: runs side by side."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from workbench.cli.page import Page, find_page, say, say_json
from workbench.core.compare import (
    COLUMNS,
    cell_text,
    compare_runs,
    comparison_markdown,
    differing_keys,
    read_recipes,
    reason_against,
)
from workbench.core.places import find_workspace
from workbench.core.recipe import Recipe
from workbench.core.runs.listing import find_run
from workbench.core.words import cells, clip_text, visible_text

DISPENSABLE = (
    "share", "memory_predicted", "adapter_bytes", "tokens_per_second", "base_loss", "memory_measured", "base_score",
    "seconds",
)  # fmt: skip
"""Columns that give way on a narrow page, the first to go first."""


def run(given: argparse.Namespace) -> int:
    """Print the comparison."""
    workspace = find_workspace(given.workspace)
    folders = list({folder.path: folder for folder in (find_run(word, workspace) for word in given.runs)}.values())
    rows = compare_runs(folders)
    if given.json:
        say_json(rows)
        return 0
    recipes = read_recipes(folders)
    reason = reason_against(recipes)
    if given.markdown:
        say(comparison_markdown(rows) + (f"\n{reason}" if reason else ""))
        return 0
    for line in _lines(recipes, rows, find_page()):
        say(line)
    if reason:
        say(reason)
    return 0


def _lines(recipes: Sequence[Recipe | None], rows: Sequence[dict[str, Any]], page: Page) -> list[str]:
    columns, left_out = _fitting(rows, page.width)
    body = [[cell_text(key, row.get(key)) for _, key in columns] for row in rows]
    lines = page.table([heading for heading, _ in columns], body, "ll" + "r" * len(columns))
    for row in rows:
        if row["remark"]:
            lines.append(f"{row['run']} {row['remark']}.")
    lines.append("Losses are of held-out rows, scores exact matches, predicted and measured peaks of memory.")
    if left_out:
        lines.append(f"Left out for want of room: {', '.join(left_out)}; --markdown and --json have everything.")
    differing = differing_keys(recipes)
    if differing:
        lines += ["", "Their recipes differ in:"]
        wide = max(cells(key) for key in differing)
        for key, values in differing.items():
            named = zip(rows, values, strict=True)
            said = ", ".join(f"{row['run']}: {visible_text(value)}" for row, value in named)
            lines.append(clip_text(f"  {key:<{wide}}  {said}", page.width))
    return lines


def _fitting(rows: Sequence[dict[str, Any]], width: int) -> tuple[list[tuple[str, str]], list[str]]:
    """The columns that fit the page, and the headings of those that do not."""
    columns, left_out = list(COLUMNS), []

    def needed() -> int:
        return sum(
            2 + max(len(heading), *(cells(cell_text(key, row.get(key))) for row in rows)) for heading, key in columns
        )

    for key in DISPENSABLE:
        if needed() - 2 <= width:
            break
        index = next(index for index, column in enumerate(columns) if column[1] == key)
        left_out.append(columns.pop(index)[0])
    return columns, left_out
