"""One walk over the rows: tokens, and what the doctor notes of each row."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from sys import intern

from workbench.core.data.checks.duplicates import Resemblance, members
from workbench.core.data.checks.looks import Look
from workbench.core.data.conversations.turns import Conversation
from workbench.core.data.files.lines import BAD_ROW, Row
from workbench.core.data.reading import Choice, ReadData
from workbench.core.data.templates.render import ChatTemplate
from workbench.core.data.tokens.batches import Job
from workbench.core.data.tokens.encode import encode_stream
from workbench.core.data.tokens.example import Example
from workbench.core.data.tokens.shelf import Shelf
from workbench.core.data.watch import Progress
from workbench.core.errors import UserError

EVERY = 512
LABELS = 40
"""Most different answers of what is taken for a classification."""


@dataclass
class Survey:
    """What one walk found. Places are indices into `examples`, rows are numbers in the source, both from 0."""

    examples: Shelf = field(default_factory=Shelf)
    clusters: Sequence[int] = ()
    """For each place the first one that it equals or resembles."""
    twins: list[int] = field(default_factory=list)
    """Places that equal an earlier one exactly."""
    prompts: array[int] = field(default_factory=lambda: array("q"))
    """For each place a hash of all that it asks."""
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
    groups: dict[int, str] = {}
    steps = Steps(data, progress)
    rows = _taken(data, choice, survey, groups, group_by)
    for conversation, done in encode_stream(rows, Job(template, train_on, shielded, looks=True), steps.check):
        steps.count(conversation.row + 1)
        if done.example is None or done.look is None:
            survey.unusable.setdefault("the chat template refuses it", []).append(conversation.row)
            if done.error is not None and not survey.failures:
                survey.failures.append(done.error)
            continue
        _note(survey, conversation, done.example, done.look)
        if group_by is not None:
            survey.groups.append(groups.pop(conversation.row, ""))
    steps.end(survey.rows)
    survey.clusters = survey.resemblance.clusters(steps.check)
    twins = set(survey.twins)
    near = [place for place in members(survey.clusters) if place not in twins]
    survey.kinds.update(
        {kind: places for kind, places in (("duplicate", survey.twins), ("near_duplicate", near)) if places}
    )
    return survey


def _note(survey: Survey, conversation: Conversation, example: Example, look: Look) -> None:
    """Put a row behind those before it."""
    place = len(survey.examples)
    survey.examples.append(example)
    for kind in look.kinds:
        survey.kinds.setdefault(kind, []).append(place)
    survey.prompts.append(look.asked)
    if survey.resemblance.add(look.said, look.signature):
        survey.twins.append(place)
    survey.scripts.append(intern(look.script))
    survey.languages.append(intern(look.language))
    if conversation.tree is not None:
        survey.trees[place] = conversation.tree
    _note_label(survey, look.label)


class Steps:
    """How far the walk is, told to whoever asked for it."""

    def __init__(self, data: ReadData, progress: Progress | None) -> None:
        self._data, self._progress = data, progress
        self._total = data.size[0] if progress else 0
        self._done = 0

    def count(self, done: int) -> None:
        """So many rows are done."""
        if self._progress and done - self._done >= EVERY:
            self._done = done
            total, _ = self._data.size
            self._total = max(total, done)
            self._progress(done, self._total)

    def check(self) -> None:
        """Nothing new; whoever asked may have gone."""
        if self._progress:
            self._progress(self._done, self._total)

    def end(self, done: int) -> None:
        """All rows are done."""
        self._done = self._total = done
        self.check()


def _taken(
    data: ReadData,
    choice: Choice,
    survey: Survey,
    groups: dict[int, str],
    group_by: str | None,
) -> Iterator[Conversation]:
    taken = 0
    for raw, conversation in data.pairs():
        if choice.first is not None and taken >= choice.first:
            break
        survey.rows += 1
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


def _note_label(survey: Survey, answer: str) -> None:
    if survey.labels is None:
        return
    if not answer:
        survey.labels, survey.answers = None, []
        return
    survey.labels[answer] += 1
    survey.answers.append(answer)
    if len(survey.labels) > LABELS:
        survey.labels, survey.answers = None, []


def rows_of(survey: Survey, places: Iterable[int]) -> list[int]:
    """The rows at places."""
    return [survey.examples[place].row for place in places]
