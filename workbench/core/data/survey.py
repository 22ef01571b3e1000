"""One walk over the rows: tokens, and what the doctor notes of each row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from workbench.core.data.doctor import last_answer, look_at, script_of, whole_text
from workbench.core.data.duplicates import Resemblance, members
from workbench.core.data.encode import Progress, encode_stream
from workbench.core.data.example import Example
from workbench.core.data.languages import language_of
from workbench.core.data.lines import BAD_ROW, Row
from workbench.core.data.mask import SHIELD, UNSHIELD, MarkedText
from workbench.core.data.reading import Choice, ReadData
from workbench.core.data.template_warnings import drops_turn
from workbench.core.data.templates import ChatTemplate
from workbench.core.data.turns import Conversation
from workbench.core.errors import UserError

EVERY = 512
LABELS = 40
"""Most different answers of what is taken for a classification."""


@dataclass
class Survey:
    """What one walk found. Places are indices into `examples`, rows are numbers in the source, both from 0."""

    examples: list[Example] = field(default_factory=list)
    clusters: list[int] = field(default_factory=list)
    """For each place the first one that it equals or resembles."""
    twins: list[int] = field(default_factory=list)
    """Places that equal an earlier one exactly."""
    prompts: list[int] = field(default_factory=list)
    """For each place a hash of all that it asks."""
    texts: list[int] = field(default_factory=list)
    """For each place a hash of all that it says."""
    kinds: dict[str, list[int]] = field(default_factory=dict)
    """Places by kind of finding."""
    unusable: dict[str, list[int]] = field(default_factory=dict)
    """Rows that nothing can be learnt from, by the reason."""
    refused: dict[str, list[int]] = field(default_factory=dict)
    """Rows that the recipe does not take, by the reason."""
    failures: list[UserError] = field(default_factory=list)
    """The first of what the template refused."""
    trees: dict[int, int] = field(default_factory=dict)
    """Places of conversations that share a tree of messages, with its number."""
    groups: list[str] = field(default_factory=list)
    """For each place the value of the column that the rows are grouped by."""
    scripts: list[str] = field(default_factory=list)
    languages: list[str] = field(default_factory=list)
    """For each place its language, empty where the words do not tell."""
    labels: Counter[str] | None = field(default_factory=Counter)
    """How often each answer comes, where there are few different ones."""
    answers: list[str] = field(default_factory=list)
    """For each place its answer, where there are few different ones."""
    resemblance: Resemblance = field(default_factory=Resemblance)
    rows: int = 0
    """Rows that were looked at."""


def survey_rows(
    data: ReadData,
    template: ChatTemplate,
    train_on: str,
    choice: Choice,
    shielded: bool = True,
    group_by: str | None = None,
    progress: Progress | None = None,
) -> Survey:
    """Every row that the recipe takes, tokenised and looked at once; only tokens and figures are held."""
    survey = Survey()
    resemblance = survey.resemblance
    groups: dict[int, str] = {}
    rows = _taken(data, choice, survey, groups, group_by, progress)
    for conversation, marked, example in encode_stream(rows, template, train_on, shielded):
        if example is None or isinstance(marked, UserError):
            survey.unusable.setdefault("the chat template refuses it", []).append(conversation.row)
            if isinstance(marked, UserError) and not survey.failures:
                survey.failures.append(marked)
            continue
        place = len(survey.examples)
        survey.examples.append(example)
        text = whole_text(conversation)
        for kind in look_at(conversation, text, template.tokenizer):
            survey.kinds.setdefault(kind, []).append(place)
        if _drops(conversation, marked):
            survey.kinds.setdefault("dropped_turn", []).append(place)
        key = hash(conversation.text) if conversation.text is not None else hash(_turns(conversation))
        answered = conversation.text is None and conversation.messages[-1].role == "assistant"
        asked = hash(_turns(conversation)[:-1]) if answered else key
        survey.prompts.append(asked)
        survey.texts.append(key)
        if resemblance.add(key, text):
            survey.twins.append(place)
        script = script_of(text)
        survey.scripts.append(script)
        survey.languages.append(language_of(text) if script == "Latin" else "")
        if conversation.tree is not None:
            survey.trees[place] = conversation.tree
        _note_label(survey, conversation)
        if group_by is not None:
            survey.groups.append(groups.pop(conversation.row, ""))
    survey.clusters = resemblance.clusters()
    twins = set(survey.twins)
    near = [place for place in members(survey.clusters) if place not in twins]
    survey.kinds.update(
        {kind: places for kind, places in (("duplicate", survey.twins), ("near_duplicate", near)) if places}
    )
    return survey


def _taken(
    data: ReadData,
    choice: Choice,
    survey: Survey,
    groups: dict[int, str],
    group_by: str | None,
    progress: Progress | None,
) -> Iterator[Conversation]:
    total = len(data) if progress else 0
    taken = 0
    for raw, conversation in data.pairs():
        if choice.first is not None and taken >= choice.first:
            break
        survey.rows += 1
        if progress and (survey.rows % EVERY == 0 or survey.rows == total):
            progress(min(survey.rows, total), total)
        why = choice.refuses(raw, conversation.row) if BAD_ROW not in raw else None
        if why is not None:
            survey.refused.setdefault(why, []).append(conversation.row)
            continue
        if conversation.problem is not None:
            reason = "it cannot be read" if BAD_ROW in raw else conversation.problem
            survey.unusable.setdefault(reason, []).append(conversation.row)
            continue
        taken += 1
        if group_by is not None:
            groups[conversation.row] = _group(raw, group_by)
        yield conversation


def _group(raw: Row, column: str) -> str:
    return str(raw.get(column))[:200]


def _turns(conversation: Conversation) -> tuple[tuple[str, str, str], ...]:
    return tuple((item.role, item.content, str(item.extra) if item.extra else "") for item in conversation.messages)


def _drops(conversation: Conversation, marked: MarkedText) -> bool:
    """Whether a turn's text is nowhere in what the template wrote."""
    text = marked.text
    if SHIELD in text:
        text = text.replace(SHIELD, "").replace(UNSHIELD, "")
    return drops_turn(conversation, text)


def _note_label(survey: Survey, conversation: Conversation) -> None:
    if survey.labels is None:
        return
    answer = last_answer(conversation)
    if not answer or len(answer) > 60:
        survey.labels, survey.answers = None, []
        return
    survey.labels[answer] += 1
    survey.answers.append(answer)
    if len(survey.labels) > LABELS:
        survey.labels, survey.answers = None, []


def rows_of(survey: Survey, places: Iterable[int]) -> list[int]:
    """The rows at places."""
    return [survey.examples[place].row for place in places]
