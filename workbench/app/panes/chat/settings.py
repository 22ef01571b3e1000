"""How the answers are sampled: four small fields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Static

from workbench.app.widgets.fields import FieldEdited, FieldLeft, NumberField
from workbench.core.errors import UserError
from workbench.core.knobs import knob, knobs_of


@dataclass(frozen=True, slots=True)
class Sampling:
    """The sampler's settings, the same for both sides."""

    temperature: float = knob(0.0, "0 takes the likeliest token; higher values spread the choice.", low=0.0, high=100.0)
    top_p: float = knob(1.0, "Only the likeliest tokens that hold this share together.", above=0.0, high=1.0)
    max_new_tokens: int = knob(128, "Most tokens of one answer.", low=1, high=1_048_576)
    seed: int = knob(0, "Seed of the choice; the same seed gives the same answer.", low=0, high=2**32 - 1)


LABELS = {"temperature": "temperature", "top_p": "top-p", "max_new_tokens": "most tokens", "seed": "seed"}
SHORT_LABELS = {"temperature": "temp", "top_p": "top-p", "max_new_tokens": "most", "seed": "seed"}


class SamplingFields(Horizontal):
    """The settings in one line."""

    HELP = (
        "How the next token is chosen. Temperature 0 always takes the likeliest; above it, chance has a say, and the "
        "seed makes it repeatable. Top-p leaves out unlikely tokens. Most tokens is where an answer is cut off."
    )

    DEFAULT_CSS = """
    SamplingFields { height: 1; }
    SamplingFields Static { width: auto; color: $quiet; margin-right: 1; }
    SamplingFields NumberField { width: 8; margin-right: 2; padding: 0 1; background: $panel; }
    SamplingFields.-short NumberField { width: 7; margin-right: 1; }
    SamplingFields NumberField:focus { background: $primary 30%; }
    SamplingFields NumberField.-wrong { color: $text-error; text-style: underline; }
    """

    class Changed(Message):
        """The settings are others now, or one of them cannot be used (then `problem` says why)."""

        def __init__(self, values: Sampling, problem: str) -> None:
            super().__init__()
            self.values = values
            self.problem = problem

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._values: dict[str, Any] = {name: item.default for name, item in knobs_of(Sampling).items()}
        self._problems: dict[str, str] = {}

    @property
    def values(self) -> Sampling:
        """The settings as they were last valid."""
        return Sampling(**self._values)

    def compose(self) -> ComposeResult:
        for name, item in knobs_of(Sampling).items():
            yield Static(LABELS[name], markup=False, id=f"label-{name}")
            field = NumberField(name, item)
            field.tooltip = item.help
            field.show(item.default)
            yield field

    def shorten(self, short: bool) -> None:
        """Short labels and narrow fields, or long ones."""
        self.set_class(short, "-short")
        for name, label in (SHORT_LABELS if short else LABELS).items():
            self.query_one(f"#label-{name}", Static).update(label)

    def on_field_edited(self, event: FieldEdited) -> None:
        event.stop()
        field = event.field
        try:
            self._values[field.key] = field.knob.check(event.value, LABELS[field.key])
            self._problems.pop(field.key, None)
            field.show(self._values[field.key])
        except UserError as error:
            self._problems[field.key] = error.sentence
        field.set_class(field.key in self._problems, "-wrong")
        self.post_message(self.Changed(self.values, next(iter(self._problems.values()), "")))

    def on_field_left(self, event: FieldLeft) -> None:
        """A value that cannot be used gives way to the last one that could."""
        event.stop()
        if event.field.key in self._problems:
            del self._problems[event.field.key]
            event.field.remove_class("-wrong")
            event.field.show(self._values[event.field.key])
            self.post_message(self.Changed(self.values, ""))
