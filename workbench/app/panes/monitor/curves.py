"""The curves of a run, and how far to the right its charts reach."""

from __future__ import annotations

from workbench.app.charts.drawing import Curve
from workbench.app.words import figure
from workbench.core.runs.view import RunView
from workbench.core.words import count_text, loss_text

EDGE = 16
"""Steps that the charts show at the least."""


def run_curves(view: RunView) -> dict[str, list[Curve]]:
    """The curves of each chart by its name: loss with held-out loss, rate, speed."""
    losses = [Curve("training", view.loss, "$text-primary", shown=loss_text(view.loss.last))]
    if len(view.held_out):
        held_out = loss_text(view.held_out_loss)
        losses.append(Curve("held-out", view.held_out, "$text-warning", "◆", dashed=True, shown=held_out))
    rate, speed = view.learning_rate.last, view.speed.last
    return {
        "loss": losses,
        "rate": [Curve("", view.learning_rate, "$text-accent", shown="" if rate is None else figure(rate, 3))],
        "speed": [Curve("", view.speed, "$text-success", shown="" if speed is None else count_text(speed))],
    }


def right_edge(view: RunView) -> int:
    """The last step on the charts: the next power-of-two share of all steps that the run has not passed.

    The curves fill the charts from half to full and are then drawn at half the scale, so that most redraws add to the
    picture and move nothing.
    """
    if view.ended or not view.steps:
        return max(1, view.step)
    edge = float(view.steps)
    while edge / 2 >= max(view.step, EDGE):
        edge /= 2
    return max(1, round(edge))
