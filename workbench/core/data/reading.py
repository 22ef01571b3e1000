"""A recipe's sources read and understood, row by row when they are asked for, not yet tokenised."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from workbench.core.data.conversations.formats import Format, detect_format, read_conversations, read_row
from workbench.core.data.conversations.turns import Conversation
from workbench.core.data.files.hub import about_fetched, hub_data, open_fetched
from workbench.core.data.files.sources import Row, Table, read_table
from workbench.core.data.selection import Test, read_filter
from workbench.core.errors import UserError
from workbench.core.places import Workspace
from workbench.core.recipe import DataSection


@dataclass(frozen=True, slots=True)
class Part:
    """One source of several."""

    table: Table
    form: Format
    conversations: Sequence[Conversation]
    start: int
    """Index of its first row among the rows of all sources."""
    weight: float


@dataclass(frozen=True, slots=True)
class ReadData:
    """The rows of a recipe's source, and of those mixed in behind it."""

    parts: tuple[Part, ...]

    @property
    def table(self) -> Table:
        """The first source."""
        return self.parts[0].table

    @property
    def form(self) -> Format:
        return self.parts[0].form

    @property
    def conversations(self) -> Sequence[Conversation]:
        if len(self.parts) == 1:
            return self.parts[0].conversations
        return tuple(item for _, item in self.pairs())

    @property
    def usable(self) -> tuple[Conversation, ...]:
        """Every row that something can be learnt from; all at once, so not for large data."""
        return tuple(item for item in self.conversations if item.problem is None)

    def __len__(self) -> int:
        return sum(len(part.conversations) for part in self.parts)

    def pairs(self) -> Iterator[tuple[Row, Conversation]]:
        """Every row as it stands, with what it says."""
        for part in self.parts:
            for raw, item in _pairs(part):
                yield raw, _numbered(item, part)

    def row_at(self, number: int) -> tuple[Row, Conversation]:
        """One row of all, by its number from 0."""
        part = next(part for part in reversed(self.parts) if part.start <= number)
        item: Conversation = part.conversations[number - part.start]
        return part.table.rows[_place(item)], _numbered(item, part)

    def page(self, start: int, count: int) -> list[tuple[Row, Conversation]]:
        """`count` rows from the `start`-th on; of a large file, only those are read."""
        found: list[tuple[Row, Conversation]] = []
        before = 0
        for part in self.parts:
            low, high = max(0, start - before), start + count - before
            if part.form.name == "oasst":
                rows = [(part.table.rows[_place(item)], item) for item in part.conversations[low:high]]
            else:
                raws = part.table.rows[low:high]
                rows = [(raw, _one(part, low + index, raw)) for index, raw in enumerate(raws)]
            found += [(raw, _numbered(item, part)) for raw, item in rows]
            if len(found) >= count:
                break
            before += len(part.conversations)
        return found

    @property
    def size(self) -> tuple[int, bool]:
        """How many rows there are, and whether that is counted (else estimated)."""
        if len(self.parts) == 1 and self.form.name != "oasst":
            return self.table.size
        return len(self), True


def _numbered(item: Conversation, part: Part) -> Conversation:
    """A part's conversation with its numbers among those of all parts."""
    if not part.start:
        return item
    # Trees of other parts have numbers of their own, below that of any tree in a part behind them.
    tree = None if item.tree is None else item.tree + (part.start << 32)
    return replace(item, row=item.row + part.start, tree=tree)


def _place(item: Conversation) -> int:
    """The row of its source that a conversation is shown with."""
    return item.row if item.source_row is None else item.source_row


def _one(part: Part, number: int, raw: Row) -> Conversation:
    return read_row(number, raw, part.form)


def _pairs(part: Part) -> Iterator[tuple[Row, Conversation]]:
    if part.form.name == "oasst":
        for item in part.conversations:
            yield part.table.rows[_place(item)], item
        return
    for number, raw in enumerate(part.table.rows):
        yield raw, _one(part, number, raw)


def read_data(
    section: DataSection,
    source: str | None = None,
    beside: Path | None = None,
    workspace: Workspace | None = None,
) -> ReadData:
    """The recipe's sources as conversations, or those of another `source`, such as the held-out file.

    Data from the Hub is read from the `workspace`'s cache; UserError where it has not been fetched.
    """
    table = open_source(section, source or section.source, beside, workspace)
    form = detect_format(table, section.format, section.mapping, section.paths)
    weights = {str(name): _weight(str(name), weight) for name, weight in section.mix.items()}
    own = weights.pop(section.source, 1.0)
    parts = [Part(table, form, read_conversations(table, form), 0, own if source is None else 1.0)]
    if source is None:
        for name, weight in weights.items():
            start = parts[-1].start + len(parts[-1].conversations)
            more = open_source(section, name, beside or table.path.parent, workspace)
            mapping = section.mapping if set(section.mapping.values()) <= set(more.columns) else {}
            shape = detect_format(more, "auto" if not mapping else section.format, mapping, section.paths)
            parts.append(Part(more, shape, read_conversations(more, shape), start, weight))
    return ReadData(tuple(parts))


def open_source(section: DataSection, source: str, beside: Path | None, workspace: Workspace | None) -> Table:
    """The rows of one source, whatever their format; a relative path is looked for in the folder `beside` too."""
    skip = section.on_bad_row == "skip"
    hub = hub_data(source, section, beside)
    if hub is not None:
        folder = open_fetched(hub, workspace)
        about = about_fetched(hub, workspace) if workspace else {}
        table = read_table(str(folder), None, skip)
        return replace(table, source=source, split=about.get("split"), splits=tuple(about.get("splits") or ()))
    if source == section.source:
        return read_table(source, beside, skip, section.subset, section.split)
    return read_table(source, beside, skip)


def _weight(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= 100:
        raise UserError(f"data.mix cannot take {name[:60]} with {value!r}; it takes a number above 0 and at most 100.")
    return float(value)


@dataclass(frozen=True, slots=True)
class Choice:
    """Which rows of the sources a recipe takes, as far as one row tells."""

    test: Test | None
    first: int | None
    numbers: frozenset[int]
    """Rows that the recipe leaves out, from 0."""
    kinds: frozenset[str]
    """Kinds of findings whose rows it leaves out."""

    def refuses(self, raw: Mapping[str, Any], number: int) -> str | None:
        """Why the row is not taken, or None."""
        if number in self.numbers:
            return "data.leave_out names it"
        if self.test is not None and not self.test(raw):
            return "it does not pass data.filter"
        return None


def read_choice(section: DataSection, kinds: Sequence[str]) -> Choice:
    """The recipe's choice of rows; UserError where it cannot be read."""
    numbers: set[int] = set()
    names: set[str] = set()
    for item in section.leave_out:
        if isinstance(item, int) and not isinstance(item, bool) and item > 0:
            numbers.add(item - 1)
        elif isinstance(item, str) and item in kinds:
            names.add(item)
        else:
            raise UserError(
                f"data.leave_out cannot hold {str(item)[:60]!r}; it takes row numbers from 1, or kinds of findings: "
                f"{', '.join(kinds)}."
            )
    test = read_filter(section.filter) if section.filter else None
    return Choice(test, section.first, frozenset(numbers), frozenset(names))


def draw_copies(data: ReadData, rows: Sequence[int], seed: int) -> list[int]:
    """For each taken row how often it is trained on: by its source's weight, a fraction of a row by chance and seed.

    A row's chance is its own: it does not depend on which other rows are taken. `rows` are in ascending order.
    """
    copies: list[int] = []
    chances = [random.Random(f"{seed} {part.table.source}") for part in data.parts]
    drawn = [part.start for part in data.parts]
    starts = [part.start for part in data.parts]
    part = 0
    for row in rows:
        while part + 1 < len(starts) and starts[part + 1] <= row:
            part += 1
        whole, rest = divmod(data.parts[part].weight, 1)
        chance = 1.0
        while rest and drawn[part] <= row:
            chance = chances[part].random()
            drawn[part] += 1
        copies.append(int(whole) + (1 if chance < rest else 0))
    return copies
