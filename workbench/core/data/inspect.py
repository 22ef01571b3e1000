"""Data as the data pane, the command line and the report show it: the very rows, tokens and masks of the trainer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from workbench.core.data.conversations import Conversation
from workbench.core.data.dataset import Progress, encode_conversations, prepare_data
from workbench.core.data.example import fit_rows
from workbench.core.data.findings import KINDS
from workbench.core.data.lines import BAD_ROW
from workbench.core.data.mask import as_mapping
from workbench.core.data.reading import Choice, ReadData, read_choice, read_data
from workbench.core.data.splits import split_rows
from workbench.core.data.templates import ChatTemplate, choose_template
from workbench.core.data.tokenizer import TextTokenizer, open_tokenizer
from workbench.core.errors import UserError
from workbench.core.recipe import Recipe

LARGE = 1_000_000
"""Characters of a raw field beyond which only its beginning is shown."""


def inspect_data(
    recipe: Recipe, model_folder: Path, masks: int = 0, progress: Progress | None = None
) -> dict[str, Any]:
    """The report on a recipe's data; with `masks`, the first so many training rows token by token."""
    prepared = prepare_data(recipe, model_folder, progress)
    report = dict(prepared.report)
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


def page_rows(recipe: Recipe, model_folder: Path, start: int, count: int, held_out: bool = False) -> dict[str, Any]:
    """Rows `start` to `start + count` of the source (or of the held-out rows alone), each raw, rendered and as tokens.

    `{"rows": [{"row", "raw", "json", "messages", "rendered", "ids", "tokens", "trained", "cut", "problem"}], "total",
    "estimated"}`; `cut` counts the tokens beyond data.max_length, which come last (first with cut_left) in `ids`. Of a
    large file only these rows are read, and `total` is then an estimate. `json` names the columns of `raw` whose value
    is no text and stands there as JSON.
    """
    section = recipe.data
    tokenizer = open_tokenizer(model_folder)
    template = choose_template(tokenizer, section.template)
    choice = read_choice(section, KINDS)
    start, count = max(0, start), max(0, count)
    if held_out and isinstance(section.held_out, str):
        main = read_data(section)
        data = read_data(section, section.held_out, main.table.path.parent)
        choice = Choice(None, None, frozenset(), frozenset())
    else:
        data = read_data(section)
    if held_out and not isinstance(section.held_out, str):
        kept = _held_rows(recipe, model_folder, data)
        page = [data.row_at(row) for row in kept[start : start + count]]
        total, counted = len(kept), True
    else:
        page = data.page(start, count)
        total, counted = data.size
    rows = [_show(item, raw, recipe, template, tokenizer, choice) for raw, item in page]
    return {"rows": rows, "total": total, "estimated": not counted}


def _held_rows(recipe: Recipe, model_folder: Path, data: ReadData) -> list[int]:
    """Numbers of the rows that are held out of training."""
    section = recipe.data
    plain = (section.filter, section.first, section.leave_out, section.duplicates, section.held_out_by, section.mix)
    if plain == (None, None, [], "keep", "random", {}) and isinstance(section.held_out, float):
        usable = [item.row for _, item in data.pairs() if item.problem is None]
        try:
            return [usable[index] for index in split_rows(len(usable), section.held_out, recipe.training.seed)[1]]
        except UserError:
            pass
    return sorted({item.row for item in prepare_data(recipe, model_folder).held_out})


def _show(
    item: Conversation,
    raw: dict[str, Any],
    recipe: Recipe,
    template: ChatTemplate,
    tokenizer: TextTokenizer,
    choice: Choice,
) -> dict[str, Any]:
    section = recipe.data
    bad = BAD_ROW in raw
    shown: dict[str, Any] = {
        "row": item.row,
        "raw": {} if bad else {str(key): _plain(value) for key, value in raw.items()},
        "json": [] if bad else [str(key) for key, value in raw.items() if not isinstance(value, str)],
        "messages": [as_mapping(message) for message in item.messages],
        "rendered": "",
        "ids": [],
        "tokens": [],
        "trained": [],
        "cut": 0,
        "problem": item.problem,
    }
    if item.problem is not None:
        return shown
    try:
        encoded = encode_conversations([item], template, section.train_on, shielded=section.control_tokens == "text")[0]
    except UserError as error:
        return {**shown, "problem": error.sentence}
    pieces = fit_rows(encoded, section.max_length, section.over_length)
    ids = encoded.ids
    split = section.over_length == "split"
    cut = 0 if split else max(0, len(ids) - section.max_length)
    problem = choice.refuses(raw, item.row)
    if problem is None and not encoded.trained_tokens:
        problem = "it has no token to train on"
    elif problem is None and not pieces:
        problem = f"it has {len(ids)} tokens, more than data.max_length {section.max_length}"
    elif problem is None and not any(piece.trained_tokens for piece in pieces):
        problem = "it has no token to train on within data.max_length"
    return {
        **shown,
        "rendered": tokenizer.decode(ids),
        "ids": list(ids),
        "tokens": tokenizer.texts(ids),
        "trained": list(encoded.trained),
        "cut": cut,
        "problem": problem,
    }


def _plain(value: Any) -> str:
    text = value
    if not isinstance(value, str):
        try:
            text = json.dumps(value, ensure_ascii=False, default=str)
        except (RecursionError, ValueError, TypeError):
            text = "…"
    return text if len(text) <= LARGE else f"{text[:LARGE]}…"
