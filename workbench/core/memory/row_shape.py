"""The longest row of a data set, as the memory estimate needs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class RowShape:
    """The longest row of the data, in tokens."""

    tokens: int
    trained: int
    """Trained tokens of the row that has most of them: only these get logits."""


def row_shape(report: Mapping[str, Any]) -> RowShape:
    """The longest row that a data report (`prepare_data`, `inspect_data`) speaks of, cut at its longest length."""
    limit = report["max_length"]
    lengths = report["lengths"]
    return RowShape(min(limit, lengths["total"]["max"]), min(limit, lengths["answer"]["max"]))
