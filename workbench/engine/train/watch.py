"""What happens after every step: events, evaluation, checkpoints, and what the user wants."""

from __future__ import annotations

import contextlib
import errno
import shutil
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from workbench.core.errors import RunFailedError
from workbench.core.files import read_json, write_json_atomically
from workbench.core.recipe import Recipe
from workbench.core.runs.folder import RunFolder
from workbench.engine.failures import is_disk_full, is_out_of_memory
from workbench.engine.train.checkpoints import HIDDEN, aside, publish
from workbench.engine.train.controls import Controls, StopAskedError, share_want
from workbench.engine.train.evaluate import HeldOut
from workbench.engine.train.heartbeat import Clock, Heartbeat
from workbench.engine.train.journal import Journal
from workbench.engine.train.loop import RunTrainer, StepFigures
from workbench.engine.train.order import Order
from workbench.engine.train.peak import PeakMemory

PROGRESS = "progress.json"
"""A checkpoint's own figures: tokens, seconds, last loss."""

STILL = 5
"""Steps with a gradient of exactly zero after which something is broken rather than learnt."""

PAUSE_LOOK = 0.2
"""Seconds between two looks at what is wanted while the run is paused."""


@dataclass
class Totals:
    """Figures since the start of the run, over all resumptions."""

    step: int = 0
    tokens: int = 0
    trained_tokens: int = 0
    loss: float | None = None
    """Training loss of the last step."""
    seconds: float = 0.0

    def write(self, folder: Path) -> None:
        write_json_atomically(folder / PROGRESS, asdict(self))


def read_totals(checkpoint: Path) -> Totals:
    """The figures of a checkpoint."""
    return Totals(**(read_json(checkpoint / PROGRESS) or {}))


@dataclass
class Watch:
    """Stands between the training loop and the run folder."""

    folder: RunFolder
    recipe: Recipe
    order: Order
    journal: Journal
    heartbeat: Heartbeat
    clock: Clock
    controls: Controls
    held_out: HeldOut
    peak: PeakMemory
    predicted: int
    base_answers: list[str]
    """The base's answers to the samples; empty where they were not asked."""
    totals: Totals = field(default_factory=Totals)
    stopped: bool = False
    step_tokens: int = 0
    """Tokens of the steps of this process, and the seconds they took, evaluations and pauses left out."""
    step_seconds: float = 0.0
    trainer: RunTrainer | None = None
    _step_began: float = field(init=False, default_factory=time.monotonic)
    _moved: bool = field(init=False, default=False)
    _still: int = field(init=False, default=0)
    _checkpoint_bytes: int = field(init=False, default=0)
    _checkpoint_failed: bool = field(init=False, default=False)
    _saved_at: int = field(init=False, default=-1)

    @property
    def first(self) -> bool:
        """Whether this is the one of a run's processes that writes."""
        return not self.journal.silent

    def begin(self) -> None:
        """Training begins now."""
        self.clock.start()
        self._step_began = time.monotonic()

    def after_step(self, figures: StepFigures) -> bool:
        """Record the step, do what is due, and obey; true where the run is to stop."""
        took = time.monotonic() - self._step_began
        self._record(figures, took)
        self._look_at_gradients(figures)
        last = figures.step >= self.order.steps
        training = self.recipe.training
        if figures.step in (1, 2) and self.step_tokens:
            self.tell_memory()
        if training.evaluate_every and figures.step % training.evaluate_every == 0 and not last:
            self.evaluate(score=False)
        if training.checkpoint_every and figures.step % training.checkpoint_every == 0 and not last:
            self.checkpoint()
        self.stopped = self._obey(last)
        self._step_began = time.monotonic()
        return self.stopped

    def _record(self, figures: StepFigures, took: float) -> None:
        totals = self.totals
        totals.step = figures.step
        totals.tokens += figures.tokens
        totals.trained_tokens += figures.trained_tokens
        totals.loss = figures.loss
        totals.seconds = self.clock.seconds
        self.step_tokens += figures.tokens
        self.step_seconds += took
        self.heartbeat.step = figures.step
        self.journal.write(
            "step",
            figures.step,
            loss=figures.loss,
            learning_rate=figures.learning_rate,
            grad_norm=figures.grad_norm,
            tokens=totals.tokens,
            trained_tokens=totals.trained_tokens,
            tokens_per_second=round(figures.tokens / took, 1) if took > 0 else None,
            seconds=round(totals.seconds, 3),
            epoch=round(self.order.passes[figures.step - 1], 4),
        )

    def _look_at_gradients(self, figures: StepFigures) -> None:
        """RunFailedError where gradients have died, or never lived: training would go on and change nothing."""
        if figures.grad_norm:
            self._moved, self._still = True, 0
        elif figures.grad_norm == 0.0 and figures.loss > 1e-6:
            self._still += 1
        if self._still < STILL:
            return
        if not self._moved:
            raise RunFailedError(
                f"The gradients have been exactly zero for all {STILL} steps so far, so nothing is learnt: no trained "
                "weight reaches the loss; try another precision, other layers or another method."
            )
        raise RunFailedError(
            f"The gradients have been exactly zero for {STILL} steps, so nothing is learnt any more; "
            "resume from a checkpoint, or try another precision or method."
        )

    def evaluate(self, score: bool) -> None:
        """Measure on the process that writes, while the others wait."""
        if self.trainer is None:
            return
        if self.first:
            with contextlib.suppress(StopAskedError):  # the stop itself comes with the end of the step
                self.measure(score)
        self.trainer.accelerator.wait_for_everyone()

    def measure(self, score: bool) -> None:
        """Measure the held-out rows on the model as it is now, and show some answers."""
        assert self.trainer is not None
        if self.held_out.empty:
            return
        model = self.trainer.accelerator.unwrap_model(self.trainer.model)
        write_evaluation(self.journal, self.totals.step, "tuned", self.held_out.measure(model, score))
        answers = self.held_out.answer_samples(model)
        for number, (question, answer) in enumerate(zip(self.held_out.samples, answers, strict=True)):
            self.journal.write(
                "sample",
                self.totals.step,
                prompt=question.prompt,
                expected=question.answer,
                base=self.base_answers[number] if number < len(self.base_answers) else None,
                tuned=answer,
            )
        self.tell_memory()

    def tell_memory(self) -> None:
        """Write the peaks so far."""
        self.journal.write("memory", self.totals.step, **self.peak.read(), predicted=self.predicted)

    def checkpoint(self) -> None:
        """Write a checkpoint; where that fails, say so and go on."""
        if self.trainer is None or self._saved_at == self.totals.step:
            return
        failure: Exception | None = None
        hidden = self.folder.checkpoints / f"{HIDDEN}{self.totals.step}"
        wait = self.trainer.accelerator.wait_for_everyone
        try:
            if self.first:
                self._check_room()
                aside(self.folder, self.totals.step)
        except OSError as error:
            failure = error
        wait()
        try:
            if failure is None:
                self.trainer.save_state_in(hidden)
            if self.first:
                self.totals.write(hidden)
        except Exception as error:  # torch and safetensors say a full disk in kinds of their own
            failure = failure or error
        wait()
        if self.first:
            self._publish(hidden, failure)

    def _publish(self, hidden: Path, failure: Exception | None) -> None:
        """Make the checkpoint in `hidden` the newest, or say why there is none."""
        step = self.totals.step
        try:
            if failure is not None:
                raise failure
            final, size = publish(self.folder, hidden, step, self.recipe.training.keep_checkpoints)
        except Exception as error:
            shutil.rmtree(hidden, ignore_errors=True)
            if is_out_of_memory(error):
                raise
            self._tell_failure("the disk is full" if is_disk_full(error) else f"{type(error).__name__}: {error}"[:200])
            return
        self._checkpoint_bytes, self._checkpoint_failed, self._saved_at = size, False, step
        self.journal.write("checkpoint", step, path=str(final.relative_to(self.folder.path)), bytes=size)

    def _check_room(self) -> None:
        """OSError where the last checkpoint would not fit a second time: a half-written one helps nobody."""
        if shutil.disk_usage(self.folder.path).free < self._checkpoint_bytes:
            raise OSError(errno.ENOSPC, "No space left on device")

    def _tell_failure(self, why: str) -> None:
        if not self._checkpoint_failed:
            self.journal.notice(
                self.totals.step,
                f"The checkpoint of step {self.totals.step} could not be written ({why}); training goes on without it.",
            )
        self._checkpoint_failed = True

    def _obey(self, last: bool) -> bool:
        want = share_want(self.controls.read())
        if want == "checkpoint":
            self.checkpoint()
        if want == "pause" and not last:
            want = self._pause()
        if want == "stop" and not last:
            self.checkpoint()
            return True
        return False

    def _pause(self) -> str:
        """Stand still until something else is wanted; what that is."""
        self.clock.stop()
        self.heartbeat.change("paused")
        want = "pause"
        while want in ("pause", "checkpoint"):
            if want == "checkpoint":
                self.checkpoint()
            time.sleep(PAUSE_LOOK)
            want = share_want(self.controls.read())
        self.clock.start()
        self.heartbeat.change("running")
        return want


def write_evaluation(journal: Journal, step: int, side: str, measured: Any) -> None:
    """One side's figures as an event."""
    scored = {} if measured.score is None else {"score": measured.score, "scored": measured.scored}
    journal.write("eval", step, loss=measured.loss, tokens=measured.tokens, side=side, **scored)
