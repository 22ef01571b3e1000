"""The data of a run: rows read, rendered, masked, fitted and split, the same for the trainer and for whoever looks."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.core.data.conversations import Conversation, Format, detect_format, read_conversations
from workbench.core.data.mask import Example, MarkedText, as_mapping, fit_example, mark_conversation, mask_tokens
from workbench.core.data.sources import Table, read_table
from workbench.core.data.templates import ChatTemplate, choose_template
from workbench.core.data.tokenizer import TextTokenizer, open_tokenizer
from workbench.core.errors import UserError
from workbench.core.memory.estimate import RowShape
from workbench.core.recipe import DataSection, Recipe

Progress = Callable[[int, int], None]
"""Called with (rows done, rows in all); raising in it cancels the work."""

BATCH = 512


@dataclass(frozen=True, slots=True)
class Encoded:
    """One usable row as tokens, before it is fitted to a length."""

    row: int
    ids: tuple[int, ...]
    trained: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """A held-out row as a question to be answered."""

    row: int
    prompt: str
    """The last user turn, for people."""
    ids: tuple[int, ...]
    """The prompt's tokens, up to where the answer begins."""
    answer: str


@dataclass(frozen=True, slots=True)
class ReadData:
    """A source read and understood, not yet tokenised."""

    table: Table
    form: Format
    conversations: tuple[Conversation, ...]

    @property
    def usable(self) -> tuple[Conversation, ...]:
        return tuple(item for item in self.conversations if item.problem is None)


@dataclass(frozen=True)
class PreparedData:
    """What a run trains on and what it is measured on."""

    train: tuple[Example, ...]
    held_out: tuple[Example, ...]
    questions: tuple[Question, ...]
    report: dict[str, Any]
    """What was read, kept and left out, with counts."""
    tokenizer: TextTokenizer
    template: ChatTemplate
    notices: tuple[str, ...]
    """What the person should know, in sentences."""


def read_data(section: DataSection, source: str | None = None, beside: Path | None = None) -> ReadData:
    """The rows of the recipe's source (or of another `source`, such as the held-out file) as conversations."""
    table = read_table(source or section.source, beside)
    form = detect_format(table, section.format, section.mapping)
    return ReadData(table, form, tuple(read_conversations(table, form)))


def encode_conversations(
    conversations: Sequence[Conversation], template: ChatTemplate, train_on: str, progress: Progress | None = None
) -> list[Encoded]:
    """Every conversation as token ids and its loss mask, tokenised once."""
    encoded: list[Encoded] = []
    for start in range(0, len(conversations), BATCH):
        part = conversations[start : start + BATCH]
        marked: list[MarkedText] = []
        for conversation in part:
            try:
                marked.append(mark_conversation(conversation, template, train_on))
            except UserError as error:
                raise UserError(f"Row {conversation.row + 1}: {error.sentence}", error.details) from None
        found = template.tokenizer.backend.encode_batch([item.text for item in marked], add_special_tokens=False)
        for conversation, item, tokens in zip(part, marked, found, strict=True):
            trained = mask_tokens(tokens.offsets, item.spans)
            encoded.append(Encoded(conversation.row, tuple(tokens.ids), tuple(trained)))
        if progress:
            progress(min(start + BATCH, len(conversations)), len(conversations))
    return encoded


def split_rows(count: int, share: float, seed: int) -> tuple[list[int], list[int]]:
    """Indices to train on and indices held out: a random share by seed, at least one row on either side.

    With share 0, or a single row, nothing is held out.
    """
    if share <= 0 or count < 2:
        return list(range(count)), []
    order = list(range(count))
    random.Random(seed).shuffle(order)
    held = min(count - 1, max(1, round(share * count)))
    return sorted(order[held:]), sorted(order[:held])


def prepare_data(recipe: Recipe, model_folder: Path, progress: Progress | None = None) -> PreparedData:
    """Everything that a run of `recipe` needs of its data. UserError where nothing is left to train on."""
    section = recipe.data
    tokenizer = open_tokenizer(model_folder)
    template = choose_template(tokenizer, section.template)
    data = read_data(section)
    usable = data.usable
    if not usable:
        first = data.conversations[0].problem if data.conversations else "it holds no conversation"
        raise UserError(f"No row of {section.source} can be trained on: {first}.")
    if isinstance(section.held_out, str):
        other = read_data(section, section.held_out, data.table.path.parent)
        training, held = usable, other.usable
        if not held:
            raise UserError(f"No row of the held-out file {section.held_out} can be used; each needs an answer.")
    else:
        train_rows, held_rows = split_rows(len(usable), section.held_out, recipe.training.seed)
        training = tuple(usable[index] for index in train_rows)
        held = tuple(usable[index] for index in held_rows)
    encoded = encode_conversations((*training, *held), template, section.train_on, progress)
    first_held = len(training)
    fitted = [fit_example(row.row, row.ids, row.trained, section.max_length, section.over_length) for row in encoded]
    train = tuple(item for item in fitted[:first_held] if item is not None and item.trained_tokens)
    held_out = tuple(item for item in fitted[first_held:] if item is not None and item.trained_tokens)
    if not train:
        longest = max((len(row.ids) for row in encoded), default=0)
        raise UserError(
            f"No row of {section.source} is left to train on: none has an answer within data.max_length "
            f"{section.max_length}; the longest row has {longest} tokens."
        )
    asked = (ask(item, template, section.max_length) for item in held)
    questions = tuple(question for question in asked if question is not None)
    report = _report(recipe, data, (training, held), template, encoded, fitted, (train, held_out))
    return PreparedData(train, held_out, questions, report, tokenizer, template, _notices(report))


def ask(conversation: Conversation, template: ChatTemplate, max_length: int) -> Question | None:
    """The conversation's last answer as a question; None for plain text or a prompt that is too long."""
    last = max((n for n, m in enumerate(conversation.messages) if m.role == "assistant"), default=0)
    if conversation.text is not None or not last:
        return None
    before = conversation.messages[:last]
    text = template.render([as_mapping(message) for message in before], add_generation_prompt=True)
    ids = template.tokenizer.encode(text)[0]
    if len(ids) >= max_length:
        return None
    prompt = next((message.content for message in reversed(before) if message.role == "user"), "")
    return Question(conversation.row, prompt, tuple(ids), conversation.messages[last].content)


def _report(
    recipe: Recipe,
    data: ReadData,
    parts: tuple[Sequence[Conversation], Sequence[Conversation]],
    template: ChatTemplate,
    encoded: Sequence[Encoded],
    fitted: Sequence[Example | None],
    kept: tuple[Sequence[Example], Sequence[Example]],
) -> dict[str, Any]:
    from workbench.core.data.findings import find_problems
    from workbench.core.data.lengths import length_figures

    limit = recipe.data.max_length
    train, held_out = kept
    return {
        "source": recipe.data.source,
        "format": data.form.name,
        "format_reason": data.form.reason,
        "rows": len(data.conversations),
        "usable_rows": len(data.usable),
        "train_rows": len(train),
        "held_out_rows": len(held_out),
        "columns": list(data.table.columns),
        "mapping": dict(data.form.mapping),
        "template": template.name,
        "train_on": recipe.data.train_on,
        "lengths": length_figures(encoded),
        "trained_tokens": sum(item.trained_tokens for item in train),
        "total_tokens": sum(len(item.ids) for item in train),
        "max_length": limit,
        "over_length": {
            "rows": sum(len(row.ids) > limit for row in encoded),
            "tokens": sum(max(0, len(row.ids) - limit) for row in encoded),
            "action": recipe.data.over_length,
        },
        "findings": find_problems(data.conversations, *parts, template, encoded, fitted),
    }


def _notices(report: dict[str, Any]) -> tuple[str, ...]:
    return tuple(
        f"{finding['sentence']}" for finding in report["findings"] if finding["severity"] in ("warning", "error")
    )


def row_shape(report: dict[str, Any]) -> RowShape:
    """The longest row that a report speaks of, as the memory estimate needs it."""
    limit = report["max_length"]
    lengths = report["lengths"]
    return RowShape(min(limit, lengths["total"]["max"]), min(limit, lengths["answer"]["max"]))
