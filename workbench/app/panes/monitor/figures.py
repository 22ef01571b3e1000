"""The figures of a run, in one column or two."""

from __future__ import annotations

from dataclasses import dataclass

from textual.content import Content

from workbench.app.charts.lines import Lines
from workbench.app.words import figure
from workbench.core.runs.facts import measured_memory
from workbench.core.runs.view import RunView
from workbench.core.words import count_text, loss_text, share_text, size_text


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of the run."""

    name: str
    short: str
    """The name in at most eight letters, for a narrow pane."""
    value: str
    beside: tuple[str, ...] = ()
    """What it is compared with, or more about it; the first that fits is shown."""
    unit: str = ""
    """What the short name leaves out."""


def run_figures(view: RunView) -> list[Figure]:
    """The figures that there are so far; an unknown one is a dash."""
    started, step, memory = view.started or {}, view.last_step or {}, view.memory or {}
    measured = measured_memory(memory)
    predicted = memory.get("predicted") or started.get("predicted_memory")
    before = view.base_loss
    base_loss = (f"base {loss_text(before)}", f"base {before:.2f}") if before is not None else ()
    base_score = (f"base {share_text(view.base_score)}",) if view.base_score is not None else ()
    asked = f"{view.scored} asked"
    of_all = (f"{share_text(started['share'])} of all",) if started.get("share") is not None else ()
    epoch = (f"epoch {step['epoch']:.2f}",) if step.get("epoch") is not None else ()
    expected = (f"predicted {size_text(predicted)}", f"of {size_text(predicted)}") if predicted else ()
    return [
        Figure("Loss", "Loss", loss_text(view.loss.last)),
        Figure("Held-out loss", "Held-out", loss_text(view.held_out_loss), base_loss),
        Figure(
            "Right answers",
            "Right",
            share_text(view.score) if view.scored else "–",
            (*(f"{base}, {asked}" for base in base_score), *base_score, asked) if view.scored else (),
        ),
        Figure("Learning rate", "Rate", _figure(view.learning_rate.last)),
        Figure("Gradient norm", "Gradient", _figure(view.grad_norm.last), unit="norm"),
        Figure("Speed", "Speed", count_text(step.get("tokens_per_second")), ("tokens/s",)),
        Figure("Peak memory", "Memory", size_text(measured), expected),
        Figure("Trained weights", "Trains", count_text(started.get("trainable_parameters")), of_all),
        Figure("Tokens seen", "Seen", count_text(step.get("tokens")), epoch),
        Figure("Checkpoint", "Saved", f"step {view.checkpoints[-1]}" if view.checkpoints else "–"),
    ]


def _figure(value: float | None) -> str:
    return "–" if value is None else figure(value, 3)


class Figures(Lines):
    """The figures as a table; two columns where it is wide, one where it is narrow."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._view = RunView()
        self.columns = 1

    def show(self, view: RunView) -> None:
        """Show the figures of this view."""
        self._view = view
        self.redraw()

    def draw(self, width: int, height: int) -> list[Content]:  # noqa: ARG002
        figures = run_figures(self._view)
        if self.columns == 1:
            return [_cell(f"{figure.name:<16} ", figure.value, figure.beside, width) for figure in figures]
        half = len(figures) // 2
        room = width // 2
        return [
            Content.assemble(_short(left, room - 1), " ", _short(right, width - room))
            for left, right in zip(figures[:half], figures[half:], strict=True)
        ]


def _short(figure: Figure, room: int) -> Content:
    return _cell(f"{figure.short:<9}", figure.value, figure.beside or ((figure.unit,) if figure.unit else ()), room)


def _cell(name: str, value: str, beside: tuple[str, ...], room: int) -> Content:
    """One figure in `room` cells, with the first of `beside` that fits."""
    left = room - len(name) - len(value)
    shown = next((f"  {text}" for text in beside if len(text) + 2 <= left), "")
    filler = " " * max(0, left - len(shown))
    return Content.assemble((name, "$quiet"), (value, "bold"), (shown, "$quiet"), (filler, ""))
