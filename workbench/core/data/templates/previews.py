"""One row in every chat template, beside what each of them would mean for the model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from workbench.core.data.conversations.turns import Conversation
from workbench.core.data.opened import open_data
from workbench.core.data.templates.built_in import BUILT_IN
from workbench.core.data.templates.render import ChatTemplate, choose_template
from workbench.core.data.templates.warnings import drops_turn, ends_untrained, starts_twice, warnings_of
from workbench.core.data.tokens.batches import encode_marked
from workbench.core.data.tokens.mask import SHIELD, UNSHIELD, mark_conversation
from workbench.core.data.tokens.tokenizer import TextTokenizer, open_tokenizer
from workbench.core.errors import UserError
from workbench.core.places import Workspace
from workbench.core.recipe import DataSection, Recipe

LONG = 5_000
"""Tokens of a row that are shown; the rest is counted."""

NAMES = ("own", "chatml", "alpaca", "llama3", "gemma", "mistral", "phi", "plain", "bare")
"""The templates in the order in which they are shown."""

ROW = {
    "dropped_turn": "A turn of this row, such as a system message, is left out or changed.",
    "no_end_token": "The answer ends without a trained end token, so that the model may not learn to stop.",
    "bos_twice": "The start token comes twice.",
}


def preview_templates(
    recipe: Recipe,
    model_folder: Path,
    row: int,
    workspace: Workspace | None = None,
    held_out: bool = False,
) -> dict[str, Any]:
    """The row numbered `row` from 0 in each template, the model's own first.

    `{"row", "templates": [{"name", "chosen", "rendered", "ids", "tokens", "trained", "count", "trained_count",
    "warnings": [{"kind", "severity", "sentence"}], "problem"}]}`: tokens up to the first 5,000, `count` of all.
    `chosen` is the one that the recipe takes; `held_out` means a row of a held-out file of its own. UserError where
    there is no such row, or where it is plain text, which no template renders.
    """
    section = recipe.data
    data = open_data(section, workspace=workspace)
    if held_out and isinstance(section.held_out, str):
        data = open_data(section, section.held_out, data.table.path.parent, workspace)
    if not 0 <= row < len(data):
        raise UserError(f"There is no row {row + 1}; rows go from 1 to {len(data):,}.")
    item = data.row_at(row)[1]
    if item.problem is not None:
        raise UserError(f"Row {row + 1} cannot be rendered: {item.problem}.")
    if item.text is not None:
        raise UserError("These rows are plain text, which is trained on as it stands, without a chat template.")
    tokenizer = open_tokenizer(model_folder)
    chosen = choose_template(tokenizer, section.template)
    templates = [ChatTemplate(name, BUILT_IN[name], tokenizer) for name in NAMES if name != "own"]
    if tokenizer.chat_template is not None:
        templates.insert(0, ChatTemplate("own", tokenizer.chat_template, tokenizer))
    if chosen.name not in NAMES:
        templates.append(chosen)
    shown = [_preview(item, template, section, tokenizer, template.name == chosen.name) for template in templates]
    return {"row": row, "templates": shown}


def _preview(
    item: Conversation, template: ChatTemplate, section: DataSection, tokenizer: TextTokenizer, chosen: bool
) -> dict[str, Any]:
    warned = warnings_of(template, chosen and section.template == "auto")
    shown: dict[str, Any] = {
        "name": template.name, "chosen": chosen, "rendered": "", "ids": [], "tokens": [], "trained": [], "count": 0,
        "trained_count": 0, "warnings": [], "problem": None,
    }  # fmt: skip
    try:
        marked = mark_conversation(item, template, section.train_on, section.control_tokens == "text")
        example = encode_marked([(item, marked)], tokenizer)[0]
    except UserError as error:
        return {**shown, "problem": error.sentence, "warnings": _as_dicts(warned)}
    text = marked.text.replace(SHIELD, "").replace(UNSHIELD, "")
    of_row = {
        "dropped_turn": drops_turn(item, text),
        "no_end_token": ends_untrained(example, tokenizer.special_ids),
        "bos_twice": starts_twice(example, tokenizer.bos_id),
    }
    warned += [(kind, "warning", ROW[kind]) for kind, is_so in of_row.items() if is_so]
    part = example.piece(0, min(len(example), LONG), 0)
    return {
        **shown,
        "rendered": tokenizer.decode(part.ids),
        "ids": list(part.ids),
        "tokens": tokenizer.texts(part.ids),
        "trained": list(part.trained),
        "count": len(example),
        "trained_count": example.trained_tokens,
        "warnings": _as_dicts(warned),
    }


def _as_dicts(warned: Sequence[tuple[str, str, str]]) -> list[dict[str, str]]:
    return [{"kind": kind, "severity": severity, "sentence": sentence} for kind, severity, sentence in warned]
