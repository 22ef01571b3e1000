"""From a log of allocations to the peak: its size, its parts, the operation at it, and what the allocator reserves."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workbench.engine.trace.allocator import Allocator, rounded
from workbench.engine.trace.log import OUTPUTS, Born, Event, Gone

PARTS = ("weights", "adapters", "gradients", "optimizer", "activations", "loss", "buffers")

LARGEST = 12
"""Groups of tensors that are listed."""

PHASES = {
    "setup": "setting up",
    "forward": "the forward pass",
    "backward": "the backward pass",
    "optimizer": "the optimizer step",
}


@dataclass(frozen=True, slots=True)
class Peak:
    """The highest point of a traced run; sizes in bytes."""

    allocated: int
    reserved: int
    parts: dict[str, int]
    phase: str
    operation: str
    module: str
    largest: tuple[dict[str, Any], ...]
    """Groups of like tensors that live at the peak: what, where, shape, count, bytes, part."""


def one_step(set_up: Sequence[Event], step: Sequence[Event], roles: Mapping[int, str]) -> Iterator[Event]:
    """The events of setting up and of one step behind others, of which only what stays is there: states, gradients.

    The optimizer's states were made by an earlier step, and so were the gradients that are let go before this one.
    """
    yield from set_up
    gone = {event.number for event in step if isinstance(event, Gone)}
    born = [event for event in step if isinstance(event, Born)]
    staying = {event.number for event in born} - gone
    gradients = [event for event in born if event.number in gone and roles.get(event.number) == "gradients"]
    yield from (_again(event) for event in gradients)
    yield from (event for event in born if event.number in staying)
    yield from (Gone(-event.number) for event in gradients)
    yield from (event for event in step if event.number not in staying)


def two_steps(set_up: Sequence[Event], step: Sequence[Event], roles: Mapping[int, str]) -> Iterator[Event]:
    """The events of setting up and of two steps. The second step is the first again, but what it left stays.

    An optimizer makes its states in its first step: only the second one has them beside its activations. Outputs that
    the loop holds on to go when those of the second step are there, at the end of its forward pass.
    """
    yield from set_up
    held = [event for event in step if isinstance(event, Gone) and roles.get(event.number) == OUTPUTS]
    late = {event.number for event in held}
    step = [event for event in step if event.number not in late or isinstance(event, Born)]
    yield from step
    gone = late | {event.number for event in step if isinstance(event, Gone)}
    staying = {event.number for event in step if isinstance(event, Born)} - gone
    for event in step:
        if held and isinstance(event, Born) and event.phase == "backward":
            yield from held
            held = []
        if event.number not in staying:
            yield _again(event)


def _again(event: Event) -> Event:
    """The event of the second step; numbers below zero are its own."""
    if isinstance(event, Gone):
        return Gone(-event.number)
    return Born(-event.number, event.size, event.what, event.where, event.shape, event.phase)


def find_peak(
    set_up: Sequence[Event],
    step: Sequence[Event],
    roles: Mapping[int, str],
    vocabulary: int,
    caches: bool,
    emptied: bool = False,
) -> Peak:
    """The peak of two steps. `caches`: whether the device's allocator is CUDA's, which rounds and keeps segments.

    `emptied`: that of one step which begins with nothing in that cache.
    """
    events = list(one_step(set_up, step, roles) if emptied else two_steps(set_up, step, roles))
    size_of = rounded if caches else int
    allocator = Allocator()
    now = highest = at = 0
    sizes: dict[int, int] = {}
    born_before = {event.number for event in set_up}
    for place, event in enumerate(events):
        if isinstance(event, Born):
            sizes[event.number] = size_of(event.size)
            now += sizes[event.number]
            if caches:
                allocator.allocate(event.number, event.size)
            if now > highest:
                highest, at = now, place
        else:
            number = event.number
            if -number in born_before:
                number = -number  # what was there before is released once
            if number not in sizes:
                continue
            now -= sizes.pop(number)
            if caches:
                allocator.release(number)
    living, last = _living(events, at)
    parts = dict.fromkeys(PARTS, 0)
    for event in living:
        parts[part_of(event, roles, vocabulary)] += size_of(event.size)
    return Peak(
        allocated=highest,
        reserved=allocator.highest if caches else highest,
        parts=parts,
        phase=PHASES.get(last.phase, last.phase),
        operation=last.what,
        module=last.where,
        largest=tuple(_groups(living, roles, vocabulary, size_of)),
    )


def _living(events: Iterable[Event], at: int) -> tuple[list[Born], Born]:
    """What lives when the event at that place has happened, and that event."""
    found: dict[int, Born] = {}
    last: Born | None = None
    for place, event in enumerate(events):
        if isinstance(event, Born):
            found[event.number] = last = event
        else:
            found.pop(event.number, None)
        if place == at:
            break
    assert last is not None
    return list(found.values()), last


def part_of(event: Born, roles: Mapping[int, str], vocabulary: int) -> str:
    """The part of the peak that a piece of memory belongs to."""
    known = roles.get(abs(event.number))
    if known is not None and known != OUTPUTS:
        return known
    if event.shape and event.shape[-1] == vocabulary and event.phase != "optimizer":
        return "loss"
    return "activations" if event.phase == "forward" or event.where else "buffers"


def _groups(
    living: Iterable[Born], roles: Mapping[int, str], vocabulary: int, size_of: Any
) -> Iterator[dict[str, Any]]:
    """The largest groups of tensors of one kind, layers taken together."""
    sums: dict[tuple[str, str, str, tuple[int, ...]], list[int]] = {}
    for event in living:
        name, where = _without_numbers(event.what), _without_numbers(event.where)
        key = (part_of(event, roles, vocabulary), name, where, event.shape)
        found = sums.setdefault(key, [0, 0])
        found[0] += 1
        found[1] += size_of(event.size)
    largest = sorted(sums.items(), key=lambda item: item[1][1], reverse=True)[:LARGEST]
    for (part, name, where, shape), (count, size) in largest:
        yield {"part": part, "what": name, "where": where, "shape": list(shape), "count": count, "bytes": size}


def _without_numbers(name: str) -> str:
    return re.sub(r"\.\d+(?=\.|$)", ".*", name)
