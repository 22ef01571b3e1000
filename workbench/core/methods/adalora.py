"""AdaLoRA: LoRA that moves its rank to where it helps."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.core.errors import UserError
from workbench.core.knobs import knob
from workbench.core.methods.method import Count, Method
from workbench.core.methods.shared_knobs import double_quantisation_knob, layers_knob, quantisation_knob
from workbench.core.methods.targets import chosen_targets, rank_above_matrix, targets_knob
from workbench.core.models.skeleton import Skeleton


@dataclass(frozen=True, slots=True)
class AdaLoraKnobs:
    """Knobs of AdaLoRA."""

    start_rank: int = knob(12, "Rank of every update at the start.", low=1, high=65_536)
    rank: int = knob(8, "Mean rank of the updates at the end.", low=1, high=65_536)
    alpha: float = knob(16.0, "Scale: an update is multiplied by alpha / its rank.", above=0.0, high=1e6)
    targets: str = targets_knob()
    layers: str = layers_knob()
    dropout: float = knob(0.0, "Dropout on the input of each update.", low=0.0, high=0.99)
    begin: float = knob(0.1, "Share of the steps before ranks begin to fall.", low=0.0, high=0.9)
    settle: float = knob(0.3, "Share of the steps at the end in which ranks stay.", low=0.0, high=0.9)
    orthogonality: float = knob(0.5, "Weight of the penalty that keeps the directions of an update apart.", low=0.0)
    quantisation: str = quantisation_knob()
    double_quantisation: bool = double_quantisation_knob()


def _count(skeleton: Skeleton, knobs: AdaLoraKnobs) -> Count:
    """r·(in + out + 1) for every target at the start (section 3.1); later some of it is held at zero."""
    rank = knobs.start_rank
    return Count(
        tuple(
            (one.name, rank * (one.in_features + one.out_features + 1))
            for one in chosen_targets(skeleton, knobs.targets, knobs.layers)
        ),
        added=True,
    )


def _refuse(skeleton: Skeleton, knobs: AdaLoraKnobs) -> str | None:
    try:
        chosen_targets(skeleton, knobs.targets, knobs.layers)
    except UserError as error:
        return error.sentence
    if knobs.rank >= knobs.start_rank:
        return (
            f"method.rank cannot be {knobs.rank}; it must be below method.start_rank, which is {knobs.start_rank}, "
            "because AdaLoRA only takes ranks away."
        )
    if knobs.begin + knobs.settle >= 1.0:
        return "method.begin and method.settle cannot add up to 1 or more; ranks would have no steps to fall in."
    return rank_above_matrix(skeleton, knobs.targets, knobs.layers, knobs.start_rank, "start_rank")


METHOD = Method(
    name="adalora",
    title="AdaLoRA",
    what=(
        "Every update starts with more rank than it may keep, written as directions with a strength each. "
        "While training, the directions that matter least over the whole model are switched off. "
        "So the rank ends up in the layers that need it."
    ),
    equation="h = W·x + (α/r)·P·diag(λ)·Q·x,   small λ → 0,   P and Q near orthogonal",
    paper="Zhang et al., AdaLoRA: Adaptive Budget Allocation, 2023, arXiv 2303.10512",
    knobs=AdaLoraKnobs,
    learning_rate=5e-4,
    by_width=True,
    trains="directions and strengths beside each target layer",
    merges=True,
    shares_base=True,
    formula="r·(in + out + 1) for each target,   r the rank at the start",
    counting=_count,
    refusing=_refuse,
)
