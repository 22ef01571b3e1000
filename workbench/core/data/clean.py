"""The cleaned set: the rows that a recipe takes, as they stand in their source, saved to a file of their own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from workbench.core.data.conversations.turns import Conversation
from workbench.core.data.dataset import Progress, prepare_data
from workbench.core.data.files.lines import Row
from workbench.core.data.reading import ReadData, read_data
from workbench.core.data.tokens.mask import as_mapping
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

    Rows are written as they stand in their source. Where no single row is one conversation, as in a tree of messages,
    or where sources of different formats are mixed, each conversation becomes a row with its `messages`.
    `{"path", "rows", "source_rows", "bytes", "format"}`; `format` is None or messages. UserError where `to` exists
    already or has another ending.
    """
    if to.suffix.lower() not in KINDS:
        raise UserError(f"{to.name} cannot be written; its name ends in {' or '.join(KINDS)}.")
    if to.exists():
        raise UserError(f"There is already a file {to}; choose another name.")
    if not to.parent.is_dir():
        raise UserError(f"There is no folder {to.parent}; make it first.")
    data = read_data(recipe.data, workspace=workspace)
    form = written_form(data)
    prepared = prepare_data(recipe, model_folder, progress, workspace)
    wanted = {item.row for item in prepared.train}
    if not isinstance(recipe.data.held_out, str):
        wanted |= {item.row for item in prepared.held_out}
    aside = to.with_name(f".{to.name}.part")
    try:
        rows = (raw if form is None else _as_messages(item) for raw, item in data.pairs() if item.row in wanted)
        count = _write_lines(rows, aside) if to.suffix.lower() == ".jsonl" else _write_parquet(rows, aside)
        aside.rename(to)
    except OSError as error:
        raise UserError(f"{to} cannot be written ({error.strerror or error}).") from None
    finally:
        aside.unlink(missing_ok=True)
    size = to.stat().st_size
    return {"path": str(to), "rows": count, "source_rows": prepared.report["rows"], "bytes": size, "format": form}


def written_form(data: ReadData) -> str | None:
    """The format that the rows are saved in: None as they stand, or `messages`. UserError where none holds them all."""
    forms = {(part.form.name, tuple(sorted(part.form.mapping.items()))) for part in data.parts}
    if len(forms) == 1 and data.form.name != "oasst":
        return None
    if any(part.form.name == "text" for part in data.parts):
        raise UserError("Plain text is mixed with conversations, and no format holds both; save each source alone.")
    return "messages"


def _as_messages(item: Conversation) -> Row:
    turns = []
    for message in item.messages:
        weight = {} if message.weight else {"weight": 0}
        turns.append({**as_mapping(message), **weight})
    return {"messages": turns, **({"tools": list(item.tools)} if item.tools else {})}


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
