"""The top line: what would be trained, does it fit, and how is the run going; on every screen, however narrow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from workbench.app.glyphs import Glyphs, glyphs
from workbench.app.words import base_name, clipped, shortened, visible
from workbench.core.words import clock_text, count_text, share_text, size_text

if TYPE_CHECKING:
    from workbench.core.memory.estimate import Estimate
    from workbench.core.recipe import Recipe
    from workbench.core.runs.folder import RunFolder, Status
    from workbench.core.runs.view import RunView

TWO_LINES = 104
"""Columns below which it takes two lines."""

Piece = tuple[str, str]
"""Text and its style."""


class TopLine(Widget):
    """One line, or two where the terminal is narrow."""

    HELP = (
        "The top line says what would be trained, how many parameters that trains, what the run would need of this "
        "machine's memory, and how the run that is followed is going. It moves as you change a setting."
    )
    DEFAULT_CSS = """
    TopLine { height: 1; padding: 0 1; background: $panel; color: $foreground; }
    TopLine.-two { height: 2; }
    """

    recipe: reactive[Recipe | None] = reactive(None)
    estimate: reactive[Estimate | None] = reactive(None)
    estimate_note: reactive[str] = reactive("")
    run: reactive[RunFolder | None] = reactive(None)
    view: reactive[RunView | None] = reactive(None)
    status: reactive[Status | None] = reactive(None)

    def on_resize(self) -> None:
        self.set_class(self.app.size.width < TWO_LINES, "-two")

    def render(self) -> Content:
        width = max(10, self.content_size.width)
        subject = [_subject(self.recipe, room) for room in (36, 26, 18, 12)]
        count = _count_forms(self.estimate)
        memory = _memory_forms(self.estimate, self.estimate_note)
        run = _run_forms(self.run, self.view, self.status)
        if self.app.size.width >= TWO_LINES:
            title: list[Piece] = [("Workbench", "bold $primary")]
            rest = [subject, count, memory]
            full = _width(title) + sum(_width(forms[0]) for forms in (*rest, run)) + 3 * 4
            return _line(width, [[title], *rest] if full <= width else rest, run)
        return Content("\n").join([_line(width, [subject], run), _line(width, [count], memory)])


def _line(width: int, left: list[list[list[Piece]]], right: list[list[Piece]]) -> Content:
    """The longest forms that fit in one line: left parts spread, the right one at the edge."""
    parts = [*left, right]
    chosen = [0] * len(parts)
    gap = 3
    while True:
        shown = [forms[min(index, len(forms) - 1)] for forms, index in zip(parts, chosen, strict=True)]
        shown = [pieces for pieces in shown if pieces]
        taken = sum(_width(pieces) for pieces in shown)
        if taken + gap * (len(shown) - 1) <= width:
            break
        longer = [place for place, forms in enumerate(parts) if chosen[place] < len(forms) - 1]
        if not longer:
            gap = 1
            break
        chosen[max(longer, key=lambda place: _width(parts[place][chosen[place]]))] += 1
    spare = max(0, width - taken - gap * (len(shown) - 1))
    if not shown:
        return Content("")
    *first, last = shown
    out: list[Piece] = []
    each = spare // len(first) if first and len(first) > 1 else 0
    for place, pieces in enumerate(first):
        out += pieces
        out.append((" " * (gap + (each if place < len(first) - 1 else spare - each * (len(first) - 1))), ""))
    out += last
    return Content.assemble(*((text, style) if style else text for text, style in out)).truncate(width, ellipsis=False)


def _width(pieces: list[Piece]) -> int:
    return sum(cell_len(text) for text, _ in pieces)


def _subject(recipe: Recipe | None, room: int) -> list[Piece]:
    """Model, data and method."""
    if recipe is None:
        return []
    dot = (f" {glyphs().dot} ", "$quiet")
    method = recipe.method.facts.title
    if room <= 18:
        method = method.split()[0]
    rank = recipe.method.knobs.get("rank")
    knob = [(f" r={rank}", "$foreground")] if rank is not None else []
    model = shortened(visible(base_name(recipe.model.path)), room)
    data = shortened(visible(base_name(recipe.data.source)), room)
    return [(model, "bold"), dot, (data, "bold"), dot, (method, "bold"), *knob]


def _count_forms(estimate: Estimate | None) -> list[list[Piece]]:
    """Trainable parameters."""
    if estimate is None:
        return [[]]
    number, share = count_text(estimate.trainable_parameters), share_text(estimate.share)
    return [
        [(number, "bold"), (f" trainable, {share}", "")],
        [(number, "bold"), (f", {share}", "")],
        [(number, "bold")],
    ]


VERDICTS = {
    "fits": ("tick", "$text-success"),
    "tight": ("warning", "$text-warning"),
    "does not fit": ("cross", "$text-error"),
}
"""A verdict's glyph and style; the word itself always stands beside."""


def verdict_pieces(estimate: Estimate) -> list[Piece]:
    """The verdict as glyph and word."""
    glyph, style = VERDICTS[estimate.verdict]
    return [(f"{getattr(glyphs(), glyph)} {estimate.verdict}", f"bold {style}")]


def _memory_forms(estimate: Estimate | None, note: str) -> list[list[Piece]]:
    if estimate is None:
        return [[(note, "$quiet")], [(clipped(note, 30), "$quiet")]] if note else [[]]
    peak, total = size_text(estimate.process), size_text(estimate.device.total)
    verdict = verdict_pieces(estimate)
    return [
        [(f"peak {peak} of {total}  ", ""), *verdict],
        [(f"{peak} of {total} ", ""), *verdict],
        [(f"{peak} ", ""), *verdict],
    ]


def run_glyph(marks: Glyphs, state: str) -> Piece:
    """A run state's glyph and style."""
    return {
        "queued": (marks.waiting, "$text-primary"),
        "running": (marks.running, "$text-success"),
        "paused": (marks.paused, "$text-warning"),
        "finished": (marks.tick, "$text-success"),
        "stopped": (marks.stopped, "$quiet"),
        "failed": (marks.cross, "$text-error"),
    }.get(state, (marks.warning, "$text-warning"))


def _run_forms(run: RunFolder | None, view: RunView | None, status: Status | None) -> list[list[Piece]]:
    if run is None or view is None:
        return [[("no run yet", "$quiet")], [("no run", "$quiet")]]
    state = status.state if status else "lost"
    glyph, style = run_glyph(glyphs(), state)
    name = visible(run.name)
    mark: Piece = (f"{glyph} ", style)
    if state in ("finished", "stopped", "failed", "lost"):
        return [
            [mark, (name, "bold"), (f" {state}", "")],
            [mark, (shortened(name, 14), "bold"), (f" {state}", "")],
            [mark, (state, "")],
        ]
    if state == "queued" or not view.steps:
        return [[mark, (name, "bold"), (" starting", "")], [mark, ("starting", "")]]
    done = f"{int(view.progress * 100)}%"
    left = view.seconds_left
    word = " paused" if state == "paused" else ""
    time = f"  {clock_text(left)} left" if left is not None and not word else word
    return [
        [mark, (name, "bold"), (f"  {done}{time}", "")],
        [mark, (shortened(name, 14), "bold"), (f" {done}{time}", "")],
        [mark, (f"{done}{time}", "")],
    ]
