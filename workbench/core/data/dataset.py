"""The data of a run: rows read, rendered, masked, fitted and split, the same for the trainer and for whoever looks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workbench.core.data.checks.duplicates import Resemblance
from workbench.core.data.checks.findings import KINDS, Taken, find_problems, name_first, note_tokens
from workbench.core.data.checks.row_sets import RowSet, sets_of_rows
from workbench.core.data.checks.survey import Survey, rows_of, survey_rows
from workbench.core.data.conversations.formats import Conversation, Format
from workbench.core.data.reading import Choice, ReadData, draw_copies, read_choice, read_data
from workbench.core.data.splits import join_clusters, split_clusters, split_rows, split_stratified
from workbench.core.data.templates.render import ChatTemplate, choose_template
from workbench.core.data.tokens.batches import encode_text
from workbench.core.data.tokens.encode import encode_conversations
from workbench.core.data.tokens.example import Example, fit_rows
from workbench.core.data.tokens.lengths import count_lengths, figures_at, length_figures
from workbench.core.data.tokens.mask import as_mapping, shield_message
from workbench.core.data.tokens.tokenizer import TextTokenizer, open_tokenizer
from workbench.core.data.watch import Progress, watched
from workbench.core.errors import UserError
from workbench.core.places import Workspace
from workbench.core.recipe import Recipe

__all__ = [
    "Example", "PreparedData", "Progress", "Question", "ReadData", "ask", "encode_conversations", "prepare_data",
    "read_data", "split_rows",
]  # fmt: skip

OVER_LONG = 1000
"""Rows longer than data.max_length that a report names; its count is of all."""


@dataclass(frozen=True, slots=True)
class Question:
    """A held-out row as a question to be answered."""

    row: int
    prompt: str
    """The last user turn, for people."""
    ids: tuple[int, ...]
    """The prompt's tokens, up to where the answer begins."""
    answer: str


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
    sets: Mapping[str, RowSet] = field(default_factory=dict)
    """All rows that a part of the report counts, by name."""


def prepare_data(
    recipe: Recipe,
    model_folder: Path,
    progress: Progress | None = None,
    workspace: Workspace | None = None,
    needs_answers: bool = True,
) -> PreparedData:
    """Everything that a run of `recipe` needs of its data. UserError where nothing is left to train on.

    Data from the Hub is read from the `workspace`'s cache. Without `needs_answers`, rows that are questions alone are
    no error.
    """
    with watched(progress):
        return _prepare(recipe, model_folder, progress, workspace, needs_answers)


def _prepare(
    recipe: Recipe, model_folder: Path, progress: Progress | None, workspace: Workspace | None, needs_answers: bool
) -> PreparedData:
    section = recipe.data
    tokenizer = open_tokenizer(model_folder)
    template = choose_template(tokenizer, section.template)
    choice = read_choice(section, KINDS)
    data = read_data(section, workspace=workspace)
    group_by = _group_column(recipe, data)
    shielded = section.control_tokens == "text"
    survey = survey_rows(data, template, section.train_on, choice, shielded, group_by, progress)
    note_tokens(survey, template)
    kept = _kept(survey, choice, section.duplicates == "first")
    if not kept:
        raise _nothing(section.source, survey)
    if isinstance(section.held_out, str):
        held_data = read_data(section, section.held_out, data.table.path.parent, workspace)
        everything = Choice(None, None, frozenset(), frozenset())
        held_survey = survey_rows(held_data, template, section.train_on, everything, shielded)
        train, held = kept, list(range(len(held_survey.examples)))
        if held_data.form.name == "instruction":
            held = []  # questions to ask, and no answers to measure the loss on
        elif not held:
            raise UserError(f"No row of the held-out file {section.held_out} can be used; each needs an answer.")
    else:
        held_data, held_survey = data, survey
        survey.resemblance = Resemblance()  # half a gigabyte for a million rows, which nothing below looks at
        train, held = _split(recipe, survey, kept)
    leaks = _leaks(survey, train, held_survey, held)
    if "leak" in choice.kinds:
        out = set(leaks)
        held, leaks = [place for place in held if place not in out], []
    examples, taken = _fit(recipe, data.form, template, (survey, train), (held_survey, held), leaks)
    copies = draw_copies(data, rows_of(survey, train), recipe.training.seed)
    trained = tuple(
        item for number, found in zip(copies, examples[0], strict=True) for item in found for _ in range(number)
    )
    held_out = tuple(item for found in examples[1] for item in found)
    if data.form.name == "instruction" and needs_answers:
        raise UserError(
            f"The rows of {section.source} are questions without answers, so nothing can be learnt from them; ask them "
            "in the chat, or name the column of answers with data.mapping."
        )
    if not trained and data.form.name != "instruction":
        longest = max((len(row) for row in survey.examples), default=0)
        raise UserError(
            f"No row of {section.source} is left to train on: none has an answer within data.max_length "
            f"{section.max_length}; the longest row has {longest} tokens."
        )
    asked = (
        ask(held_data.row_at(row)[1], template, section.max_length, shielded) for row in rows_of(held_survey, held)
    )
    questions = tuple(question for question in asked if question is not None)
    findings = find_problems(taken)
    sets = sets_of_rows(survey.rows, (item.row for item in trained), (item.row for item in held_out),
                        held_survey is not survey, _long_rows(taken, section.max_length), findings)  # fmt: skip
    report = _report(recipe, data, taken, choice, (trained, held_out), sets["cut"].rows, findings)
    return PreparedData(trained, held_out, questions, report, tokenizer, template, _notices(report), sets)


def ask(conversation: Conversation, template: ChatTemplate, max_length: int, shielded: bool = True) -> Question | None:
    """The conversation's last answer as a question; None for plain text or a prompt that is too long."""
    last = max((n for n, m in enumerate(conversation.messages) if m.role == "assistant"), default=0)
    if conversation.text is not None or not last or not conversation.messages[last].content.strip():
        return None
    before = conversation.messages[:last]
    turns = [as_mapping(message) for message in before]
    if shielded:
        turns = [dict(shield_message(turn, template.tokenizer)) for turn in turns]
    try:
        text = template.render(turns, add_generation_prompt=True, tools=conversation.tools)
    except UserError:
        return None
    ids = encode_text(text, template.tokenizer)
    if len(ids) >= max_length:
        return None
    prompt = next((message.content for message in reversed(before) if message.role == "user"), "")
    return Question(conversation.row, prompt, tuple(ids), conversation.messages[last].content)


def _group_column(recipe: Recipe, data: ReadData) -> str | None:
    by = recipe.data.held_out_by
    if by in ("random", "clusters") or isinstance(recipe.data.held_out, str):
        return None
    if by not in data.table.columns:
        raise UserError(
            f"data.held_out_by cannot be {by[:60]!r}; it takes random, clusters, or a column: "
            f"{', '.join(data.table.columns[:12])}."
        )
    return by


def _kept(survey: Survey, choice: Choice, first_only: bool) -> list[int]:
    """Places of the rows that are left after the recipe's choices by kind."""
    out = {place for kind in choice.kinds for place in survey.kinds.get(kind, [])}
    if first_only:
        out.update(survey.twins)
    return [place for place in range(len(survey.examples)) if place not in out]


def _split(recipe: Recipe, survey: Survey, kept: Sequence[int]) -> tuple[list[int], list[int]]:
    share, seed, by = recipe.data.held_out, recipe.training.seed, recipe.data.held_out_by
    assert not isinstance(share, str)
    if by == "random" and not survey.trees:
        parts = split_rows(len(kept), share, seed)
    elif by in ("random", "clusters"):
        alike = survey.clusters if by == "clusters" else range(len(survey.clusters))
        together = join_clusters(alike, survey.trees) if survey.trees else alike
        parts = split_clusters([together[place] for place in kept], share, seed)
    else:
        parts = split_stratified([survey.groups[place] for place in kept], share, seed)
    return [kept[index] for index in parts[0]], [kept[index] for index in parts[1]]


def _leaks(survey: Survey, train: Sequence[int], held_survey: Survey, held: Sequence[int]) -> list[int]:
    """Places of held-out rows whose prompt is trained on, or that resemble a trained row."""
    asked = {survey.prompts[place] for place in train}
    if held_survey is survey:
        clusters = {survey.clusters[place] for place in train}
        return [place for place in held if survey.prompts[place] in asked or survey.clusters[place] in clusters]
    near = set(held_survey.resemblance.resembling(held, survey.resemblance, train))
    return [place for place in held if held_survey.prompts[place] in asked or place in near]


Fitted = tuple[list[list[Example]], list[list[Example]]]


def _fit(
    recipe: Recipe,
    form: Format,
    template: ChatTemplate,
    training: tuple[Survey, Sequence[int]],
    held: tuple[Survey, Sequence[int]],
    leaks: Sequence[int],
) -> tuple[Fitted, Taken]:
    limit, how = recipe.data.max_length, recipe.data.over_length
    apart = held[0] is not training[0]
    found: dict[str, list[int]] = {}
    parts: list[list[list[Example]]] = []
    for side, (survey, places) in (("", training), ("held_out_" if apart else "", held)):
        fitted = []
        for place in places:
            row = survey.examples[place]
            pieces = fit_rows(row, limit, how)
            if not row.trained_tokens or (pieces and not any(piece.trained_tokens for piece in pieces)):
                found.setdefault(f"{side}no_trained_token", []).append(row.row)
            elif not pieces:
                found.setdefault(f"{side}too_long", []).append(row.row)
            if len(row) > limit and pieces and how != "split":
                found.setdefault(f"{side}cut", []).append(row.row)
            fitted.append([piece for piece in pieces if piece.trained_tokens])
        parts.append(fitted)
    unused = {kind: rows for kind, rows in found.items() if kind.startswith("held_out_")}
    if apart and form.name != "instruction":
        unused["held_out_unusable"] = [row for rows in held[0].unusable.values() for row in rows]
    taken = Taken(
        recipe.data,
        form.name,
        form.mapping.get("answer", ""),
        template,
        *training,
        *held,
        leaks,
        found.get("too_long", []),
        found.get("cut", []),
        found.get("no_trained_token", []),
        unused,
    )
    return (parts[0], parts[1]), taken


def _nothing(source: str, survey: Survey) -> UserError:
    if survey.failures and not survey.examples:
        first = survey.unusable["the chat template refuses it"][0]
        return UserError(f"Row {first + 1}: {survey.failures[0].sentence}", survey.failures[0].details)
    reasons = {**survey.refused, **survey.unusable}
    reason = max(reasons, key=lambda why: len(reasons[why]), default="it holds no conversation")
    if survey.examples:
        return UserError(f"No row of {source} is left to train on: data.leave_out and data.duplicates leave out all.")
    return UserError(f"No row of {source} can be trained on: {reason}.")


def _report(
    recipe: Recipe,
    data: ReadData,
    taken: Taken,
    choice: Choice,
    kept: tuple[Sequence[Example], Sequence[Example]],
    long: Sequence[int],
    findings: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    section, survey = recipe.data, taken.survey
    limit = section.max_length
    used = _Used(taken)
    train, held_out = kept
    counts = count_lengths(used)
    left_out = {kind: len(survey.kinds.get(kind, [])) for kind in sorted(choice.kinds)}
    if section.duplicates == "first":
        left_out["duplicate"] = len(survey.twins)
    left_out.update({reason: len(rows) for reason, rows in survey.refused.items()})
    return {
        "source": section.source,
        "format": data.form.name,
        "format_reason": data.form.reason,
        "rows": survey.rows,
        "usable_rows": len(survey.examples) + len(survey.unusable.get("the chat template refuses it", ())),
        "train_rows": len(train),
        "held_out_rows": len(held_out),
        "split": data.table.split,
        "splits": list(data.table.splits),
        "columns": list(data.table.columns),
        "mapping": dict(data.form.mapping),
        "sources": [
            {"source": part.table.source, "format": part.form.name, "start": part.start, "weight": part.weight}
            for part in data.parts
        ],
        "left_out": {reason: count for reason, count in left_out.items() if count},
        "template": taken.template.name,
        "train_on": section.train_on,
        "lengths": length_figures(used),
        "length_counts": counts,
        "trained_tokens": sum(item.trained_tokens for item in train),
        "total_tokens": sum(len(item) for item in train),
        "max_length": limit,
        "over_length": {
            "rows": sum(len(row) > limit for row in used),
            "tokens": sum(max(0, len(row) - limit) for row in used),
            "action": section.over_length,
            "first": list(long[:OVER_LONG]),
        },
        "at_max_length": figures_at(counts, limit, section.over_length, recipe.training.micro_batch),
        "findings": [name_first(finding, section.source) for finding in findings],
    }


class _Used(Sequence[Example]):
    """The rows that are left, to train on and held out, each made when it is looked at."""

    def __init__(self, taken: Taken) -> None:
        self._parts = ((taken.survey.examples, taken.train), (taken.held_survey.examples, taken.held))

    def __len__(self) -> int:
        return sum(len(places) for _, places in self._parts)

    def __getitem__(self, index: Any) -> Any:
        return list(self)[index]

    def __iter__(self) -> Iterator[Example]:
        for examples, places in self._parts:
            for place in places:
                yield examples[place]


def _long_rows(taken: Taken, limit: int) -> list[int]:
    """Rows of the source longer than `limit`; those of a held-out file of its own are not among them."""
    places = sorted((*taken.train, *(taken.held if taken.held_survey is taken.survey else ())))
    return [row.row for row in (taken.survey.examples[place] for place in places) if len(row) > limit]


def _notices(report: dict[str, Any]) -> tuple[str, ...]:
    return tuple(
        f"{finding['sentence']}" for finding in report["findings"] if finding["severity"] in ("warning", "error")
    )
