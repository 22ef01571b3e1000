"""MiSS: one shared block per matrix."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.core.errors import UserError
from workbench.core.knobs import knob
from workbench.core.methods.method import Count, Method
from workbench.core.methods.shared_knobs import double_quantisation_knob, layers_knob, quantisation_knob
from workbench.core.methods.targets import (
    chosen_targets,
    rank_above_matrix,
    refuse_conv1d,
    targets_knob,
)
from workbench.core.models.skeleton import Skeleton


@dataclass(frozen=True, slots=True)
class MissKnobs:
    """Knobs of MiSS."""

    rank: int = knob(16, "Rows of the trained block of each matrix.", low=1, high=65_536)
    targets: str = targets_knob()
    layers: str = layers_knob()
    dropout: float = knob(0.0, "Dropout on the input of each update.", low=0.0, high=0.99)
    quantisation: str = quantisation_knob()
    double_quantisation: bool = double_quantisation_knob()


def _count(skeleton: Skeleton, knobs: MissKnobs) -> Count:
    """r·out for every target (section 3)."""
    targets = chosen_targets(skeleton, knobs.targets, knobs.layers)
    return Count(tuple((one.name, knobs.rank * one.out_features) for one in targets), added=True)


def _refuse(skeleton: Skeleton, knobs: MissKnobs) -> str | None:
    try:
        targets = chosen_targets(skeleton, knobs.targets, knobs.layers)
    except UserError as error:
        return error.sentence
    refused = refuse_conv1d(targets, "MiSS")
    return refused or rank_above_matrix(skeleton, knobs.targets, knobs.layers, knobs.rank, "rank")


METHOD = Method(
    name="miss",
    title="MiSS",
    what=(
        "Beside each chosen matrix one small block is trained, and used again for every slice of the input. "
        "It needs half of what LoRA trains at the same rank, and starts at the base. "
        "Afterwards the block can be added to the matrix."
    ),
    equation="h = W·x + Dᵀ·(sum of the slices of x),   D: r×out,   D = 0 at the start",
    paper="Kang and Yin, MiSS: Revisiting the Trade-off in LoRA, 2024, arXiv 2409.15371",
    knobs=MissKnobs,
    learning_rate=2e-4,
    by_width=True,
    trains="one block beside each target layer",
    merges=True,
    shares_base=True,
    formula="r·out for each target",
    counting=_count,
    refusing=_refuse,
)
