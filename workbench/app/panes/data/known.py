"""What is known of every row once the data has been read: what becomes of it, and what the findings say of it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from workbench.app.glyphs import glyphs
from workbench.app.panes.data.trail import SEVERITIES, Trail, plain_sentence
from workbench.core.data.checks.row_sets import RowSet, unpack_sets

NONE = RowSet(())

SHOWN = {
    "train": "trained on",
    "held_out": "held out",
    "cut": "longer than max length",
    "left_out": "left out",
    "findings": "with a finding",
}
"""Rows that the list can be narrowed to, beside those of each finding."""


@dataclass(frozen=True)
class KnownRows:
    """The sets of a report; those that it has not are empty."""

    sets: Mapping[str, RowSet] = field(default_factory=dict)
    findings: tuple[Mapping[str, Any], ...] = ()
    """The findings about single rows, gravest first."""
    over_length: str = "drop"

    def __getitem__(self, name: str) -> RowSet:
        return self.sets.get(name, NONE)

    def holds(self, name: str, row: int, of: str = "source") -> bool:
        """Whether a set has a row."""
        found = self[name]
        at = bisect_left(found.rows, row)
        return found.of == of and at < len(found.rows) and found.rows[at] == row

    def said_of(self, row: int, of: str = "source") -> list[Mapping[str, Any]]:
        """The findings about a row, gravest first."""
        return [finding for finding in self.findings if self.holds(finding["kind"], row, of)]

    def use_of(self, row: int, of: str = "source") -> str:
        """What becomes of a row: train, held out, cut, split, held cut, left out; empty where nobody knows yet."""
        if not self.sets:
            return ""
        held = self.holds("held_out", row, of)
        if of == "source" and not held and not self.holds("train", row):
            return "left out"
        if of != "source" and not held:
            return "left out"
        if self.holds("cut", row, of) or self.holds("held_out_cut", row, of):
            word = "split" if self.over_length == "split" else "cut"
            return f"held {word}" if held else word
        return "held out" if held else "train"

    def trail(self, name: str, words: str) -> Trail:
        """The rows of a set, to walk."""
        found = self[name]
        return Trail(words, found.rows, len(found.rows), found.of, name)

    def trail_of_all(self, of: str = "source") -> Trail:
        """The rows that any finding is about."""
        if of == "source":
            return self.trail("findings", "findings")
        rows = sorted({row for item in self.findings if item["of"] == of for row in self[item["kind"]].rows})
        return Trail("findings", rows, len(rows), of)

    def trail_of(self, finding: Mapping[str, Any]) -> Trail:
        """The rows of a finding, to walk."""
        return self.trail(finding["kind"], plain_sentence(finding))


def known_rows(report: Mapping[str, Any] | None) -> KnownRows:
    """What a report knows of every row."""
    if report is None:
        return KnownRows()
    single = [finding for finding in report["findings"] if not finding["about_all"]]
    single.sort(key=lambda finding: SEVERITIES.index(finding["severity"]))
    return KnownRows(unpack_sets(report["row_sets"]), tuple(single), str(report["over_length"]["action"]))


def use_mark(use: str) -> str:
    """The mark before the word of a use."""
    marks = glyphs()
    if use.startswith("held"):
        return marks.waiting
    return {"train": " ", "left out": marks.cross, "cut": marks.warning, "split": marks.warning}.get(use, " ")
