"""VeRA: shared random matrices, trained scales."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.core.errors import UserError
from workbench.core.knobs import knob
from workbench.core.methods.method import Count, Method
from workbench.core.methods.shared_knobs import double_quantisation_knob, layers_knob, quantisation_knob
from workbench.core.methods.targets import chosen_targets, targets_knob
from workbench.core.models.skeleton import Skeleton


@dataclass(frozen=True, slots=True)
class VeraKnobs:
    """Knobs of VeRA."""

    rank: int = knob(
        256, "Rank of the shared random matrices; each layer trains one number a rank.", low=1, high=65_536
    )
    targets: str = targets_knob()
    layers: str = layers_knob()
    dropout: float = knob(0.0, "Dropout on the input of each update.", low=0.0, high=0.99)
    start: float = knob(0.1, "What the scales of the ranks start at.", above=0.0, high=100.0)
    quantisation: str = quantisation_knob()
    double_quantisation: bool = double_quantisation_knob()


def _count(skeleton: Skeleton, knobs: VeraKnobs) -> Count:
    """r + out for every target (section 3.2); the random matrices are shared and not trained."""
    targets = chosen_targets(skeleton, knobs.targets, knobs.layers)
    return Count(tuple((one.name, knobs.rank + one.out_features) for one in targets), added=True)


def _refuse(skeleton: Skeleton, knobs: VeraKnobs) -> str | None:
    try:
        chosen_targets(skeleton, knobs.targets, knobs.layers)
    except UserError as error:
        return error.sentence
    return None


METHOD = Method(
    name="vera",
    title="VeRA",
    what=(
        "Two random matrices are drawn once and shared by all layers, and never trained. "
        "Each layer trains only how much of each rank and of each output it takes. "
        "It stores ten times less than LoRA, and computes as much."
    ),
    equation="h = W·x + b ⊙ B·(d ⊙ A·x),   A and B random and shared, b = 0 at the start",
    paper="Kopiczko et al., VeRA: Vector-based Random Matrix Adaptation, 2024, arXiv 2310.11454",
    knobs=VeraKnobs,
    learning_rate=2e-2,
    trains="two scales beside each target layer",
    merges=True,
    shares_base=True,
    formula="r + out for each target",
    counting=_count,
    refusing=_refuse,
)
