"""The order of a run's rows, from the first step to the last, fixed by the seed before the run begins.

Nothing of it comes from the random numbers that training draws, so a resumed run sees the rows of an unbroken one.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

from workbench.core.errors import UserError
from workbench.core.recipe import Recipe

WINDOW = 32
"""Optimizer steps whose rows are sorted by length together, where that pays."""

FULL_ENOUGH = 0.9
"""Share of real tokens in randomly filled batches above which rows are not sorted by length."""

OPEN_SEQUENCES = 32
"""Sequences that are being filled at a time when rows are packed."""


@dataclass(frozen=True)
class Order:
    """What goes through the model, in order."""

    sequences: tuple[tuple[int, ...], ...]
    """Indices of the rows in each sequence: one, or several where rows are packed."""
    steps: int
    """Optimizer steps."""
    passes: tuple[float, ...]
    """Passes over the data after each step."""


def order_rows(lengths: Sequence[int], recipe: Recipe) -> Order:
    """The rows of a run of `recipe` over examples of these lengths in tokens.

    Passes follow one another without a break, each in a random order of its own, so every step but the last has
    `effective_batch` sequences.
    """
    training = recipe.training
    source = random.Random(training.seed)
    wanted = None if training.steps is None else training.steps * training.effective_batch
    rows = None if wanted is not None else math.ceil(len(lengths) * training.epochs)
    packed = recipe.data.packing is True
    sort = not packed and _worth_sorting(lengths, training.micro_batch)
    sequences: list[tuple[int, ...]] = []
    taken = 0
    while (taken < rows) if rows is not None else (len(sequences) < (wanted or 0)):
        part = list(range(len(lengths)))
        source.shuffle(part)
        if rows is not None:
            part = part[: rows - taken]
        taken += len(part)
        if packed:
            sequences += _packed(part, lengths, recipe.data.max_length)
        elif sort:
            sequences += _sorted_by_length(part, lengths, recipe, len(sequences), source)
        else:
            sequences += [(index,) for index in part]
    if wanted is not None:
        del sequences[wanted:]
    size = training.effective_batch
    steps = math.ceil(len(sequences) / size)
    seen, passes = 0, []
    for step in range(steps):
        seen += sum(len(sequence) for sequence in sequences[step * size : (step + 1) * size])
        passes.append(seen / len(lengths))
    return Order(tuple(sequences), steps, tuple(passes))


def check_processes(recipe: Recipe, processes: int) -> int:
    """Micro-batches that each process accumulates a step; UserError where the batch cannot be shared out evenly."""
    share = recipe.accumulation / processes
    if share != int(share):
        raise UserError(
            f"training.effective_batch cannot be {recipe.training.effective_batch} on {processes} processes; "
            f"it takes a multiple of {processes} × training.micro_batch, {processes * recipe.training.micro_batch}."
        )
    return int(share)


def _worth_sorting(lengths: Sequence[int], micro_batch: int) -> bool:
    """Whether batches filled at random would hold much padding."""
    order = list(range(len(lengths)))
    random.Random(0).shuffle(order)
    places = 0
    for start in range(0, len(order), micro_batch):
        batch = [lengths[index] for index in order[start : start + micro_batch]]
        places += max(batch) * len(batch)
    return sum(lengths) < FULL_ENOUGH * places


def _sorted_by_length(
    rows: list[int], lengths: Sequence[int], recipe: Recipe, before: int, source: random.Random
) -> list[tuple[int, ...]]:
    """One pass with rows of similar length in the same micro-batch.

    `before`: sequences so far. The first rows fill up the micro-batch that the pass before has begun. The largest
    micro-batch of the first pass comes first: a run that does not fit fails at once, and its peak is known at once.
    """
    size = recipe.training.micro_batch
    begun = -before % size
    placed, rest = rows[:begun], rows[begun:]
    window = WINDOW * recipe.training.effective_batch
    batches: list[list[int]] = []
    for start in range(0, len(rest), window):
        part = sorted(rest[start : start + window], key=lambda index: lengths[index])
        cut = [part[place : place + size] for place in range(0, len(part), size)]
        short = [batch for batch in cut if len(batch) < size]
        whole = [batch for batch in cut if len(batch) == size]
        source.shuffle(whole)
        batches += whole + short
    if before == 0 and batches and len(batches[0]) == size:
        largest = max(
            range(len(batches)),
            key=lambda place: (len(batches[place]) == size, max(lengths[index] for index in batches[place])),
        )
        batches[0], batches[largest] = batches[largest], batches[0]
    return [(index,) for index in [*placed, *(index for batch in batches for index in batch)]]


def _packed(rows: list[int], lengths: Sequence[int], longest: int) -> list[tuple[int, ...]]:
    """One pass with several rows in a sequence of at most `longest` tokens: each row goes where it fits best."""
    done: list[tuple[int, ...]] = []
    open_: list[tuple[int, list[int]]] = []  # room left, rows
    for row in rows:
        fitting = [place for place, (room, _) in enumerate(open_) if room >= lengths[row]]
        if fitting:
            best = min(fitting, key=lambda place: open_[place][0])
            room, held = open_[best]
            open_[best] = (room - lengths[row], [*held, row])
            continue
        if len(open_) == OPEN_SEQUENCES:
            fullest = min(range(len(open_)), key=lambda place: open_[place][0])
            done.append(tuple(open_.pop(fullest)[1]))
        open_.append((longest - lengths[row], [row]))
    return done + [tuple(held) for _, held in open_]
