"""OFT: orthogonal fine-tuning."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.core.errors import UserError
from workbench.core.knobs import knob
from workbench.core.methods.method import Count, Method
from workbench.core.methods.shared_knobs import double_quantisation_knob, layers_knob, quantisation_knob
from workbench.core.methods.targets import chosen_targets, refuse_conv1d, targets_knob
from workbench.core.models.skeleton import Skeleton


@dataclass(frozen=True, slots=True)
class OftKnobs:
    """Knobs of OFT. No dropout: PEFT's class has a setting for it that its forward pass does not read."""

    block_size: int = knob(16, "Inputs that are turned together; must divide every target's inputs.", low=2, high=4096)
    targets: str = targets_knob()
    layers: str = layers_knob()
    quantisation: str = quantisation_knob()
    double_quantisation: bool = double_quantisation_knob()


def _count(skeleton: Skeleton, knobs: OftKnobs) -> Count:
    """(in / b) blocks of b·(b − 1)/2 angles for every target (section 3)."""
    angles = knobs.block_size * (knobs.block_size - 1) // 2
    return Count(
        tuple(
            (one.name, one.in_features // knobs.block_size * angles)
            for one in chosen_targets(skeleton, knobs.targets, knobs.layers)
        ),
        added=True,
    )


def _refuse(skeleton: Skeleton, knobs: OftKnobs) -> str | None:
    try:
        targets = chosen_targets(skeleton, knobs.targets, knobs.layers)
    except UserError as error:
        return error.sentence
    refused = refuse_conv1d(targets, "OFT")
    if refused:
        return refused
    for one in targets:
        if one.in_features % knobs.block_size:
            return (
                f"method.block_size cannot be {knobs.block_size}; {one.leaf} has {one.in_features} inputs, "
                "which it must divide."
            )
    return None


METHOD = Method(
    name="oft",
    title="OFT",
    what=(
        "What goes into each chosen matrix is first turned by a trained rotation, in blocks. "
        "A rotation keeps lengths and angles, so the model forgets less of what it knew. "
        "Afterwards the rotation can be folded into the matrix."
    ),
    equation="h = W·R·x,   R block-diagonal with RᵀR = I,   R = I at the start",
    paper="Qiu et al., Controlling Text-to-Image Diffusion by Orthogonal Finetuning, 2023, arXiv 2306.07280",
    knobs=OftKnobs,
    learning_rate=1e-3,
    trains="rotations of what goes into each target layer",
    merges=True,
    shares_base=True,
    formula="in·(b − 1) / 2 for each target,   b inputs turned together",
    counting=_count,
    refusing=_refuse,
)
