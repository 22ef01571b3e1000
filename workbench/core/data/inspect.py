"""Data as the data pane, the command line and the report show it: the very rows, tokens and masks of the trainer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from workbench.core.data.checks.findings import HELD_OUT, KINDS, UNUSABLE
from workbench.core.data.checks.row_sets import USES, RowSet, pack_sets
from workbench.core.data.conversations.formats import Conversation
from workbench.core.data.dataset import Progress, prepare_data
from workbench.core.data.files.lines import BAD_ROW, Row
from workbench.core.data.opened import open_data
from workbench.core.data.reading import Choice, ReadData, read_choice
from workbench.core.data.splits import split_rows
from workbench.core.data.templates.render import ChatTemplate, choose_template
from workbench.core.data.tokens.batches import Encoded, Job
from workbench.core.data.tokens.encode import encode_stream
from workbench.core.data.tokens.example import fit_rows
from workbench.core.data.tokens.mask import as_mapping
from workbench.core.data.tokens.tokenizer import TextTokenizer, open_tokenizer
from workbench.core.data.watch import watched
from workbench.core.errors import UserError
from workbench.core.places import Workspace
from workbench.core.recipe import DataSection, Recipe

LONG = 50_000
"""Tokens of a row that are shown; the rest is counted."""

SILENT = "it has no token to train on"

LARGE = 1_000_000
"""Characters of a raw field beyond which only its beginning is shown."""


def inspect_data(
    recipe: Recipe,
    model_folder: Path,
    masks: int = 0,
    progress: Progress | None = None,
    workspace: Workspace | None = None,
    sets: bool = False,
) -> dict[str, Any]:
    """The report on a recipe's data; with `masks`, the first so many training rows token by token.

    With `sets` it has `row_sets`: all rows of every use and every finding, as `row_sets.pack_sets` gives them.
    """
    prepared = prepare_data(recipe, model_folder, progress, workspace, needs_answers=False)
    report = dict(prepared.report)
    if sets:
        report["row_sets"] = pack_sets(prepared.sets)
    if masks:
        report["masks"] = [
            {
                "row": example.row,
                "ids": list(example.ids),
                "tokens": prepared.tokenizer.texts(example.ids),
                "trained": list(example.trained),
            }
            for example in prepared.train[:masks]
        ]
    return report


def page_rows(
    recipe: Recipe,
    model_folder: Path,
    start: int,
    count: int,
    held_out: bool = False,
    workspace: Workspace | None = None,
    progress: Progress | None = None,
    numbers: Sequence[int] | None = None,
) -> dict[str, Any]:
    """Rows `start` to `start + count` of the source (or of the held-out rows alone), each raw, rendered and as tokens.

    `{"rows": [{"row", "raw", "json", "messages", "rendered", "ids", "tokens", "trained", "cut", "hidden", "problem"}],
    "total", "estimated"}`; `cut` counts the tokens beyond data.max_length, which come last (first with cut_left) in
    `ids`, and `hidden` those behind the first 50,000, which are not given. Of a large file only these rows are read,
    and `total` is then an estimate. `json` names the columns of `raw` whose value is no text and stands there as JSON.
    `progress` is told of rows that are passed on the way to a page far behind, and while a huge row is tokenised.
    With `numbers` the rows of those numbers are given instead, of the source or, with `held_out`, of the held-out file
    where it is one of its own.
    """
    with watched(progress):
        return _page(recipe, model_folder, start, count, held_out, workspace, progress, numbers)


def _page(
    recipe: Recipe,
    model_folder: Path,
    start: int,
    count: int,
    held_out: bool,
    workspace: Workspace | None,
    progress: Progress | None,
    numbers: Sequence[int] | None,
) -> dict[str, Any]:
    section = recipe.data
    tokenizer = open_tokenizer(model_folder)
    template = choose_template(tokenizer, section.template)
    choice = read_choice(section, KINDS)
    start, count = max(0, start), max(0, count)
    if held_out and isinstance(section.held_out, str):
        main = open_data(section, workspace=workspace)
        data = open_data(section, section.held_out, main.table.path.parent, workspace)
        choice = Choice(None, None, frozenset(), frozenset())
    else:
        data = open_data(section, workspace=workspace)
    if numbers is not None:
        page = [data.row_at(number) for number in numbers if 0 <= number < len(data)]
        total, counted = len(data), True
    elif held_out and not isinstance(section.held_out, str):
        kept = _held_rows(recipe, model_folder, data, workspace)
        page = [data.row_at(row) for row in kept[start : start + count]]
        total, counted = len(kept), True
    else:
        page = data.page(start, count)
        total, counted = data.size
    examples = _encode(page, template, section, progress)
    rows = [
        _show(item, raw, recipe, tokenizer, choice, example)
        for (raw, item), example in zip(page, examples, strict=True)
    ]
    if data.form.name == "instruction":
        for shown in rows:
            if shown["problem"] == SILENT:  # a question is held out to be asked, and needs no answer for that
                shown["problem"] = None if held_out else "it is a question without an answer"
    return {"rows": rows, "total": total, "estimated": not counted}


def list_rows(
    recipe: Recipe,
    model_folder: Path,
    of: str | None = None,
    progress: Progress | None = None,
    workspace: Workspace | None = None,
) -> dict[str, Any]:
    """Numbers of the rows of a use or of a kind of finding, or with None how many rows each has.

    `{"of", "file", "count", "rows": [number from 0, …]}` or `{"counts": {name: rows}}`; `file` is the data that the
    numbers count in, which is the held-out file for what is about that alone. UserError where there is no such name.
    """
    section = recipe.data
    prepared = prepare_data(recipe, model_folder, progress, workspace, needs_answers=False)
    if of is None:
        return {"counts": {name: len(item.rows) for name, item in prepared.sets.items()}}
    if of not in prepared.sets and of not in (*KINDS, *HELD_OUT, *UNUSABLE.values()):
        names = ", ".join(dict.fromkeys((*USES, *prepared.sets)))
        raise UserError(f"There are no rows called {of[:40]!r}; there are {names}.")
    found = prepared.sets.get(of, RowSet(()))
    file = section.held_out if found.of == "held_out" else section.source
    return {"of": of, "file": file, "count": len(found.rows), "rows": list(found.rows)}


def _held_rows(recipe: Recipe, model_folder: Path, data: ReadData, workspace: Workspace | None) -> list[int]:
    """Numbers of the rows that are held out of training."""
    section = recipe.data
    plain = (section.filter, section.first, section.leave_out, section.duplicates, section.held_out_by, section.mix)
    one_by_one = plain == (None, None, [], "keep", "random", {}) and not data.form.every_path
    if one_by_one and isinstance(section.held_out, float):
        usable = [item.row for _, item in data.pairs() if item.problem is None]
        try:
            return [usable[index] for index in split_rows(len(usable), section.held_out, recipe.training.seed)[1]]
        except UserError:
            pass
    return sorted({item.row for item in prepare_data(recipe, model_folder, workspace=workspace).held_out})


def _encode(
    page: Sequence[tuple[Row, Conversation]], template: ChatTemplate, section: DataSection, progress: Progress | None
) -> list[Encoded | None]:
    """Each row's tokens, or why it has none; None for a row with a problem."""
    good = [item for _, item in page if item.problem is None]
    job = Job(template, section.train_on, section.control_tokens == "text")
    check = None if progress is None else lambda: progress(0, len(good))
    found = (done for _, done in encode_stream(good, job, check))
    return [next(found) if item.problem is None else None for _, item in page]


def _show(
    item: Conversation,
    raw: Row,
    recipe: Recipe,
    tokenizer: TextTokenizer,
    choice: Choice,
    done: Encoded | None,
) -> dict[str, Any]:
    section = recipe.data
    bad = BAD_ROW in raw
    shown: dict[str, Any] = {
        "row": item.row,
        "raw": {} if bad else {str(key): _plain(value) for key, value in raw.items()},
        "json": [] if bad else [str(key) for key, value in raw.items() if not isinstance(value, str)],
        "messages": [_shortened(as_mapping(message)) for message in item.messages],
        "rendered": "",
        "ids": [],
        "tokens": [],
        "trained": [],
        "cut": 0,
        "hidden": 0,
        "problem": item.problem,
    }
    if done is None:
        return shown
    encoded = done.example
    if encoded is None:
        why = done.error.sentence if done.error is not None else "it cannot be tokenised."
        return {**shown, "problem": f"Row {item.row + 1}: {why}"}
    pieces = fit_rows(encoded, section.max_length, section.over_length)
    count = len(encoded)
    split = section.over_length == "split"
    cut = 0 if split else max(0, count - section.max_length)
    problem = choice.refuses(raw, item.row)
    if problem is None and not encoded.trained_tokens:
        problem = SILENT
    elif problem is None and not pieces:
        problem = f"it has {count} tokens, more than data.max_length {section.max_length}"
    elif problem is None and not any(piece.trained_tokens for piece in pieces):
        problem = "it has no token to train on within data.max_length"
    part = encoded.piece(0, min(count, LONG), 0)
    hidden = count - len(part)
    return {
        **shown,
        "rendered": tokenizer.decode(part.ids),
        "ids": list(part.ids),
        "tokens": tokenizer.texts(part.ids),
        "trained": list(part.trained),
        "cut": min(cut, len(part)) if section.over_length == "cut_left" else max(0, cut - hidden),
        "hidden": hidden,
        "problem": problem,
    }


def _shortened(message: dict[str, Any]) -> dict[str, Any]:
    content = message["content"]
    return message if len(content) <= LARGE else {**message, "content": f"{content[:LARGE]}…"}


def _plain(value: Any) -> str:
    text = value
    if not isinstance(value, str):
        try:
            text = json.dumps(value, ensure_ascii=False, default=str)
        except (RecursionError, ValueError, TypeError):
            text = "…"
    return text if len(text) <= LARGE else f"{text[:LARGE]}…"
