"""The cleaned set: the rows that a recipe takes, as they stand in their source, saved to a file of their own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from workbench.core.data.dataset import Progress, prepare_data
from workbench.core.data.lines import Row
from workbench.core.data.reading import read_data
from workbench.core.errors import UserError
from workbench.core.places import Workspace
from workbench.core.recipe import Recipe

KINDS = (".jsonl", ".parquet")
BATCH = 4096


def save_clean(
    recipe: Recipe,
    model_folder: Path,
    to: Path,
    progress: Progress | None = None,
    workspace: Workspace | None = None,
) -> dict[str, Any]:
    """Write the rows that `recipe` trains on or holds out to `to` (.jsonl or .parquet); the source is not touched.

    `{"path", "rows", "source_rows", "bytes"}`. UserError where `to` exists already or has another ending.
    """
    if to.suffix.lower() not in KINDS:
        raise UserError(f"{to.name} cannot be written; its name ends in {' or '.join(KINDS)}.")
    if to.exists():
        raise UserError(f"There is already a file {to}; choose another name.")
    if not to.parent.is_dir():
        raise UserError(f"There is no folder {to.parent}; make it first.")
    prepared = prepare_data(recipe, model_folder, progress, workspace)
    wanted = {item.row for item in prepared.train}
    if not isinstance(recipe.data.held_out, str):
        wanted |= {item.row for item in prepared.held_out}
    data = read_data(recipe.data, workspace=workspace)
    if data.form.name == "oasst":
        raise UserError("Trees of messages cannot be cleaned row by row; set data.leave_out in the recipe instead.")
    aside = to.with_name(f".{to.name}.part")
    try:
        rows = (raw for raw, item in data.pairs() if item.row in wanted)
        count = _write_lines(rows, aside) if to.suffix.lower() == ".jsonl" else _write_parquet(rows, aside)
        aside.rename(to)
    except OSError as error:
        raise UserError(f"{to} cannot be written ({error.strerror or error}).") from None
    finally:
        aside.unlink(missing_ok=True)
    return {"path": str(to), "rows": count, "source_rows": prepared.report["rows"], "bytes": to.stat().st_size}


def _write_lines(rows: Iterator[Row], to: Path) -> int:
    count = 0
    with to.open("w", encoding="utf-8", newline="\n") as file:
        for count, row in enumerate(rows, 1):  # noqa: B007
            file.write(json.dumps(row, ensure_ascii=False, default=str) + "\n")
    return count


def _write_parquet(rows: Iterator[Row], to: Path) -> int:
    import pyarrow as arrow
    from pyarrow import parquet

    parts: list[Any] = []
    held: list[Row] = []
    try:
        for row in rows:
            held.append(row)
            if len(held) == BATCH:
                parts.append(arrow.Table.from_pylist(held))
                held = []
        if held:
            parts.append(arrow.Table.from_pylist(held))
        table = arrow.concat_tables(parts, promote_options="permissive")
        parquet.write_table(table, to)
    except (arrow.ArrowException, TypeError) as error:
        raise UserError(
            "These rows do not have the same columns throughout, which Parquet needs; save them as .jsonl.", str(error)
        ) from None
    return int(table.num_rows)
