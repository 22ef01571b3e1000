"""Following a run as text: the same lines for a live run, a finished one and one that died."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from workbench.cli.page import Page, say
from workbench.core.errors import RunFailedError
from workbench.core.runs.events import Event, EventReader
from workbench.core.runs.folder import ENDED, RunFolder
from workbench.core.runs.view import RunView
from workbench.core.words import (
    clip_text,
    clock_text,
    count_text,
    loss_text,
    seconds_text,
    share_text,
    size_text,
    visible_text,
)

POLL = 0.2
"""Seconds between looks at the run's files."""

SLOWEST = 30.0
"""Seconds between two lines about steps late in a long run; early on, one second."""


@dataclass(frozen=True, slots=True)
class Voice:
    """What is said of a run while it is followed."""

    of_event: Callable[[Event, Page], Iterable[str]] | None
    """The lines for one event that is no step; None says nothing at all, of steps neither."""
    of_end: bool = True
    """Whether the end is told."""


def follow_run(folder: RunFolder, page: Page, voice: Voice) -> RunView:
    """Print what happens in a run until it has ended, and return the run as it then stands.

    For the steps one line a second at first, later one in a sixtieth of the time spent, at most every 30 seconds.
    """
    reader, view, told = EventReader(folder.events), RunView(), ""
    begun = spoken = time.monotonic()
    first = True
    while True:
        status = folder.read_status()
        state = status.state if status else "lost"
        events = reader.read()
        for event in events:
            view = view.after(event)
            for line in voice.of_event(event, page) if voice.of_event else ():
                say(line)
        now = time.monotonic()
        pause = min(SLOWEST, max(1.0, (now - begun) / 60))
        if voice.of_event and any(event["kind"] == "step" for event in events) and (first or now - spoken >= pause):
            say(step_line(view))
            spoken = now
        first = first and not events
        if state in ENDED:
            for line in end_lines(folder, view, state) if voice.of_end else ():
                say(line)
            return view
        if state == "paused" and told != "paused" and voice.of_event:
            say(f"paused at step {view.step}; to go on: workbench resume {folder.name}")
        told = state
        time.sleep(POLL)


def event_lines(event: Event, page: Page) -> Iterator[str]:
    """What is said of one event; steps are said apart."""
    kind = event["kind"]
    if kind == "start":
        yield _start_line(event)
    elif kind == "eval":
        yield _evaluation_line(event)
    elif kind == "sample":
        yield from sample_lines(event, page.width)
    elif kind == "checkpoint":
        yield f"checkpoint at step {event['step']} ({size_text(event.get('bytes'))})"
    elif kind == "notice":
        level = str(event.get("level", "info"))
        label = "note" if level == "info" else level
        yield f"{label}: {visible_text(str(event.get('text', '')))}"


ALOUD = Voice(event_lines)
SILENT = Voice(None, of_end=False)


def _start_line(event: Event) -> str:
    resumed = event.get("resumed_from")
    begin = f"resumed from step {resumed}" if resumed else "started"
    trained, total = count_text(event.get("trainable_parameters")), count_text(event.get("total_parameters"))
    return (
        f"{begin}: {count_text(event.get('rows'))} rows trained on, {count_text(event.get('held_out_rows'))} held out, "
        f"{trained} of {total} parameters trained ({share_text(event.get('share'))}), "
        f"{count_text(event.get('steps'))} steps on {event.get('device')}"
    )


def step_line(view: RunView) -> str:
    """Where the run is: step, loss, learning rate, speed and what is left."""
    event = view.last_step or {}
    wide = len(str(view.steps))
    parts = [
        f"step {view.step:>{wide}}/{view.steps} {share_text(view.progress):>6}",
        f"loss {loss_text(event.get('loss'))}",
        f"learning rate {_rate(event.get('learning_rate'))}",
        f"{count_text(event.get('tokens_per_second'))} tokens/s",
    ]
    if view.seconds_left is not None:
        parts.append(f"{clock_text(view.seconds_left)} left")
    return "  ".join(parts)


def _rate(value: Any) -> str:
    return "–" if value is None else f"{value:.2e}"


def _evaluation_line(event: Event) -> str:
    side = "base" if event.get("side") == "base" else f"step {event['step']}"
    line = f"held out, {side}: loss {loss_text(event.get('loss'))}"
    if event.get("score") is not None:
        line += f", exact match {share_text(event['score'])} of {event.get('scored')} answers"
    return line


def sample_lines(event: Event, width: int) -> Iterator[str]:
    """A held-out row as it is answered."""
    for label, key in (("asked", "prompt"), ("expected", "expected"), ("base", "base"), ("tuned", "tuned")):
        text = event.get(key)
        if text is not None:
            yield clip_text(f"  {label:>8}  {visible_text(str(text))}", width)


def end_lines(folder: RunFolder, view: RunView, state: str) -> Iterator[str]:
    """The end of a run in words, and what can be done next."""
    if state in ("finished", "stopped"):
        yield f"{folder.name} {'is finished' if state == 'finished' else 'was stopped'} {_outcome(view)}"
        if folder.result is not None:
            yield f"talk to it: workbench chat {folder.name}"
        if folder.report.is_file():
            yield f"its report: {visible_text(str(folder.report))}"
        if state == "stopped":
            yield f"to go on: workbench resume {folder.name}"


def _outcome(view: RunView) -> str:
    text = f"after {view.step} steps in {seconds_text(view.seconds)}: loss {loss_text(view.loss.last)}"
    if view.held_out_loss is not None:
        text += f", held out {loss_text(view.held_out_loss)} (base {loss_text(view.base_loss)})"
    if view.score is not None:
        text += f", exact match {share_text(view.score)} (base {share_text(view.base_score)})"
    return text


def raise_if_failed(folder: RunFolder, view: RunView) -> None:
    """RunFailedError, with the reason and the way out, where the run has failed or its process is gone."""
    status = folder.read_status()
    state = status.state if status else "lost"
    if state not in ("failed", "lost"):
        return
    reason = str((view.ended or {}).get("text") or "") if state == "failed" else ""
    if not reason:
        last = _last_line(folder)
        reason = f"its process is gone; the last line of its log is: {last}" if last else "its process is gone"
    reason = visible_text(reason).rstrip(".")
    resume = ""
    if folder.newest_checkpoint():
        resume = f" To go on from its last checkpoint: workbench resume {folder.name}"
    raise RunFailedError(f"The run {folder.name} {'failed' if state == 'failed' else 'is lost'}: {reason}.{resume}")


def _last_line(folder: RunFolder) -> str:
    try:
        lines = folder.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1][:300] if lines else ""
