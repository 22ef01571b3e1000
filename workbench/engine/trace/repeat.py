"""The events of a whole model from those of a few of its layers.

The layers of a period are traced for two turns. Where both turns do the same, event for event, every further turn is
taken to do so too: its events are the second turn's, on memory of its own. The forward pass repeats from the first
turn to the last, the backward pass from the last to the first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from workbench.engine.trace.layers import Layers, Period, UnevenError
from workbench.engine.trace.log import Born, Event, Gone


class Mark(NamedTuple):
    """From the event at `place` on, a micro-batch's pass is in a layer; None: before, behind or between them."""

    place: int
    sweep: tuple[int, str]
    """Number of the micro-batch, and forward or backward."""
    layer: int | None


class Slot(NamedTuple):
    """A piece of memory within a turn: in which sweep it comes to be, and as which one."""

    sweep: tuple[int, str]
    place: int


@dataclass
class _Turns:
    """The traced events of both turns in one sweep."""

    first: list[Event] = field(default_factory=list)
    second: list[Event] = field(default_factory=list)


@dataclass
class _Known:
    """What is known of the memory that layers take."""

    slots: dict[int, tuple[int, Slot]] = field(default_factory=dict)
    """By a piece's number: the turn, 1 or 2, and its slot."""
    numbers: dict[Slot, dict[int, int]] = field(default_factory=dict)
    """The number of a slot's memory in each turn of the whole model."""
    gradients: frozenset[int] = frozenset()
    """Numbers of gradients, which the optimizer releases for every layer itself."""


def repeat_turns(
    events: Sequence[Event],
    marks: Sequence[Mark],
    layers: Layers,
    gradients: Mapping[str, int],
    roles: dict[int, str],
) -> list[Event]:
    """All events of the whole model; `roles` learns of the new ones. UnevenError where the turns differ.

    `gradients` has the number of every trained parameter's gradient, by its name, skipped layers' as well.
    """
    period = layers.period
    pieces = list(_pieces(events, marks, period))
    turns: dict[tuple[int, str], _Turns] = {}
    known = _Known(gradients=frozenset(gradients.values()))
    for sweep, turn, part in pieces:
        if turn:
            both = turns.setdefault(sweep, _Turns())
            mine = both.first if turn == 1 else both.second
            for event in part:
                if isinstance(event, Born):
                    known.slots[event.number] = (turn, Slot(sweep, len(mine)))
                mine.append(event)
    _number(turns, known, layers, gradients, roles, max((event.number for event in events), default=0))
    built: list[Event] = []
    for sweep, turn, part in pieces:
        if not turn:
            built.extend(_outside(part, known, period))
        elif (turn == 1) == (sweep[1] == "forward"):  # the turn that comes first: all of them follow from here
            order = range(1, period.times + 1)
            for number in order if sweep[1] == "forward" else reversed(order):
                built.extend(_turn(turns[sweep], number, known, layers))
    released = {event.number for event in built if isinstance(event, Gone)}
    for slot, each in known.numbers.items():
        if len({number in released for number in each.values()}) > 1:
            raise UnevenError(f"memory of {slot} is released in some turns alone")
    return built


def _pieces(
    events: Sequence[Event], marks: Sequence[Mark], period: Period
) -> Iterator[tuple[tuple[int, str], int, Sequence[Event]]]:
    """The events cut at the marks, neighbours of one turn together: sweep, turn (0 outside of them), events."""
    edges: list[tuple[int, tuple[int, str], int]] = [(0, (-1, ""), 0)]
    for mark in marks:
        turn = period.turn_of(mark.layer) if mark.layer is not None else 0
        if mark.layer in period.skipped:
            turn = -1
        if (mark.sweep, turn) != edges[-1][1:]:
            edges.append((mark.place, mark.sweep, turn))
    for place, (start, sweep, turn) in enumerate(edges):
        end = edges[place + 1][0] if place + 1 < len(edges) else len(events)
        if turn < 0:
            if end > start:
                raise UnevenError("something is done between the layers")
            continue
        yield sweep, turn, events[start:end]


def _number(
    turns: Mapping[tuple[int, str], _Turns],
    known: _Known,
    layers: Layers,
    gradients: Mapping[str, int],
    roles: dict[int, str],
    highest: int,
) -> None:
    """Give the memory of every turn a number: the traced ones' own in the first and the last, new ones between."""
    times, size = layers.period.times, layers.period.size
    names = {number: name for name, number in gradients.items()}
    for both in turns.values():
        if len(both.first) != len(both.second):
            raise UnevenError("the turns are not of one length")
        for one, other in zip(both.first, both.second, strict=True):
            if not isinstance(one, Born) or not isinstance(other, Born):
                continue
            slot = known.slots[one.number][1]
            name = names.get(other.number)
            if name is not None:  # a gradient: that of the same parameter of each layer
                shifted = [_shifted(name, layers.prefix, size * (turn - 2)) for turn in range(1, times + 1)]
                if not all(one in gradients for one in shifted):
                    raise UnevenError(f"{name} is not of one layer alone")
                each = {turn: gradients[one] for turn, one in enumerate(shifted, start=1)}
            else:
                each = {1: one.number, times: other.number}
                for turn in range(2, times):
                    highest += 1
                    each[turn] = highest
                    if other.number in roles:
                        roles[highest] = roles[other.number]
            known.numbers[slot] = each


def _turn(both: _Turns, turn: int, known: _Known, layers: Layers) -> Iterator[Event]:
    """The events of one turn of the whole model."""
    times, size = layers.period.times, layers.period.size
    for one, other in zip(both.first, both.second, strict=True):
        if isinstance(one, Born) and isinstance(other, Born):
            slot = known.slots[one.number][1]
            where = _shifted(one.where, layers.prefix, size)
            if (one.size, one.what, one.shape, where) != (other.size, other.what, other.shape, other.where):
                raise UnevenError(f"{one} is not {other}")
            moved = _shifted(one.where, layers.prefix, size * (turn - 1))
            yield Born(known.numbers[slot][turn], one.size, one.what, moved, one.shape, one.phase)
            continue
        if not isinstance(one, Gone) or not isinstance(other, Gone):
            raise UnevenError("the turns differ")
        yield Gone(_released(one, other, turn, times, known))


def _released(one: Gone, other: Gone, turn: int, times: int, known: _Known) -> int:
    """Which memory a release of this turn means: its own, or that of the turn before or behind it."""
    first, first_slot = known.slots.get(one.number, (0, None))
    second, second_slot = known.slots.get(other.number, (0, None))
    if (first, second) == (1, 2) and first_slot == second_slot and first_slot is not None:
        return known.numbers[first_slot][turn]
    if (first, second) == (0, 1) and second_slot is not None:
        return one.number if turn == 1 else known.numbers[second_slot][turn - 1]
    if (first, second) == (2, 0) and first_slot is not None:
        return other.number if turn == times else known.numbers[first_slot][turn + 1]
    raise UnevenError("the turns release different memory")


def _outside(events: Sequence[Event], known: _Known, period: Period) -> Iterator[Event]:
    """Events outside of the turns. What releases memory of both turns in a row releases that of all turns."""
    place = 0
    while place < len(events):
        run = place
        while run < len(events) and _is_of_layers(events[run], known):
            run += 1
        if run == place:
            yield events[place]
            place += 1
            continue
        found = [known.slots[event.number] for event in events[place:run]]
        yield from _run(found, known, period)
        place = run


def _is_of_layers(event: Event, known: _Known) -> bool:
    return isinstance(event, Gone) and event.number in known.slots and event.number not in known.gradients


def _run(found: list[tuple[int, Slot]], known: _Known, period: Period) -> Iterator[Event]:
    place = 0
    while place < len(found):
        turn = found[place][0]
        middle = next((at for at in range(place, len(found)) if found[at][0] != turn), len(found))
        slots = [slot for _, slot in found[place:middle]]
        end = middle + len(slots)
        if [slot for _, slot in found[middle:end]] == slots:
            order = range(1, period.times + 1)
            for number in order if turn == 1 else reversed(order):
                yield from (Gone(known.numbers[slot][number]) for slot in slots)
            place = end
        else:
            yield from (Gone(known.numbers[slot][1 if turn == 1 else period.times]) for slot in slots)
            place = middle


def _shifted(name: str, prefix: str, layers: int) -> str:
    """A module's or parameter's name, so many layers further on."""
    if not name.startswith(prefix):
        return name
    number, dot, rest = name[len(prefix) :].partition(".")
    return f"{prefix}{int(number) + layers}{dot}{rest}"
