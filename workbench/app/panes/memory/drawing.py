"""The estimate as bars: the device's capacity, and the parts of the peak."""

from __future__ import annotations

import re

from rich.cells import cell_len
from textual.content import Content

from workbench.app.glyphs import glyphs
from workbench.app.panes.memory.tracing import Trace
from workbench.app.widgets.bars import apportion, bar
from workbench.app.widgets.top_line import VERDICTS, verdict_pieces
from workbench.app.words import visible
from workbench.core.memory.estimate import Estimate
from workbench.core.memory.traced import DISAGREEMENT, Traced, difference, doubt, judge_traced
from workbench.core.words import seconds_text, share_text, size_text

LARGEST = 8
"""Groups of tensors that are listed."""

WRAPPING = re.compile(r"\b(base_model\.model\.)?(model\.)?(?=layers\.)|\bbase_model\.model\.")
"""What stands before every module's name, by PEFT or by the architecture; names are told apart, and fit, without it."""

MAGNIFIED = 0.25
"""Share of the device's memory below which the parts are drawn over the whole width."""

DWARFING = 2.0
"""How much more than all tensors the process itself takes where it is left out of their bar."""

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


def headline(estimate: Estimate, short: bool = False) -> Content:
    """The verdict in words, the range, and when the peak comes; `short` in two lines."""
    dash = glyphs().dash
    device = estimate.device
    share = estimate.process / device.total if device.total else 1.0
    of = share_text(share) if share <= 1 else f"{share * 100:,.0f}%"
    first: Pieces = [
        *verdict_pieces(estimate),
        f"   peak {size_text(estimate.process)} of {size_text(device.total)}, {of}",
    ]
    low, high = size_text(estimate.process_low), size_text(estimate.process_high)
    between = f"{low} {dash} {high}" if low != high else low
    second = f"Expected: {between}. Free now: {size_text(device.free)}."
    third = f"{device.name}. The peak comes in {estimate.peak_at}."
    if short:
        second, third = f"{between} expected, {size_text(device.free)} free. Peak in {estimate.peak_at}.", ""
    return Content("\n").join(
        [Content.assemble(*first), *(Content.styled(line, "$quiet") for line in (second, third) if line)]
    )


def gauge(estimate: Estimate, width: int, explained: bool = True) -> Content:
    """The peak against the device's capacity, with the range and the limit as marks, and what the marks mean."""
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
    drawn = Content.assemble(*_runs(row))
    return Content("\n").join([drawn, Content.assemble(*legend)]) if explained else drawn


def _runs(row: list[tuple[str, str]]) -> Pieces:
    """Neighbours of one style as one piece."""
    out: list[tuple[str, str]] = []
    for text, style in row:
        if out and out[-1][1] == style:
            out[-1] = (out[-1][0] + text, style)
        else:
            out.append((text, style))
    return list(out)


def parts_of(estimate: Estimate, trace: Trace, width: int) -> Content:
    """All parts in one bar against the device, and below it each with its size, by formula and as traced."""
    traced = trace.traced
    names = list(estimate.parts)
    if traced is not None:
        names += [name for name in traced.parts if name not in names]
    parts = [(name, estimate.parts.get(name, 0), None if traced is None else _traced_size(name, estimate, traced))
             for name in names]  # fmt: skip
    heading = Content.styled("Parts of the peak", "bold $primary")
    apart = _context_apart(estimate)
    stacked = [(name, size) for name, size, _ in parts if size and not (apart and name == "context")]
    return Content("\n").join([heading, _stack(stacked, estimate, width), *_legend(parts, width, apart)])


def _context_apart(estimate: Estimate) -> bool:
    """Whether the process itself takes so much more than all tensors that beside it none of them would be seen."""
    others = sum(estimate.parts.values()) - estimate.parts["context"]
    return estimate.process < MAGNIFIED * estimate.device.total and estimate.parts["context"] > DWARFING * others > 0


def _traced_size(name: str, estimate: Estimate, traced: Traced) -> int:
    """The context is not traced: it is there before the first tensor."""
    return estimate.parts["context"] if name == "context" else traced.parts.get(name, 0)


def _stack(parts: list[tuple[str, int]], estimate: Estimate, width: int) -> Content:
    """The parts side by side, with a line where the device's memory ends; of a small run the parts alone, magnified."""
    total, marks = estimate.device.total, glyphs()
    taken = sum(size for _, size in parts)
    share = taken / total if total else 1.0
    wide = max(9, width - 1)
    filled = wide if share < MAGNIFIED or share > 1 else max(len(parts), round(share * wide))
    limit = round(wide / share) if share > 1 else wide
    pieces: Pieces = []
    at = 0
    for (name, _), room in zip(parts, apportion([size for _, size in parts], filled), strict=True):
        letter, colour, _ = part_look(name)
        text = letter.center(room) if room else ""
        before = max(0, min(room, limit - at))
        pieces.append((text[:before], f"bold #10151b on {colour}"))
        if share > 1 and at <= limit < at + room:
            pieces.append((marks.limit, "bold $foreground"))
        pieces.append((text[before:], f"bold #10151b on {colour}"))
        at += room
    if share > 1:
        return Content.assemble(*pieces, "\n", (_limit_words(size_text(total), limit, wide), "$text-error"))
    if share < MAGNIFIED:
        words = f"magnified: {share_text(share)} of {size_text(total)}"
        if all(name != "context" for name, _ in parts):
            words = f"magnified: {size_text(taken)}; C takes {size_text(estimate.parts['context'])} beside"
        return Content.assemble(*pieces, "\n", (words, "$quiet"))
    pieces += [(marks.empty * (wide - at), "$bar-empty"), (marks.limit, "bold $foreground")]
    words = f"{size_text(total)} {marks.limit}"
    return Content.assemble(*pieces, "\n", (words.rjust(wide + 1), "$quiet"))


def _limit_words(size: str, limit: int, wide: int) -> str:
    """What the line at cell `limit` means, with a line of its own right below that one."""
    mark = glyphs().limit
    for words in ("what stands right of the line has no room", "no room right of this", ""):
        right = f"{mark} {size}{': ' if words else ''}{words}"
        left = f"{words}{': ' if words else ''}{size} {mark}"
        if limit + cell_len(right) <= wide + 1:
            return " " * limit + right
        if cell_len(left) <= limit + 1:
            return left.rjust(limit + 1)
    return size


def part_look(name: str) -> tuple[str, str, str]:
    """A part's letter, colour and meaning."""
    return PARTS.get(name, (name[:1].upper(), "#b0b0b0", ""))


def _legend(parts: list[tuple[str, int, int | None]], width: int, apart: bool) -> list[Content]:
    largest = max((size for name, size, _ in parts if not (apart and name == "context")), default=1) or 1
    names = max((len(name) for name, _, _ in parts), default=0)
    sizes = max((len(_size(each)) for _, size, traced in parts for each in (size, traced or 0)), default=0)
    meanings = max((len(part_look(name)[2]) for name, _, _ in parts), default=0)
    compared = any(traced is not None for _, _, traced in parts)
    beside = sizes + 2 if compared else 0
    taken = 3 + 1 + names + 2 + sizes + 2 + beside
    explained = width >= taken + meanings + 2 + 12
    cells = max(4, width - taken - (meanings + 2 if explained else 0))
    lines = []
    if compared:
        head = f"    {'':<{names}}  {'formula':>{sizes}}  {'traced':>{sizes}}"
        lines.append(Content.styled(head, "$quiet"))
    for name, size, traced in parts:
        letter, colour, meaning = part_look(name)
        there = bool(size or traced)  # a part that is not there keeps its line, so that nothing jumps
        pieces: Pieces = [
            (f" {letter} ", f"bold #10151b on {colour}" if there else "$quiet"),
            (f" {name:<{names}}  {_size(size):>{sizes}}  ", "" if there else "$quiet"),
        ]
        if compared:
            far = traced is not None and abs(traced - size) > DISAGREEMENT * max(size, traced, largest / 10)
            pieces.append((f"{_size(traced or 0):>{sizes}}  ", "$text-warning" if far else "$quiet"))
        if explained:
            pieces.append((f"{meaning:<{meanings}}  ", "$quiet"))
        beyond = size > largest  # of a scale that is the tensors' own
        pieces.append(
            (glyphs().line * (cells - 1) + glyphs().pointer if beyond else bar(size / largest, cells), colour)
        )
        lines.append(Content.assemble(*pieces))
    return lines


def _size(size: int) -> str:
    return size_text(size) if size else "none"


def trace_line(estimate: Estimate, trace: Trace, caution: str | None = None) -> Content:
    """What tracing says of the estimate, or how far it is, in a sentence; without a trace, `caution` besides."""
    state = _trace_state(estimate, trace)
    if caution is None or trace.traced is not None:
        return state
    return Content("\n").join([state, Content.styled(f"{glyphs().warning} {visible(caution)}", "$text-warning")])


def _trace_state(estimate: Estimate, trace: Trace) -> Content:
    marks = glyphs()
    if trace.state == "busy":
        return Content.assemble(
            (f"{marks.running} ", "$text-primary"), ("Tracing two steps of the real model", "$quiet")
        )
    if trace.state == "waiting":
        return Content.styled(f"{marks.waiting} A trace of the real model follows", "$quiet")
    if trace.state == "off":
        return Content.styled("Tracing is off; t turns it on.", "$quiet")
    if trace.state == "failed":
        return Content.styled(f"It could not be traced. {visible(trace.problem)}", "$text-warning")
    traced = trace.traced
    if traced is None:
        return Content("")
    words = doubt(estimate, traced)
    if words:
        verdict = judge_traced(estimate, traced)
        glyph, style = VERDICTS[verdict]
        peak = traced.reserved + estimate.parts["context"]  # as the estimate's own peak: with what is no tensor
        return Content.assemble(
            (f"{marks.warning} {words}", "bold $text-warning"),
            f" By the trace: peak {size_text(peak)}, ",
            (f"{getattr(marks, glyph)} {verdict}", f"bold {style}"),
            ".",
        )
    share = share_text(abs(difference(estimate, traced)))
    return Content.assemble(
        (f"{marks.tick} ", "$text-success"),
        (f"Traced: {size_text(traced.allocated)} of tensors, {share} from the formula's.", "$quiet"),
    )


def trace_view(trace: Trace, width: int) -> Content:
    """The operation at the traced peak, and the largest tensors there."""
    traced = trace.traced
    if traced is None:
        return Content("")
    where = f" of {visible(traced.module)}" if traced.module else ""
    lines = [
        Content.styled("The traced peak", "bold $primary"),
        Content.assemble(
            ("At ", "$quiet"),
            (visible(traced.operation), "bold"),
            (f"{where}, in {visible(traced.peak_at)}.", "$quiet"),
        ),
    ]
    largest = max((int(one["bytes"]) for one in traced.largest), default=1) or 1
    bars = 10 if width >= 64 else 0
    for one in traced.largest[:LARGEST]:
        letter, colour, _ = part_look(str(one["part"]))
        shape = glyphs().times.join(str(size) for size in one["shape"])
        many = f"{one['count']}{glyphs().times} " if one["count"] > 1 else ""
        tail = f"  {many}{shape}"
        what = WRAPPING.sub("", visible(" ".join(str(one[key]) for key in ("what", "where") if one[key])))
        room = max(8, width - 3 - 10 - cell_len(tail) - (bars + 2 if bars else 0))
        pieces: Pieces = [
            (f" {letter} ", f"bold #10151b on {colour}"),
            f"{size_text(one['bytes']):>9} ",
        ]
        if bars:
            filled = bar(int(one["bytes"]) / largest, bars)
            pieces += [(filled, colour), " " * (bars - len(filled) + 2)]
        pieces += [_from_the_end(what, room), (tail, "$quiet")]
        lines.append(Content.assemble(*pieces))
    seconds = seconds_text(traced.seconds)
    lines.append(
        Content.styled(f"Traced in {seconds}, with neither weights nor a device. t turns tracing off.", "$quiet")
    )
    return Content("\n").join(lines)


def _from_the_end(name: str, room: int) -> str:
    """A module's name with its beginning left out where it is too long: its end tells names apart."""
    return name if cell_len(name) <= room else glyphs().ellipsis + name[-(room - 1) :]
