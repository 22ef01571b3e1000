"""BitFit: biases alone."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.core.errors import UserError
from workbench.core.knobs import knob
from workbench.core.methods.layers import within
from workbench.core.methods.method import Count, Method
from workbench.core.methods.shared_knobs import double_quantisation_knob, layers_knob, quantisation_knob
from workbench.core.models.skeleton import Module, Skeleton


@dataclass(frozen=True, slots=True)
class BitFitKnobs:
    """Knobs of BitFit."""

    add_missing: bool = knob(False, "Give linear layers without a bias one that starts at zero.")
    layers: str = layers_knob()
    quantisation: str = quantisation_knob()
    double_quantisation: bool = double_quantisation_knob()


def bitfit_targets(skeleton: Skeleton, knobs: BitFitKnobs) -> tuple[tuple[Module, int], ...]:
    """Each module whose bias is trained, with the bias's length."""
    found: list[tuple[Module, int]] = []
    for module in within(skeleton.modules, skeleton, knobs.layers):
        own = dict(module.parameters).get("bias")
        if own is not None:
            found.append((module, own[0]))
        elif knobs.add_missing and module.is_linear and module.name != skeleton.output_layer:
            found.append((module, module.out_features))
    return tuple(found)


def _count(skeleton: Skeleton, knobs: BitFitKnobs) -> Count:
    """One number an output of every module with a bias (section 3)."""
    return Count(tuple((module.name, size) for module, size in bitfit_targets(skeleton, knobs)), added=True)


def _refuse(skeleton: Skeleton, knobs: BitFitKnobs) -> str | None:
    try:
        if bitfit_targets(skeleton, knobs):
            return None
    except UserError as error:
        return error.sentence
    return (
        "BitFit has nothing to train here: this model has no biases, as Llama and most models after it; "
        "set method.add_missing to true to add biases that start at zero, or choose LayerNorm tuning or IA3."
    )


METHOD = Method(
    name="bitfit",
    title="BitFit",
    what=(
        "Only the biases are trained, the constants that every layer adds to what it computes. "
        "They are less than a thousandth of a model, and yet enough for many tasks. "
        "What is stored is the change of each bias, so base and tuned share one model."
    ),
    equation="h = W·x + (b + Δb),   Δb = 0 at the start",
    paper="Ben Zaken et al., BitFit: Simple Parameter-efficient Fine-tuning, 2021, arXiv 2106.10199",
    knobs=BitFitKnobs,
    learning_rate=1e-2,
    trains="the biases",
    merges=True,
    shares_base=True,
    formula="out for each module with a bias",
    counting=_count,
    refusing=_refuse,
)
