"""The estimate as bars: the device's capacity, and the parts of the peak."""

from __future__ import annotations

from rich.cells import cell_len
from textual.content import Content

from workbench.app.glyphs import glyphs
from workbench.app.panes.memory.measured import Measured
from workbench.app.widgets.bars import apportion, bar
from workbench.app.widgets.top_line import verdict_pieces
from workbench.app.words import visible
from workbench.core.memory.estimate import Estimate
from workbench.core.words import share_text, size_text

Pieces = list[tuple[str, str] | str]

PARTS: dict[str, tuple[str, str, str]] = {
    "weights": ("W", "#6cb6e8", "the base model's weights"),
    "adapters": ("A", "#e6b566", "what the method adds"),
    "gradients": ("G", "#83c995", "one for each trained parameter"),
    "optimizer": ("O", "#c39be0", "what the optimizer remembers"),
    "activations": ("X", "#e88f6c", "kept for the backward pass"),
    "loss": ("L", "#e0d06c", "the logits and their gradients"),
    "buffers": ("B", "#6cd0c4", "unpacked weights and the like"),
    "context": ("C", "#8fa0b0", "the process itself, with its libraries"),
}
"""Each part's letter, colour and meaning. The letter stands in the bar, so that the colour is never alone."""


def headline(estimate: Estimate) -> Content:
    """The verdict in words, the range, and when the peak comes."""
    dash = glyphs().dash
    device = estimate.device
    of = share_text(estimate.process / device.total) if device.total else "all"
    first: Pieces = [
        *verdict_pieces(estimate),
        f"   peak {size_text(estimate.process)} of {size_text(device.total)}, {of}",
    ]
    low, high = size_text(estimate.process_low), size_text(estimate.process_high)
    between = f"{low} {dash} {high}" if low != high else low
    second = f"Expected: {between}. Free now: {size_text(device.free)}."
    third = f"{device.name}. The peak comes in {estimate.peak_at}."
    return Content("\n").join(
        [Content.assemble(*first), Content.styled(second, "$quiet"), Content.styled(third, "$quiet")]
    )


def gauge(estimate: Estimate, width: int) -> Content:
    """The peak against the device's capacity, with the range and the limit as marks."""
    marks = glyphs()
    device = estimate.device
    whole = max(device.total, estimate.process_high) or 1
    cells = max(10, width - 1)
    peak = max(1, round(estimate.process / whole * cells))
    high = max(peak, round(estimate.process_high / whole * cells))
    taken = round((device.total - device.free) / whole * cells)
    limit = round(device.total / whole * cells)
    style = {"fits": "$text-success", "tight": "$text-warning"}.get(estimate.verdict, "$text-error")
    range_mark = "+" if marks.ascii else "▒"
    used_mark = "/" if marks.ascii else "░"
    row = [(marks.empty, "$bar-empty")] * cells
    for place in range(max(0, limit - taken), limit):
        row[place] = (used_mark, "$quiet")
    for place in range(min(high, cells)):
        row[place] = (marks.full, style) if place < peak else (range_mark, style)
    row.insert(min(limit, cells), (marks.limit, "bold $foreground"))
    legend: Pieces = [
        (marks.full, style), " peak  ", (range_mark, style), " range  ", (used_mark, "$quiet"), " in use  ",
        (marks.limit, "bold"), f" {size_text(device.total)}",
    ]  # fmt: skip
    return Content("\n").join([Content.assemble(*_runs(row)), Content.assemble(*legend)])


def _runs(row: list[tuple[str, str]]) -> Pieces:
    """Neighbours of one style as one piece."""
    out: list[tuple[str, str]] = []
    for text, style in row:
        if out and out[-1][1] == style:
            out[-1] = (out[-1][0] + text, style)
        else:
            out.append((text, style))
    return list(out)


def parts_of(estimate: Estimate, width: int) -> Content:
    """All parts in one bar, each with its letter, and below it each with its size and its own bar."""
    parts = [(name, size) for name, size in estimate.parts.items() if size]
    heading = Content.styled("Parts of the peak", "bold $primary")
    return Content("\n").join([heading, _stack(parts, width), *_legend(parts, width)])


def _stack(parts: list[tuple[str, int]], width: int) -> Content:
    cells = apportion([size for _, size in parts], max(8, width))
    pieces: Pieces = []
    for (name, _), room in zip(parts, cells, strict=True):
        letter, colour, _ = PARTS[name]
        pieces.append((letter.center(room) if room else "", f"bold #10151b on {colour}"))
    return Content.assemble(*pieces)


def _legend(parts: list[tuple[str, int]], width: int) -> list[Content]:
    largest = max((size for _, size in parts), default=1)
    names = max((len(name) for name, _ in parts), default=0)
    sizes = max((len(size_text(size)) for _, size in parts), default=0)
    meanings = max((len(PARTS[name][2]) for name, _ in parts), default=0)
    taken = 3 + 1 + names + 2 + sizes + 2
    explained = width >= taken + meanings + 2 + 12
    cells = max(4, width - taken - (meanings + 2 if explained else 0))
    lines = []
    for name, size in parts:
        letter, colour, meaning = PARTS[name]
        pieces: Pieces = [
            (f" {letter} ", f"bold #10151b on {colour}"),
            f" {name:<{names}}  {size_text(size):>{sizes}}  ",
        ]
        if explained:
            pieces.append((f"{meaning:<{meanings}}  ", "$quiet"))
        pieces.append((bar(size / largest, cells), colour))
        lines.append(Content.assemble(*pieces))
    return lines


def measured_line(measured: Measured | None) -> Content:
    """The last measured run beside its prediction."""
    if measured is None:
        return Content.styled("After a run, its measured peak stands here beside the prediction.", "$quiet")
    sign = "too high" if measured.error > 0 else "too low"
    return Content.assemble(
        ("Last measured  ", "bold $primary"),
        f"{visible(measured.run)}: predicted {size_text(measured.predicted)}, measured {size_text(measured.measured)}, "
        f"so the prediction was {share_text(abs(measured.error))} {sign}.",
    )


def advice_line(change: str, saved: int, time: str, width: int) -> Content:
    """One piece of advice: the change and what it saves, and below it what it costs."""
    right = f"saves {size_text(saved)}"
    head = change[:1].upper() + change[1:]
    room = width - cell_len(head) - len(right)
    cost = f"  {time[:1].upper()}{time[1:]}"
    if room >= 1:
        return Content.assemble((head, "bold"), " " * room, (right, "$text-success"), ("\n" + cost, "$quiet"))
    return Content.assemble((head, "bold"), "\n  ", (right, "$text-success"), (f", {time}", "$quiet"))
