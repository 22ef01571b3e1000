"""Prefix tuning: trained keys and values before the text, in every layer."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.core.knobs import knob
from workbench.core.methods.method import Count, Method
from workbench.core.methods.prompt import refuse_places
from workbench.core.methods.shared_knobs import double_quantisation_knob, quantisation_knob, virtual_tokens_knob
from workbench.core.models.skeleton import Skeleton

WITHOUT_A_CACHE = ("bamba", "falcon_mamba", "jamba", "mamba", "mamba2", "recurrent_gemma", "rwkv", "zamba", "zamba2")
"""Model types whose layers are not all attention with a cache of keys and values."""


@dataclass(frozen=True, slots=True)
class PrefixKnobs:
    """Knobs of prefix tuning."""

    virtual_tokens: int = virtual_tokens_knob(16)
    start: str = knob(
        "vocabulary", "What the prefix starts as: random, or what the base makes of tokens of the vocabulary or of the "
        "text below; a projection starts at random.",
        choices=("random", "vocabulary", "text"),
    )  # fmt: skip
    text: str = knob("", "The text that the prefix starts as, repeated or cut to its number of tokens.")
    projection: bool = knob(
        False, "Train a small network that makes the prefix, as the paper does, and keep its result."
    )
    projection_size: int = knob(256, "Width of that network.", low=1, high=65_536)
    quantisation: str = quantisation_knob()
    double_quantisation: bool = double_quantisation_knob()


def _count(skeleton: Skeleton, knobs: PrefixKnobs) -> Count:
    """A key and a value a layer, head and virtual token; with a projection, its embedding and two matrices."""
    width = skeleton.key_value_heads * skeleton.head_dim
    whole = 2 * skeleton.layers * width
    if not knobs.projection:
        return Count((("prefix", knobs.virtual_tokens * whole),), added=True)
    inner = knobs.projection_size
    network = knobs.virtual_tokens * width + (width + 1) * inner + (inner + 1) * whole
    return Count((("prefix", network),), added=True)


def _refuse(skeleton: Skeleton, knobs: PrefixKnobs) -> str | None:
    if skeleton.model_type in WITHOUT_A_CACHE or not skeleton.key_value_heads or not skeleton.head_dim:
        return "Prefix tuning needs attention in every layer, which this model does not have; choose LoRA."
    if knobs.start == "text" and not knobs.text.strip():
        return "method.text cannot be empty where method.start is text; write a few words that describe the task."
    if knobs.start == "text" and knobs.projection:
        return "method.start cannot be text with method.projection, whose network starts at random; leave one out."
    return refuse_places(skeleton, knobs.virtual_tokens)


METHOD = Method(
    name="prefix",
    title="Prefix tuning",
    what=(
        "Every layer's attention sees trained keys and values before the text, as if something had been read already. "
        "The model's own weights stay as they are. "
        "It reaches deeper than prompt tuning, because each layer has a prefix of its own."
    ),
    equation="attention(q, [P_k ; k], [P_v ; v]) in every layer,   P trained",
    paper="Li and Liang, Prefix-Tuning: Optimizing Continuous Prompts for Generation, 2021, arXiv 2101.00190",
    knobs=PrefixKnobs,
    learning_rate=3e-2,
    trains="keys and values that stand before every text, in every layer",
    merges=False,
    shares_base=True,
    formula=(
        "2·K·L·d_kv,   K virtual tokens, L layers; "
        "with a projection of width p: K·d_kv + (d_kv + 1)·p + (p + 1)·2·L·d_kv"
    ),
    counting=_count,
    refusing=_refuse,
    packs=False,
    checkpoints=False,
)
