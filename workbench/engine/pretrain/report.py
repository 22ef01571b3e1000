"""Progress of a pretraining run on standard output: lines for people, or one JSON object a line."""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.engine.pretrain.recall import BaseBehaviour, Count
from workbench.engine.pretrain.training import Step

Recall = Mapping[str, Count]
Behaviour = Mapping[str, BaseBehaviour]

LINE_EVERY = 50
"""Steps between two lines of progress."""


@dataclass(frozen=True)
class Report:
    """Where the lines go, and in which form."""

    as_json: bool

    def say(self, kind: str, sentence: str, **values: Any) -> None:
        """One line: the sentence for a person, or the values as JSON with the kind in `event`."""
        line = json.dumps({"event": kind, **values}) if self.as_json else sentence
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    def say_step(self, step: Step, steps: int) -> None:
        """Where the run is, how fast it goes and how long it still takes."""
        left = step.seconds / step.step * (steps - step.step)
        speed = step.tokens / step.seconds
        self.say(
            "step",
            f"step {step.step:,} of {steps:,}  loss {step.loss:.4f}  {speed:,.0f} tokens/s"
            f"  {format_seconds(left)} left",
            step=step.step, steps=steps, loss=step.loss, tokens=step.tokens, seconds=step.seconds,
            tokens_per_second=speed, seconds_left=left,
        )  # fmt: skip

    def say_recall(self, step: int, recall: Recall) -> None:
        """How much of every table the model recalls."""
        words = ", ".join(f"{name.replace('_', ' ')} {count.right}/{count.of}" for name, count in recall.items())
        self.say("recall", f"recall after step {step:,}: {words}", step=step, recall=list_recall(recall))

    def say_behaviour(self, behaviour: Behaviour) -> None:
        """What the model does when it is asked for the capitals, by how it was asked."""
        words = "; ".join(
            f"{how}: {seen.answered.right} of {seen.answered.of} answered,"
            f" {seen.asked_on.right} continued with another question"
            for how, seen in behaviour.items()
        )
        self.say("base", f"capitals asked {words}", questions=list_behaviour(behaviour))

    def say_end(self, folder: Path, seconds: float, recall: Recall, behaviour: Behaviour) -> None:
        """The last word: where the model is, and as JSON also what was measured."""
        self.say(
            "end",
            f"The model is in {folder}.",
            folder=str(folder), seconds=seconds, recall=list_recall(recall), questions=list_behaviour(behaviour),
        )  # fmt: skip


def list_recall(recall: Recall) -> dict[str, list[int]]:
    """Right and of, by table."""
    return {name: [count.right, count.of] for name, count in recall.items()}


def list_behaviour(behaviour: Behaviour) -> dict[str, dict[str, int]]:
    """Counts by how the question was asked."""
    return {
        how: {"answered": seen.answered.right, "asked_on": seen.asked_on.right, "of": seen.answered.of}
        for how, seen in behaviour.items()
    }


def format_seconds(seconds: float) -> str:
    """Minutes and seconds: "9:05"."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
