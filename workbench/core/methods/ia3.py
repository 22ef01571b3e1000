"""IA3: trained factors on keys, values and feed-forward activations."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.core.errors import UserError
from workbench.core.knobs import knob
from workbench.core.methods.layers import within
from workbench.core.methods.method import Count, Method
from workbench.core.methods.roles import feed_forward_outputs, key_values
from workbench.core.methods.shared_knobs import double_quantisation_knob, layers_knob, quantisation_knob
from workbench.core.models.skeleton import Module, Skeleton


@dataclass(frozen=True, slots=True)
class Ia3Knobs:
    """Knobs of IA3."""

    keys_values: bool = knob(True, "Scale what the key and value projections give.")
    feed_forward: bool = knob(True, "Scale what goes into the last projection of each feed-forward.")
    layers: str = layers_knob()
    quantisation: str = quantisation_knob()
    double_quantisation: bool = double_quantisation_knob()


def ia3_targets(skeleton: Skeleton, knobs: Ia3Knobs) -> tuple[tuple[Module, ...], tuple[Module, ...]]:
    """The layers whose outputs are scaled, and those whose inputs are (the feed-forward rule)."""
    outputs = within(key_values(skeleton), skeleton, knobs.layers) if knobs.keys_values else ()
    inputs = within(feed_forward_outputs(skeleton), skeleton, knobs.layers) if knobs.feed_forward else ()
    return outputs, inputs


def _count(skeleton: Skeleton, knobs: Ia3Knobs) -> Count:
    """One factor an output of each key and value projection, one an input of each feed-forward's last (section 3.3)."""
    outputs, inputs = ia3_targets(skeleton, knobs)
    sizes = [(module.name, module.out_features) for module in outputs]
    return Count((*sizes, *((module.name, module.in_features) for module in inputs)), added=True)


def _refuse(skeleton: Skeleton, knobs: Ia3Knobs) -> str | None:
    try:
        outputs, inputs = ia3_targets(skeleton, knobs)
    except UserError as error:
        return error.sentence
    if not knobs.keys_values and not knobs.feed_forward:
        return "IA3 has nothing to train: set method.keys_values or method.feed_forward to true."
    if (knobs.keys_values and not outputs) or (knobs.feed_forward and not inputs):
        missing = "key and value projections" if knobs.keys_values and not outputs else "feed-forward"
        return f"IA3 does not find this model's {missing}; choose LoRA with its layers by name."
    return None


METHOD = Method(
    name="ia3",
    title="IA3",
    what=(
        "The base stays frozen, and its keys, values and feed-forward activations are multiplied by trained factors. "
        "All factors start at one, so training starts at the base. "
        "It trains fewer parameters than almost any other method, and can be folded into the base afterwards."
    ),
    equation="k = l_k ⊙ W_k·x,   v = l_v ⊙ W_v·x,   h = W_out·(l_ff ⊙ a),   l = 1 at the start",
    paper="Liu et al., Few-Shot Parameter-Efficient Fine-Tuning is Better and Cheaper, 2022, arXiv 2205.05638",
    knobs=Ia3Knobs,
    learning_rate=3e-2,
    trains="a factor for each key, value and feed-forward activation",
    merges=True,
    shares_base=True,
    formula="out for each key and value projection, in for each feed-forward's last projection",
    counting=_count,
    refusing=_refuse,
)
