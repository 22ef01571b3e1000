"""The state of a run in words: what it does now, and what the person can do."""

from __future__ import annotations

from workbench.app.glyphs import Glyphs
from workbench.app.words import visible
from workbench.core.runs.folder import ENDED
from workbench.core.runs.view import RunView

ASKED = {
    "pause": "Asked to pause after this step.",
    "stop": "Asked to stop after this step.",
    "run": "Asked to go on.",
    "checkpoint": "Asked for a checkpoint after this step.",
}


def state_sentence(state: str, view: RunView, checkpoint: int | None, has_result: bool) -> str:
    """What the run does and what can be done about it.

    `checkpoint` is the step that it would resume from, None where it would begin again.
    """
    resume = f"p resumes it from step {checkpoint}." if checkpoint else "p starts it again from the beginning."
    said = visible(str((view.ended or {}).get("text") or "")).strip()
    if state == "queued" or (state == "running" and view.started is None):
        return "The trainer is starting; it loads the model and the data before the first step."
    if state == "running" and not view.step:
        return "The model is loaded; the base is measured on the held-out rows before the first step."
    if state == "running":
        return "It goes on when you leave. Press 5 afterwards to talk to it."
    if state == "paused":
        return "It keeps its memory and waits; p goes on, x stops it."
    if state == "finished":
        return "Press 5 to talk to it." if has_result else "It has no result to talk to; l shows its log."
    if state == "stopped":
        return f"{resume} Press 5 to talk to what it has learned so far." if has_result else resume
    if state == "failed":
        return f"{said or 'It ended with an error.'} l shows its log; {resume}"
    return f"Its process ended without a word; {resume}"


def can_control(state: str | None) -> bool:
    """Whether a trainer is there that obeys."""
    return bool(state) and state not in ENDED


def progress_bar(share: float, width: int, marks: Glyphs) -> tuple[str, str]:
    """The filled and the empty part of a bar of `width` cells."""
    full, half, empty = ("#", "", ".") if marks.ascii else ("━", "╸", "─")
    whole, rest = divmod(round(min(1.0, max(0.0, share)) * width * 2), 2)
    filled = full * whole + (half if rest else "")
    return filled, empty * (width - len(filled))
