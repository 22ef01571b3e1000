"""Rows that have something in common, walked one after the other."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

ABOUT_ALL = ("foreign_template", "no_template")
"""Findings that speak of the data as a whole, not of single rows."""

SEVERITIES = ("error", "warning", "info")


@dataclass(frozen=True, slots=True)
class Trail:
    """Rows to walk, in order."""

    words: str
    """What they have in common, after "row 12": nearly repeats an earlier row."""
    rows: tuple[int, ...]
    """Their numbers from 0, ascending."""
    total: int
    """How many there are; `rows` may be only the first of them."""

    def neighbour(self, row: int, step: int) -> int | None:
        """The next row behind `row` (or before it, with a negative step), from the other end where there is none."""
        if not self.rows:
            return None
        if step > 0:
            at = bisect_right(self.rows, row)
            return self.rows[at % len(self.rows)]
        return self.rows[bisect_left(self.rows, row) - 1]

    def place_of(self, row: int) -> int | None:
        """Which of its rows this is, from 1."""
        at = bisect_left(self.rows, row)
        return at + 1 if at < len(self.rows) and self.rows[at] == row else None


def plain_sentence(finding: Mapping[str, Any]) -> str:
    """A finding's sentence without the count that ends it, where one does."""
    return str(finding["sentence"]).removesuffix(f": {finding['count']:,}.").removesuffix(".")


def trail_of_findings(report: Mapping[str, Any], severities: tuple[str, ...] = SEVERITIES) -> Trail:
    """Every row that a finding of these severities names."""
    found = [item for item in report["findings"] if item["kind"] not in ABOUT_ALL and item["severity"] in severities]
    rows = sorted({row for finding in found for row in finding["rows"]})
    return Trail("findings", tuple(rows), max(len(rows), *(finding["count"] for finding in found), 0))


def trail_of_finding(finding: Mapping[str, Any]) -> Trail:
    """The rows that one finding names."""
    return Trail(plain_sentence(finding), tuple(sorted(finding["rows"])), int(finding["count"]))


def words_of_row(report: Mapping[str, Any], row: int) -> tuple[str, ...]:
    """What the findings say of one row."""
    return tuple(
        plain_sentence(finding)
        for finding in report["findings"]
        if row in finding["rows"] and finding["kind"] not in ABOUT_ALL
    )


def severity_of_rows(report: Mapping[str, Any]) -> dict[int, str]:
    """The gravest severity of the findings about each row that one names."""
    found: dict[int, str] = {}
    for severity in reversed(SEVERITIES):
        for finding in report["findings"]:
            if finding["severity"] == severity and finding["kind"] not in ABOUT_ALL:
                found.update(dict.fromkeys(finding["rows"], severity))
    return found
