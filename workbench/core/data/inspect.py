"""Data as the data pane, the command line and the report show it: the very rows, tokens and masks of the trainer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from workbench.core.data.conversations import Conversation
from workbench.core.data.dataset import Progress, encode_conversations, prepare_data, read_data
from workbench.core.data.mask import as_mapping, fit_example
from workbench.core.data.templates import ChatTemplate, choose_template
from workbench.core.data.tokenizer import TextTokenizer, open_tokenizer
from workbench.core.errors import UserError
from workbench.core.recipe import Recipe


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
                "tokens": [prepared.tokenizer.token_text(token) for token in example.ids],
                "trained": list(example.trained),
            }
            for example in prepared.train[:masks]
        ]
    return report


def page_rows(recipe: Recipe, model_folder: Path, start: int, count: int, held_out: bool = False) -> dict[str, Any]:
    """Rows `start` to `start + count` of the source (or of the held-out file), each raw, rendered and as tokens.

    `{"rows": [{"row", "raw", "messages", "rendered", "ids", "tokens", "trained", "cut", "problem"}], "total"}`;
    `cut` counts the tokens beyond data.max_length, which come last (first with cut_left) in `ids`.
    """
    section = recipe.data
    tokenizer = open_tokenizer(model_folder)
    template = choose_template(tokenizer, section.template)
    if held_out and isinstance(section.held_out, str):
        main = read_data(section)
        data = read_data(section, section.held_out, main.table.path.parent)
    else:
        data = read_data(section)
    page = data.conversations[max(0, start) : max(0, start) + max(0, count)]
    rows = [_show(item, data.table.rows[item.row], recipe, template, tokenizer) for item in page]
    return {"rows": rows, "total": len(data.conversations)}


def _show(
    item: Conversation, raw: dict[str, Any], recipe: Recipe, template: ChatTemplate, tokenizer: TextTokenizer
) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "row": item.row,
        "raw": {key: value if isinstance(value, str) else _plain(value) for key, value in raw.items()},
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
        encoded = encode_conversations([item], template, recipe.data.train_on)[0]
    except UserError as error:
        return {**shown, "problem": error.sentence}
    fitted = fit_example(item.row, encoded.ids, encoded.trained, recipe.data.max_length, recipe.data.over_length)
    cut = max(0, len(encoded.ids) - recipe.data.max_length)
    problem = None
    if fitted is None:
        problem = f"it has {len(encoded.ids)} tokens, more than data.max_length {recipe.data.max_length}"
    elif not fitted.trained_tokens:
        problem = "it has no token to train on"
    return {
        **shown,
        "rendered": tokenizer.decode(encoded.ids),
        "ids": list(encoded.ids),
        "tokens": [tokenizer.token_text(token) for token in encoded.ids],
        "trained": list(encoded.trained),
        "cut": cut,
        "problem": problem,
    }


def _plain(value: Any) -> str:
    import json

    return json.dumps(value, ensure_ascii=False, default=str)
