"""The runs as rows of a table: what each column shows and how it sorts."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from workbench.app.words import base_name, visible
from workbench.core.runs.folder import ENDED, RunFolder
from workbench.core.runs.listing import RunSummary
from workbench.core.words import clock_text, count_text, loss_text, share_text, size_text


@dataclass(frozen=True)
class RunRow:
    """One run as the table shows it."""

    summary: RunSummary
    facts: Mapping[str, Any]
    """What `describe_run` says of it; empty as long as that has not been read."""

    @property
    def folder(self) -> RunFolder:
        return self.summary.folder

    @property
    def state(self) -> str:
        return self.summary.state

    @property
    def live(self) -> bool:
        """Whether its trainer is there."""
        return self.state not in ENDED


@dataclass(frozen=True)
class Column:
    """A column of the table."""

    key: str
    title: str
    width: int
    text: Callable[[RunRow], str]
    order: Callable[[RunRow], Any]
    """What it sorts by; None stands behind everything."""
    right: bool = False
    """Whether it is set flush right, as figures are."""
    descending: bool = False
    """Whether the first sort by it is from high to low."""


def _steps(row: RunRow) -> str:
    status = row.summary.status
    if status is None or not status.steps:
        return "–"
    if row.state == "finished":
        return count_text(status.steps)
    return f"{count_text(status.step)} of {count_text(status.steps)}"


def _seconds(row: RunRow) -> float | None:
    return row.facts.get("seconds") or (row.summary.status.seconds if row.summary.status else None)


def started_text(started: float | None, now: float | None = None) -> str:
    """When a run started: the clock for today, day and month before that, and the year where it is another one."""
    if not started:
        return "–"
    then, today = time.localtime(started), time.localtime(time.time() if now is None else now)
    if then[:3] == today[:3]:
        return time.strftime("today %H:%M", then)
    if then.tm_year == today.tm_year:
        return time.strftime("%d %b %H:%M", then)
    return time.strftime("%d %b %Y", then)


def _method(row: RunRow) -> str:
    if row.summary.recipe is None:
        return "–"
    method = row.summary.recipe.method
    rank = method.knobs.get("rank")
    title = method.facts.title.removeprefix("Adapters (").removesuffix(")")
    title = title.removesuffix(" fine-tuning").removesuffix(" tuning")
    return visible(title) + (f" r={rank}" if rank is not None else "")


def _model(row: RunRow) -> str:
    return visible(base_name(row.summary.recipe.model.path)) if row.summary.recipe else "–"


def _peak(row: RunRow) -> int | None:
    """The measured peak of memory, in bytes."""
    return (row.facts.get("memory") or {}).get("measured")


def _peak_text(row: RunRow) -> str:
    peak = _peak(row)
    return "–" if peak is None else size_text(peak)


def _started(row: RunRow) -> float | None:
    return row.summary.status.started if row.summary.status else None


COLUMNS: dict[str, Column] = {
    column.key: column
    for column in (
        Column("run", "run", 16, lambda row: visible(row.folder.name), lambda row: row.folder.name),
        Column("state", "state", 10, lambda row: row.state, lambda row: row.state),
        Column("model", "model", 12, _model, _model),
        Column("method", "method", 13, _method, _method),
        Column(
            "trained",
            "trained",
            13,
            lambda row: count_text(row.facts.get("trainable_parameters")),
            lambda row: row.facts.get("trainable_parameters"),
            right=True,
        ),
        Column("steps", "steps", 12, _steps, lambda row: row.summary.status and row.summary.status.steps, right=True),
        Column("peak", "peak", 8, _peak_text, _peak, right=True),
        Column("time", "time", 8, lambda row: clock_text(_seconds(row)), _seconds, right=True),
        Column(
            "base_loss",
            "base loss",
            10,
            lambda row: loss_text(row.facts.get("base_loss")),
            lambda row: row.facts.get("base_loss"),
            right=True,
        ),
        Column(
            "loss",
            "held-out",
            9,
            lambda row: loss_text(row.facts.get("held_out_loss")),
            lambda row: row.facts.get("held_out_loss"),
            right=True,
        ),
        Column(
            "base_score",
            "base",
            6,
            lambda row: share_text(row.facts.get("base_score")),
            lambda row: row.facts.get("base_score"),
            right=True,
        ),
        Column(
            "score",
            "right",
            6,
            lambda row: share_text(row.facts.get("score")),
            lambda row: row.facts.get("score"),
            right=True,
            descending=True,
        ),
        Column("started", "started", 13, lambda row: started_text(_started(row)), _started, descending=True),
    )
}

PRIORITY = (
    "run", "state", "method", "score", "loss", "trained", "time", "peak", "started", "steps", "base_loss",
    "base_score", "model",
)  # fmt: skip
"""Which columns stay as the pane gets narrower, the most needed first; a narrower one stays in a wider one's place."""


MARGIN = 3
"""Cells before the first column: the mark and the cursor."""


def columns_for(width: int) -> list[Column]:
    """The columns that fit, in their order, behind the mark and with a gap of two cells."""
    left = width - MARGIN
    kept = set()
    for key in PRIORITY:
        taken = COLUMNS[key].width + 2
        if taken <= left + 2:
            left -= taken
            kept.add(key)
    return [column for column in COLUMNS.values() if column.key in kept]


def sort_rows(rows: list[RunRow], key: str, descending: bool) -> list[RunRow]:
    """The rows by a column; unknown values come last either way, and ties keep the newest first."""
    column = COLUMNS[key]
    known = [row for row in rows if column.order(row) is not None]
    unknown = [row for row in rows if column.order(row) is None]
    return [*sorted(known, key=column.order, reverse=descending), *unknown]
