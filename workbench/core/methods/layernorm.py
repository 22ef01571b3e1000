"""LayerNorm tuning: the norms alone."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.core.errors import UserError
from workbench.core.methods.layers import within
from workbench.core.methods.method import Count, Method
from workbench.core.methods.roles import norms
from workbench.core.methods.shared_knobs import double_quantisation_knob, layers_knob, quantisation_knob
from workbench.core.models.skeleton import Module, Skeleton


@dataclass(frozen=True, slots=True)
class LayerNormKnobs:
    """Knobs of LayerNorm tuning."""

    layers: str = layers_knob()
    quantisation: str = quantisation_knob()
    double_quantisation: bool = double_quantisation_knob()


def norm_targets(skeleton: Skeleton, knobs: LayerNormKnobs) -> tuple[Module, ...]:
    """The norms that are trained."""
    return within(norms(skeleton), skeleton, knobs.layers)


def _count(skeleton: Skeleton, knobs: LayerNormKnobs) -> Count:
    """Every weight and bias of the norms (section 3.2)."""
    return Count(tuple((module.name, module.size) for module in norm_targets(skeleton, knobs)), added=True)


def _refuse(skeleton: Skeleton, knobs: LayerNormKnobs) -> str | None:
    try:
        found = norm_targets(skeleton, knobs)
    except UserError as error:
        return error.sentence
    return None if found else "This model's norms hold no weights, so there is nothing to train; choose IA3 or LoRA."


METHOD = Method(
    name="layernorm",
    title="LayerNorm tuning",
    what=(
        "Only the norms are trained, the factors that rescale what flows between layers. "
        "They are a few thousand numbers a billion, and steer the whole model. "
        "A trained copy of each norm stands beside the base's own."
    ),
    equation="h = (γ + Δγ) ⊙ x / rms(x),   everything else frozen",
    paper="Zhao et al., Tuning LayerNorm in Attention, 2023, arXiv 2312.11420",
    knobs=LayerNormKnobs,
    learning_rate=1e-2,
    trains="the weights of the norms",
    merges=True,
    shares_base=True,
    formula="the weight, and the bias if there is one, of each norm",
    counting=_count,
    refusing=_refuse,
)
