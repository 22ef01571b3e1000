"""P-tuning: virtual tokens that a small network makes."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.core.knobs import knob
from workbench.core.methods.method import Count, Method
from workbench.core.methods.prompt import refuse_virtual_tokens
from workbench.core.methods.shared_knobs import double_quantisation_knob, quantisation_knob, virtual_tokens_knob
from workbench.core.models.skeleton import Skeleton


@dataclass(frozen=True, slots=True)
class PTuningKnobs:
    """Knobs of P-tuning."""

    virtual_tokens: int = virtual_tokens_knob(16)
    encoder: str = knob("mlp", "The network that makes the vectors.", choices=("mlp", "lstm"))
    encoder_size: int = knob(128, "Width of that network.", low=1, high=65_536)
    quantisation: str = quantisation_knob()
    double_quantisation: bool = double_quantisation_knob()


LSTM_LAYERS = 2
"""Layers of the bidirectional LSTM, as in the paper's code."""


def _count(skeleton: Skeleton, knobs: PTuningKnobs) -> Count:
    """The vectors that go into the network, and the network: three layers, or a two-way LSTM with two layers behind."""
    width, inner = skeleton.hidden_size, knobs.encoder_size
    total = knobs.virtual_tokens * width
    if knobs.encoder == "mlp":
        total += (width + 1) * inner + (inner + 1) * inner + (inner + 1) * width
    else:
        first = 2 * (4 * inner * (width + inner) + 8 * inner)
        second = 2 * (4 * inner * (2 * inner + inner) + 8 * inner)
        total += first + (LSTM_LAYERS - 1) * second + (2 * inner + 1) * 2 * inner + (2 * inner + 1) * width
    return Count((("prompt", total),), added=True)


def _refuse(skeleton: Skeleton, knobs: PTuningKnobs) -> str | None:
    return refuse_virtual_tokens(skeleton, knobs.virtual_tokens)


METHOD = Method(
    name="p-tuning",
    title="P-tuning",
    what=(
        "Trained vectors stand before every text, and a small network makes them, so that they learn together. "
        "After training the network is thrown away and only the vectors are kept. "
        "The base itself does not change."
    ),
    equation="p = MLP(E)  or  p = MLP(LSTM(E)),   input = [p ; e(x)]",
    paper="Liu et al., GPT Understands, Too, 2021, arXiv 2103.10385",
    knobs=PTuningKnobs,
    learning_rate=1e-3,
    trains="vectors before every text, and the network that makes them",
    formula="tokens·d, and the network that makes them",
    merges=False,
    shares_base=True,
    counting=_count,
    refusing=_refuse,
    packs=False,
)
