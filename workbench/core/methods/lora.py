"""LoRA: low-rank adaptation."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.core.errors import UserError
from workbench.core.knobs import knob
from workbench.core.methods.method import Count, Method
from workbench.core.methods.targets import target_modules
from workbench.core.models.skeleton import Skeleton


@dataclass(frozen=True, slots=True)
class LoraKnobs:
    """Knobs of LoRA."""

    rank: int = knob(8, "Rank r of each update; parameters grow with it.", low=1, high=65_536)
    alpha: float = knob(16.0, "Scale: an update is multiplied by alpha / rank.", above=0.0, high=1e6)
    targets: str = knob(
        "all-linear", "Layers that get an update: all-linear, attention, q+v, or names joined by commas."
    )
    dropout: float = knob(0.0, "Dropout on the input of each update.", low=0.0, high=0.99)
    rslora: bool = knob(False, "Scale by alpha / sqrt(rank), which keeps high ranks learning (rsLoRA).")
    dora: bool = knob(False, "Train a magnitude per output beside the direction (DoRA).")


def count_lora(skeleton: Skeleton, knobs: LoraKnobs) -> Count:
    """r·(in + out) for every target (LoRA, section 4.1), and one magnitude per output with DoRA."""
    return Count(
        tuple(
            (
                module.name,
                knobs.rank * (module.in_features + module.out_features) + (module.out_features if knobs.dora else 0),
            )
            for module in target_modules(skeleton, knobs.targets)
        ),
        added=True,
    )


def refuse_lora(skeleton: Skeleton, knobs: LoraKnobs) -> str | None:
    """Why these knobs do not fit: unknown targets, or a rank above the smaller side of a target matrix."""
    try:
        targets = target_modules(skeleton, knobs.targets)
    except UserError as error:
        return error.sentence
    smallest = min(targets, key=lambda module: min(module.in_features, module.out_features))
    limit = min(smallest.in_features, smallest.out_features)
    if knobs.rank > limit:
        return (
            f"method.rank cannot be {knobs.rank}; {smallest.leaf} is a {smallest.out_features}×{smallest.in_features} "
            f"matrix, so its rank is at most {limit}."
        )
    return None


LORA = Method(
    name="lora",
    title="LoRA",
    what=(
        "The base stays frozen, and beside each chosen matrix a product of two thin matrices is trained. "
        "Their rank is small, so a sliver of the parameters is trained and stored. "
        "Afterwards the product can be added to the base, and costs nothing when it answers."
    ),
    equation="h = W·x + (α/r)·B·A·x,   A: r×in,  B: out×r,  B = 0 at the start",
    paper="Hu et al., LoRA: Low-Rank Adaptation of Large Language Models, 2021, arXiv 2106.09685",
    knobs=LoraKnobs,
    learning_rate=2e-4,
    trains="two thin matrices beside each target layer",
    merges=True,
    shares_base=True,
    counting=count_lora,
    refusing=refuse_lora,
)
