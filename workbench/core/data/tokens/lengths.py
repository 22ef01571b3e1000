"""Lengths of rows in tokens: what is typical, what is extreme, and what a longest length would cost."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from workbench.core.data.tokens.example import Example

BINS = 16
PACKED_ROWS = 200_000
"""Rows up to which packing is worked out one by one; beyond it the sum of tokens is taken, which is within 1%."""

Counts = Mapping[str, Any]


def length_figures(encoded: Sequence[Example]) -> dict[str, Any]:
    """Lengths of prompts (untrained tokens), answers (trained tokens) and whole rows."""
    totals = [len(row) for row in encoded]
    answers = [row.all_trained for row in encoded]
    prompts = [total - answer for total, answer in zip(totals, answers, strict=True)]
    return {"prompt": summarise(prompts), "answer": summarise(answers), "total": summarise(totals)}


def summarise(lengths: Sequence[int]) -> dict[str, Any]:
    """Smallest, mean, median, 95th percentile, largest, sum, and a histogram of at most 16 equal bins.

    `histogram` is {"from": the lowest length, "width": of a bin in tokens, "counts": rows in each bin}.
    """
    if not lengths:
        return {"min": 0, "mean": 0.0, "median": 0, "p95": 0, "max": 0, "sum": 0, "histogram": None}
    ordered = sorted(lengths)
    low, high = ordered[0], ordered[-1]
    width = max(1, -(-(high - low + 1) // BINS))
    counts = [0] * (-(-(high - low + 1) // width))
    for length in ordered:
        counts[(length - low) // width] += 1
    return {
        "min": low,
        "mean": round(sum(ordered) / len(ordered), 1),
        "median": ordered[len(ordered) // 2],
        "p95": ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))],
        "max": high,
        "sum": sum(ordered),
        "histogram": {"from": low, "width": width, "counts": counts},
    }


def count_lengths(encoded: Iterable[Example]) -> dict[str, list[list[int]]]:
    """How many rows have each length, and each place of the last trained token: all that `figures_at` needs.

    Both as [[length, rows], …] in ascending order, so that a million rows are a few thousand numbers.
    """
    totals: Counter[int] = Counter()
    ends: Counter[int] = Counter()
    starts: Counter[int] = Counter()
    for row in encoded:
        totals[len(row)] += 1
        ends[row.last_trained + 1] += 1
        starts[len(row) - row.first_trained if row.first_trained >= 0 else 0] += 1
    return {
        "total": [[length, totals[length]] for length in sorted(totals)],
        "answer_end": [[length, ends[length]] for length in sorted(ends)],
        "answer_start": [[length, starts[length]] for length in sorted(starts)],
    }


def figures_at(lengths: Counts, max_length: int, over_length: str = "drop", micro_batch: int = 8) -> dict[str, Any]:
    """What `max_length` would do to the rows that `count_lengths` counted; milliseconds for any number of rows.

    `{"rows", "over", "dropped", "cut", "lost_ends", "kept_tokens", "lost_tokens", "padding", "padding_packed",
    "sequences", "longest"}`. `lost_ends`: rows whose answers lose their end (their beginning with cut_left).
    `padding`: the share of a batch that is padding, expected over random batches of `micro_batch` rows;
    `padding_packed`: the same where rows are packed (best fit, longest first) into `sequences` of `max_length`.
    """
    rows = sum(count for _, count in lengths["total"])
    tokens = sum(length * count for length, count in lengths["total"])
    over = sum(count for length, count in lengths["total"] if length > max_length)
    kept = _fitted(lengths["total"], max_length, over_length)
    kept_tokens = sum(length * count for length, count in kept)
    side = "answer_start" if over_length == "cut_left" else "answer_end"
    cut = over_length in ("cut_left", "cut_right")
    lost = sum(count for length, count in lengths[side] if length > max_length) if cut else 0
    sequences = _packed(kept, max_length)
    return {
        "rows": rows,
        "over": over,
        "dropped": over if over_length == "drop" else 0,
        "cut": over if cut else 0,
        "lost_ends": lost,
        "kept_tokens": kept_tokens,
        "lost_tokens": tokens - kept_tokens,
        "padding": _padding(kept, micro_batch),
        "padding_packed": 1 - kept_tokens / (sequences * max_length) if sequences else 0.0,
        "sequences": sequences,
        "longest": kept[-1][0] if kept else 0,
    }


def _fitted(counts: Sequence[Sequence[int]], max_length: int, over_length: str) -> list[tuple[int, int]]:
    kept: Counter[int] = Counter()
    for length, count in counts:
        if length <= max_length:
            kept[length] += count
        elif over_length == "split":
            whole, rest = divmod(length, max_length)
            kept[max_length] += whole * count
            if rest:
                kept[rest] += count
        elif over_length != "drop":
            kept[max_length] += count
    return sorted(kept.items())


def _padding(counts: Sequence[tuple[int, int]], micro_batch: int) -> float:
    """The expected share of padding: the mean of the longest of `micro_batch` random rows against the mean row."""
    rows = sum(count for _, count in counts)
    if not rows:
        return 0.0
    below, longest, mean = 0.0, 0.0, 0.0
    for length, count in counts:
        up_to = below + count / rows
        longest += length * (min(1.0, up_to) ** micro_batch - below**micro_batch)
        mean += length * count / rows
        below = up_to
    return max(0.0, 1 - mean / longest) if longest else 0.0


def _packed(counts: Sequence[tuple[int, int]], room: int) -> int:
    """Sequences of `room` tokens that hold all rows: each row into the fullest sequence that it fits, longest first."""
    rows = sum(count for _, count in counts)
    if rows > PACKED_ROWS:
        return -(-sum(length * count for length, count in counts) // room)
    left: dict[int, int] = {}
    spaces: list[int] = []
    sequences = 0
    for length, count in reversed(counts):
        remaining = count
        at = bisect_left(spaces, length)
        while remaining and at < len(spaces):
            space = spaces[at]
            there = left[space]
            if there > remaining:
                left[space] = there - remaining
                used = remaining
            else:
                used = there
                del left[space], spaces[at]
            remaining -= used
            rest = space - length
            if rest:
                if rest in left:
                    left[rest] += used
                else:
                    left[rest] = used
                    place = bisect_left(spaces, rest)
                    spaces.insert(place, rest)
                    at = place if rest >= length else at + 1  # the fullest one that the row fits
        if remaining:
            each = room // length
            sequences += -(-remaining // each)
            full, over = divmod(remaining, each)
            for space, number in ((room - each * length, full), (room - over * length, 1 if over else 0)):
                if number and space > 0:
                    if space in left:
                        left[space] += number
                    else:
                        left[space] = number
                        insort(spaces, space)
    return sequences
