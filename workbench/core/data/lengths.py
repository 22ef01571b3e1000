"""Lengths of rows in tokens: what is typical, what is extreme, and how they spread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workbench.core.data.dataset import Encoded

BINS = 16


def length_figures(encoded: Sequence[Encoded]) -> dict[str, Any]:
    """Lengths of prompts (untrained tokens), answers (trained tokens) and whole rows."""
    answers = [sum(row.trained) for row in encoded]
    totals = [len(row.ids) for row in encoded]
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
