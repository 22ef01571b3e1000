"""What this machine has shown: how wrong the estimate has been here, how long a run takes, what it costs and leaves."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass

from textual.content import Content

from workbench.app.glyphs import glyphs
from workbench.app.panes.memory.elsewhere import elsewhere_view
from workbench.app.widgets.bars import bar
from workbench.app.words import clipped, visible
from workbench.core.memory.costs import Duration, Price, money_text
from workbench.core.memory.estimate import Estimate
from workbench.core.memory.experience import Compared, Experience
from workbench.core.places import Workspace
from workbench.core.words import count_text, seconds_text, share_text, size_text

SHOWN = 6
"""Comparisons that are listed."""

OFF = 0.3
"""An error that fills half of a bar."""

Pieces = list[tuple[str, str] | str]


@dataclass(frozen=True, slots=True)
class Known:
    """All that this view says."""

    experience: Experience
    duration: Duration | None
    price: Price | None
    disk: Mapping[str, int]
    free: int | None
    """Bytes free on the workspace's disk."""


def free_disk(workspace: Workspace) -> int | None:
    """Bytes that are free where the workspace lies."""
    try:
        return shutil.disk_usage(workspace.root).free
    except OSError:
        return None


def error_words(error: float) -> str:
    """How far a prediction was off, in words."""
    if abs(error) < 0.0005:
        return "exactly right"
    return f"{share_text(abs(error))} too {'high' if error > 0 else 'low'}"


def experience_line(experience: Experience | None, estimate: Estimate | None) -> Content:
    """How wrong it has been here, in a sentence or two; always shown."""
    if experience is None:
        return Content("")
    said = experience.to_json()
    if not said["compared"]:
        return Content.styled(
            "Nothing has been measured here yet. After a run its measured peak stands here; c measures two steps.",
            "$quiet",
        )
    last = experience.compared[0]
    if said["compared"] == 1:
        before = "Once"
    else:
        errors = f"{share_text(said['median_error'])} off in the middle, {error_words(said['worst_error'])} at worst"
        before = f"{count_text(said['compared'])} times: {errors}. Last"
    pieces: Pieces = [
        ("Measured here  ", "bold $primary"),
        f"{before}, {visible(last.name)}: predicted {size_text(last.predicted)}, measured {size_text(last.measured)}, "
        f"so the prediction was {error_words(last.error)}.",
    ]
    band = experience.band(estimate) if estimate is not None else None
    if band is not None:
        low, middle, high = (size_text(band[key]) for key in ("low", "expected", "high"))
        between = f", between {low} and {high}" if low != high else ""
        pieces.append(f" By that, this run takes {middle}{between}.")
    return Content.assemble(*pieces)


def here_view(known: Known, progress: str, width: int) -> Content:
    """Comparisons here and elsewhere, calibration, time, money and disk."""
    compared = _compared(known.experience.compared, width)
    parts = [compared, _calibration(progress), elsewhere_view(), _time(known), _disk(known)]
    return Content("\n\n").join(part for part in parts if part)


def _heading(text: str) -> tuple[str, str]:
    return text, "bold $primary"


def _compared(compared: tuple[Compared, ...], width: int) -> Content:
    lines = [Content.assemble(_heading("Predicted and measured on this machine"))]
    if not compared:
        lines.append(Content.styled("Nothing yet: each run adds a line, and so does calibrating.", "$quiet"))
    names = min(24, max((len(visible(f"{one.name} {one.method}")) for one in compared[:SHOWN]), default=0))
    said = max(len(error_words(one.error)) for one in compared[:SHOWN]) if compared else 0
    half = (width - names - 2 - 8 - 2 - 8 - 2 - 2 - said) // 2
    drawn = half >= 3  # else the words alone say it
    for one in compared[:SHOWN]:
        name = clipped(visible(f"{one.name} {one.method}"), names)
        filled = bar(min(1.0, abs(one.error) / OFF), half)
        left = filled.rjust(half) if one.error < 0 else " " * half
        right = filled if one.error > 0 else ""
        style = "$text-success" if abs(one.error) < 0.05 else "$text-warning"
        bars: Pieces = [(left, style), (glyphs().limit, "$quiet"), (right.ljust(half), style), " "] if drawn else []
        lines.append(
            Content.assemble(
                f"{name:<{names}}  {size_text(one.predicted):>8}  {size_text(one.measured):>8}  ",
                *bars,
                (error_words(one.error), style if not drawn else "$quiet"),
            )
        )
    if len(compared) > SHOWN:
        lines.append(Content.styled(f"and {len(compared) - SHOWN} more before them", "$quiet"))
    return Content("\n").join(lines)


def _calibration(progress: str) -> Content:
    if progress:
        return Content.assemble((f"{glyphs().running} Calibrating: ", "bold $text-primary"), visible(progress))
    words = " takes two real steps with the longest rows, measures them, and remembers how far off the estimate was."
    return Content.assemble(("c", "bold $accent"), words)


def _time(known: Known) -> Content:
    duration, price = known.duration, known.price
    pieces: Pieces = [_heading("Time and money"), "\n"]
    if duration is None:
        pieces.append(("The speed is known once this model and method have run here, or after c.", "$quiet"))
    else:
        speed = count_text(round(duration.tokens_per_second))
        pieces += [(speed, "bold"), f" tokens a second, by {visible(duration.source)}"]
        seconds = duration.seconds
        if seconds is None or duration.tokens is None:
            pieces.append(". How long the run takes is known once the data has been read.")
        else:
            pieces += [f"; {count_text(duration.tokens)} tokens take ", (seconds_text(seconds), "bold"), "."]
            if price is not None:
                pieces += [" That costs ", (money_text(price.of(seconds), price.currency), "bold"), "."]
    if price is None:
        pieces += ["\n", ("p", "bold $accent"), (" sets what an hour costs.", "$quiet")]
    else:
        hour = money_text(price.per_hour, price.currency)
        pieces += [f"\nAn hour costs {hour}; ", ("p", "bold $accent"), (" changes that.", "$quiet")]
    return Content.assemble(*pieces)


def _disk(known: Known) -> Content:
    disk = known.disk
    if not disk:
        return Content("")
    need = disk["checkpoints"] + disk["result"]
    pieces: Pieces = [
        _heading("Disk"),
        f"\n{size_text(disk['checkpoints'])} for checkpoints of {size_text(disk['checkpoint'])} each, "
        f"{size_text(disk['result'])} for the result; exported merged, {size_text(disk['merged'])}.",
    ]
    if known.free is not None:
        pieces.append(f" {size_text(known.free)} are free.")
        if need > known.free:
            pieces.append((f"\n{glyphs().warning} The disk has too little room for this run.", "$text-warning"))
    return Content.assemble(*pieces)
