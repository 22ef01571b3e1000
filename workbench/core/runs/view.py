"""A run as seen: a frozen value that grows by events, the same for live, finished and crashed runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from workbench.core.runs.events import Event
from workbench.core.runs.series import Series

RECENT = 50
"""Samples and notices that a view keeps."""


@dataclass(frozen=True, slots=True)
class RunView:
    """What the monitor, the command line and the report show of a run."""

    started: Event | None = None
    """The last start event."""
    last_step: Event | None = None
    step: int = 0
    steps: int = 0
    loss: Series = field(default_factory=Series)
    held_out: Series = field(default_factory=Series)
    learning_rate: Series = field(default_factory=Series)
    grad_norm: Series = field(default_factory=Series)
    speed: Series = field(default_factory=Series)
    base_loss: float | None = None
    base_score: float | None = None
    held_out_loss: float | None = None
    score: float | None = None
    scored: int = 0
    memory: Event | None = None
    samples: tuple[Event, ...] = ()
    notices: tuple[Event, ...] = ()
    checkpoints: tuple[int, ...] = ()
    ended: Event | None = None

    def after(self, event: Event) -> RunView:
        """The view once `event` has happened."""
        change = _CHANGES.get(str(event.get("kind")))
        return change(self, event) if change else self

    def after_all(self, events: Iterable[Event]) -> RunView:
        """The view once all of `events` have happened, in order."""
        view = self
        for event in events:
            view = view.after(event)
        return view

    @property
    def seconds(self) -> float:
        """Running time so far."""
        return float(self.last_step["seconds"]) if self.last_step else 0.0

    @property
    def seconds_left(self) -> float | None:
        """Expected time to the last step, at the mean speed so far; None before the first step or after the end."""
        if self.ended or not self.last_step or not self.step or not self.seconds:
            return None
        first = int(self.started["resumed_from"] or 0) if self.started else 0
        done = self.step - first
        spent = self.seconds - (float(self.started.get("seconds") or 0.0) if self.started else 0.0)
        return (self.steps - self.step) * spent / done if done > 0 else None

    @property
    def progress(self) -> float:
        """Share of the steps that are done, from 0 to 1."""
        return min(1.0, self.step / self.steps) if self.steps else 0.0


def _start(view: RunView, event: Event) -> RunView:
    resumed = event.get("resumed_from") or 0
    back = view.step > resumed
    return replace(
        view,
        started=event,
        steps=int(event.get("steps", 0)),
        step=resumed,
        ended=None,
        loss=view.loss.until(resumed) if back else view.loss,
        held_out=view.held_out.until(resumed) if back else view.held_out,
        learning_rate=view.learning_rate.until(resumed) if back else view.learning_rate,
        grad_norm=view.grad_norm.until(resumed) if back else view.grad_norm,
        speed=view.speed.until(resumed) if back else view.speed,
        checkpoints=tuple(step for step in view.checkpoints if step <= resumed),
    )


def _step(view: RunView, event: Event) -> RunView:
    step = int(event["step"])
    return replace(
        view,
        last_step=event,
        step=step,
        loss=view.loss.with_point(step, event.get("loss")),
        learning_rate=view.learning_rate.with_point(step, event.get("learning_rate")),
        grad_norm=view.grad_norm.with_point(step, event.get("grad_norm")),
        speed=view.speed.with_point(step, event.get("tokens_per_second")),
    )


def _eval(view: RunView, event: Event) -> RunView:
    scored = event.get("score") is not None
    if event.get("side") == "base":
        return replace(
            view,
            base_loss=event.get("loss", view.base_loss),
            base_score=event["score"] if scored else view.base_score,
            scored=int(event["scored"]) if scored else view.scored,
            held_out=view.held_out.with_point(0, event.get("loss")) if not len(view.held_out) else view.held_out,
        )
    return replace(
        view,
        held_out_loss=event.get("loss", view.held_out_loss),
        held_out=view.held_out.with_point(int(event["step"]), event.get("loss")),
        score=event["score"] if scored else view.score,
        scored=int(event["scored"]) if scored else view.scored,
    )


_CHANGES: dict[str, Callable[[RunView, Event], RunView]] = {
    "start": _start,
    "step": _step,
    "eval": _eval,
    "sample": lambda view, event: replace(view, samples=(*view.samples, event)[-RECENT:]),
    "notice": lambda view, event: replace(view, notices=(*view.notices, event)[-RECENT:]),
    "memory": lambda view, event: replace(view, memory=event),
    "checkpoint": lambda view, event: replace(view, checkpoints=(*view.checkpoints, int(event["step"]))),
    "end": lambda view, event: replace(view, ended=event),
}
