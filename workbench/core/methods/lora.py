"""LoRA: low-rank adaptation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from workbench.core.errors import UserError
from workbench.core.knobs import knob
from workbench.core.methods.method import Count, Method
from workbench.core.methods.shared_knobs import layers_knob
from workbench.core.methods.targets import chosen_targets
from workbench.core.models.skeleton import CONV1D, Module, Skeleton

STARTS = ("zero", "gaussian", "orthogonal", "pissa", "olora")
"""How the two matrices start."""

FROM_WEIGHTS = ("pissa", "olora")
"""Starts that are computed from the base's weights, which training then stands on."""


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
    start: str = knob(
        "zero", "How updates start: zero, gaussian or orthogonal at the base; pissa or olora from its main directions.",
        choices=STARTS,
    )  # fmt: skip
    plus: float = knob(1.0, "How many times faster B learns than A; LoRA+ advises 16.", low=1.0, high=1000.0)
    bias: bool = knob(False, "Train a bias with each update.")
    layers: str = layers_knob()
    ranks: dict[str, int] = knob({}, "Other ranks by layer name, such as {down_proj: 4}; alpha / rank stays.")


def rank_of(module: Module, knobs: LoraKnobs) -> int:
    """The rank of a target's update."""
    return int(knobs.ranks.get(module.leaf, knobs.rank))


def count_lora(skeleton: Skeleton, knobs: LoraKnobs) -> Count:
    """r·(in + out) for every target (LoRA, section 4.1), one magnitude per output with DoRA, one bias per output."""
    extra = int(knobs.dora) + int(knobs.bias)
    return Count(
        tuple(
            (
                module.name,
                rank_of(module, knobs) * (module.in_features + module.out_features) + extra * module.out_features,
            )
            for module in chosen_targets(skeleton, knobs.targets, knobs.layers)
        ),
        added=True,
    )


def refuse_lora(skeleton: Skeleton, knobs: LoraKnobs) -> str | None:
    """Why these knobs do not fit: unknown targets, a rank above a matrix's smaller side, or knobs at odds."""
    try:
        targets = chosen_targets(skeleton, knobs.targets, knobs.layers)
    except UserError as error:
        return error.sentence
    return _refuse_ranks(targets, knobs) or _refuse_combination(targets, knobs)


def _refuse_ranks(targets: tuple[Module, ...], knobs: LoraKnobs) -> str | None:
    leaves = {module.leaf for module in targets}
    for name, rank in knobs.ranks.items():
        if name not in leaves:
            return f"method.ranks cannot name {name}; the targets are {', '.join(sorted(leaves))}."
        if isinstance(rank, bool) or not isinstance(rank, int) or rank < 1:
            return f"method.ranks cannot give {name} the rank {rank!r}; a rank is a whole number of at least 1."
    for module in sorted(targets, key=lambda one: min(one.in_features, one.out_features)):
        limit, rank = min(module.in_features, module.out_features), rank_of(module, knobs)
        if rank > limit:
            key = "method.ranks" if module.leaf in knobs.ranks else "method.rank"
            return (
                f"{key} cannot be {rank}; {module.leaf} is a {module.out_features}×{module.in_features} "
                f"matrix, so its rank is at most {limit}."
            )
    return None


def _refuse_combination(targets: tuple[Module, ...], knobs: LoraKnobs) -> str | None:
    transposed = any(module.kind == CONV1D for module in targets)
    if knobs.start == "olora" and transposed:
        return "method.start cannot be olora on this model, whose layers are Conv1D as GPT-2 has them; take pissa."
    if knobs.start == "orthogonal" and (knobs.rank % 2 or any(rank % 2 for rank in knobs.ranks.values())):
        return "method.start cannot be orthogonal with an odd rank; choose an even method.rank."
    if knobs.start in FROM_WEIGHTS and (knobs.dora or knobs.bias):
        return (
            f"method.start cannot be {knobs.start} together with method.dora or method.bias, "
            "because its result could not be told from the base afterwards; take one of them."
        )
    if knobs.start in FROM_WEIGHTS and knobs.rslora and knobs.ranks:
        return f"method.start cannot be {knobs.start} together with method.rslora and method.ranks; leave one out."
    if knobs.dora and knobs.bias:
        return "method.bias cannot be true together with method.dora; leave one of them out."
    return None


def plus_ratio(knobs: Mapping[str, object]) -> float:
    """How many times the learning rate of A is B's (LoRA+, Hayou et al. 2024, arXiv 2402.12354); 1 without LoRA+."""
    ratio = knobs.get("plus", 1.0)
    return float(ratio) if isinstance(ratio, (int, float)) else 1.0


METHOD = Method(
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
    learning_rate=5e-4,
    by_width=True,
    trains="two thin matrices beside each target layer",
    formula="r·(in + out) for each target; with DoRA or a bias, out more for each",
    merges=True,
    shares_base=True,
    counting=count_lora,
    refusing=refuse_lora,
)
