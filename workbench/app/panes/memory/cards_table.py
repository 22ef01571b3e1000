"""Where the recipe fits: this machine, common cards, and how far it could go here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from textual.content import Content

from workbench.app.glyphs import glyphs
from workbench.app.widgets.bars import bar
from workbench.app.widgets.top_line import VERDICTS
from workbench.app.words import clipped
from workbench.core.memory.estimate import Estimate
from workbench.core.memory.limits import Limits
from workbench.core.words import count_text, share_text, size_text

VERDICT = 14
"""Cells of the longest verdict with its mark."""

Line = tuple[str, int, int, str]
"""A device's name, its memory, what the run needs there, and the verdict."""


def cards_table(estimate: Estimate, cards: Sequence[dict[str, Any]], width: int) -> Content:
    """This machine first, as it is now; then every card as it is with nothing else on it."""
    here = estimate.device
    first: Line = (f"Here: {here.name}", here.free, estimate.process, estimate.verdict)
    lines: list[Line] = [first, *((one["card"], one["memory"], one["needs"], one["verdict"]) for one in cards)]
    names = min(max(len(name) for name, *_ in lines), 28, width - 34)
    drawn = [Content.styled("How much of each device the run takes", "bold $primary")]
    drawn += [_line(line, names, width) for line in lines]
    drawn.append(
        Content.styled("By what is free here now; a card's memory is about what its driver reports.", "$quiet")
    )
    return Content("\n").join(drawn)


def _line(line: Line, names: int, width: int) -> Content:
    name, memory, needs, verdict = line
    glyph, style = VERDICTS[verdict]
    share = needs / memory if memory else 9.99
    sizes = f" {size_text(needs):>8} of {size_text(memory):>8} {_percent(share):>6}  "
    if width - names - 1 - len(sizes) - VERDICT < 8:
        sizes = f" {_percent(share):>6}  "
    end = f"{getattr(glyphs(), glyph)} {verdict}"
    room = max(4, width - names - 1 - len(sizes) - VERDICT)
    filled = bar(share, room) if share <= 1 else glyphs().line * (room - 1) + glyphs().pointer
    return Content.assemble(
        (f"{clipped(name, names):<{names}} ", "bold" if name.startswith("Here: ") else ""),
        (filled, style),
        " " * (room - len(filled)),
        sizes,
        (end, style),
    )


def _percent(share: float) -> str:
    return share_text(share) if share <= 1 else f"{share * 100:,.0f}%"


def limits_lines(limits: Limits | None, estimate: Estimate) -> Content:
    """The largest micro-batch, the longest rows and the largest model that fit here."""
    if limits is None:
        return Content("")
    pieces: list[tuple[str, str] | str] = [("How far this recipe could go here", "bold $primary")]
    if limits.micro_batch is None:
        pieces.append("\nNot even one row at once fits with these settings.")
    else:
        rows = "row" if limits.micro_batch == 1 else "rows"
        pieces += ["\nUp to ", (count_text(limits.micro_batch), "bold"), f" {rows} at once"]
        if limits.max_length:
            pieces += [", or rows of up to ", (count_text(limits.max_length), "bold"), " tokens"]
        pieces.append(".")
    if limits.family is not None:
        largest = limits.largest_model
        pieces += (
            [f"\nThe largest {limits.family} that fits with these settings: ", (largest, "bold"), "."]
            if largest
            else [f"\nNo {limits.family} fits with these settings."]
        )
    pieces.append((f"\nBy {size_text(estimate.device.free)} that are free on {estimate.device.name} now.", "$quiet"))
    return Content.assemble(*pieces)
