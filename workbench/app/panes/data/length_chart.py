"""Real token lengths as a histogram with a slider on the longest row, and what that longest row would do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from textual.content import Content

from workbench.app.glyphs import glyphs
from workbench.core.memory.estimate import Estimate
from workbench.core.words import ASCII_SPARKS, SPARKS, count_text, share_text, size_text

GUTTER = 8
"""Cells to the left of the chart."""

NAME = 18
"""Cells for the name of a figure."""

Pieces = list[tuple[str, str] | str]


@dataclass(frozen=True, slots=True)
class Scale:
    """Lengths as columns, from 0 to the longest row."""

    bins: int
    per: int
    """Tokens in a bin."""
    cell: int
    """Columns of a bin."""

    @property
    def columns(self) -> int:
        return self.bins * self.cell

    def column_of(self, length: int) -> int:
        """The last column of a length's bin; the last one of all beyond the longest row."""
        return min(self.columns, (length // self.per + 1) * self.cell) - 1

    def length_at(self, column: int) -> int:
        """The greatest length of a column's bin."""
        place = max(0, min(column, self.columns - 1)) // self.cell
        return (place + 1) * self.per - 1 if self.per > 1 else place


def scale_for(longest: int, columns: int) -> Scale:
    """A scale that holds every length up to `longest` in at most so many columns."""
    columns = max(8, columns)
    per = max(1, -(-(longest + 1) // columns))
    bins = -(-(longest + 1) // per)
    return Scale(bins, per, max(1, columns // bins))


def edge_at(scale: Scale, limit: int, longest: int) -> int:
    """The last column that holds rows up to a limit."""
    return scale.column_of(limit) if limit < longest else scale.columns - 1


def binned(counts: Sequence[Sequence[int]], scale: Scale) -> list[int]:
    """Rows in each bin, from [[length, rows], …]."""
    bins = [0] * scale.bins
    for length, rows in counts:
        bins[min(scale.bins - 1, length // scale.per)] += rows
    return bins


def rebinned(histogram: Mapping[str, Any] | None, scale: Scale) -> list[float]:
    """Rows in each bin, from a report's histogram, whose bins are spread evenly over the lengths they hold."""
    bins = [0.0] * scale.bins
    for place, rows in enumerate(histogram["counts"] if histogram else ()):
        assert histogram is not None
        start, width = histogram["from"] + place * histogram["width"], histogram["width"]
        first, last = start // scale.per, (start + width - 1) // scale.per
        for at in range(first, min(last, scale.bins - 1) + 1):
            bins[at] += rows / (last - first + 1)
    return bins


def chart(report: Mapping[str, Any], limit: int, width: int, height: int, lit: bool) -> Content:
    """The histogram `height` lines high, its axis with the slider, and prompt and answer in a line each."""
    longest = int(report["lengths"]["total"]["max"])
    scale = scale_for(longest, width - GUTTER)
    bins = binned(report["length_counts"]["total"], scale)
    edge = edge_at(scale, limit, longest)
    lines = [Content.assemble(*line) for line in _bars(bins, scale, edge, height)]
    lines.append(_slider(scale, edge, limit, longest, lit))
    lines.append(_axis(scale, longest))
    for part in ("prompt", "answer"):
        figures = report["lengths"][part]
        curve = _curve(rebinned(figures["histogram"], scale), scale)
        said = f" {count_text(figures['min'])} {glyphs().dash} {count_text(figures['max'])}"
        room = width - GUTTER - len(curve)
        lines.append(Content.assemble((f"{part:<{GUTTER}}", "$quiet"), (curve, "$secondary"),
                                      (said if len(said) <= room else "", "$quiet")))  # fmt: skip
    return Content("\n").join(lines)


def _bars(bins: Sequence[int], scale: Scale, edge: int, height: int) -> list[Pieces]:
    """Lines from the top; what lies beyond the edge has another colour, and the slider's thin line below it."""
    marks = glyphs()
    most = max(bins, default=0) or 1
    steps = "" if marks.ascii else SPARKS[:-1]
    beyond = "x" if marks.ascii else ""
    lines: list[Pieces] = []
    for line in range(height):
        base = height - 1 - line
        kept, cut = "", ""
        for place, rows in enumerate(bins):
            eighths = max(1, round(rows / most * height * 8)) if rows else 0
            here = max(0, min(8, eighths - base * 8))
            mark = " " if not here else marks.full if here == 8 or not steps else steps[here - 1]
            over = place * scale.cell > edge
            shown = (beyond or mark if over and here else mark) * scale.cell
            kept, cut = (kept, cut + shown) if over else (kept + shown, cut)
        label = count_text(most) if line == 0 else "rows" if line == 1 else ""
        lines.append([(f"{label:>{GUTTER - 1}} ", "$quiet"), (kept, "$primary"), (cut, "$text-error")])
    return lines


def _slider(scale: Scale, edge: int, limit: int, longest: int, lit: bool) -> Content:
    marks = glyphs()
    style = "bold $accent" if lit else "bold $primary"
    before, after = marks.line * edge, marks.rule * (scale.columns - edge - 1)
    beyond = "" if limit <= longest else f" {marks.arrow}"
    return Content.assemble(
        (f"{count_text(limit):>{GUTTER - 1}} ", style), (before, style), (marks.full if lit else marks.running, style),
        (after, "$text-error"), (beyond, style),
    )  # fmt: skip


def _axis(scale: Scale, longest: int) -> Content:
    """Lengths below the slider: none, the half and the longest, where there is room."""
    line = [" "] * (scale.columns + 8)
    taken = -1
    for length in (0, longest // 2, longest):
        text = count_text(length)
        at = max(0, min(scale.column_of(length) - len(text) // 2, scale.columns - len(text)))
        if at > taken:
            line[at : at + len(text)] = text
            taken = at + len(text)
    return Content.styled(f"{'tokens':<{GUTTER}}" + "".join(line).rstrip(), "$quiet")


def _curve(bins: Sequence[float], scale: Scale) -> str:
    letters = ASCII_SPARKS if glyphs().ascii else SPARKS
    most = max(bins, default=0.0) or 1.0
    return "".join(
        (letters[round(rows / most * (len(letters) - 1))] if rows > 0 else " ") * scale.cell for rows in bins
    ).rstrip()


def table(
    figures: Mapping[str, Any], recipe_limit: int, over_length: str, micro_batch: int,
    estimates: tuple[Estimate | None, Estimate | None], width: int,
) -> Content:  # fmt: skip
    """What the longest row does: `estimates` are those at `recipe_limit` and at the slider."""
    rows, over = int(figures["rows"]), int(figures["over"])
    tokens = int(figures["kept_tokens"]) + int(figures["lost_tokens"])
    becomes = {"drop": "left out whole", "cut_right": "cut at the end", "cut_left": "cut at the start",
               "split": "split into more"}[over_length]  # fmt: skip
    lost_end = "answers lose start" if over_length == "cut_left" else "answers lose end"
    lost = int(figures["lost_tokens"])
    ends = int(figures["lost_ends"])
    lines: list[tuple[str, str, str, bool]] = [
        ("rows too long", f"{count_text(over)} of {count_text(rows)}", becomes if over else "", over > 0),
        (lost_end, count_text(ends), _share(ends, rows), ends > 0),
        ("tokens lost", count_text(lost), f"{_share(lost, tokens)} of {count_text(tokens)}" if lost else "", lost > 0),
        ("padding", share_text(figures["padding"]), f"of batches of {count_text(micro_batch)}", False),
        ("padding if packed", share_text(figures["padding_packed"]),
         f"{count_text(figures['sequences'])} sequences", False),
        ("memory", *_memory(*estimates, recipe_limit), False),
    ]  # fmt: skip
    room = max(len(value) for _, value, _, _ in lines)
    left = width - NAME - room - 2
    return Content("\n").join(
        Content.assemble(
            (f"{name:<{NAME}}", "$quiet"),
            (f"{value:>{room}}", "bold $text-error" if bad else "bold"),
            (f"  {more}" if len(more) <= left else "", "$quiet"),
        )
        for name, value, more, bad in lines
    )


def _share(part: int, whole: int) -> str:
    return share_text(part / whole) if part and whole else ""


def _memory(before: Estimate | None, now: Estimate | None, limit: int) -> tuple[str, str]:
    if now is None:
        return "–" if not glyphs().ascii else "-", "not known yet"
    if before is None or before.reserved == now.reserved:
        return size_text(now.reserved), "at the peak"
    change = now.reserved - before.reserved
    word = "more" if change > 0 else "less"
    return size_text(now.reserved), f"{size_text(abs(change))} {word} than at {count_text(limit)}"
