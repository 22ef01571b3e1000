"""Prompt tuning: trained vectors before the text."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.core.errors import UserError
from workbench.core.knobs import knob
from workbench.core.methods.method import Count, Method
from workbench.core.methods.roles import input_embedding
from workbench.core.methods.shared_knobs import double_quantisation_knob, quantisation_knob, virtual_tokens_knob
from workbench.core.models.skeleton import Skeleton


@dataclass(frozen=True, slots=True)
class PromptKnobs:
    """Knobs of prompt tuning."""

    virtual_tokens: int = virtual_tokens_knob(16)
    start: str = knob(
        "vocabulary", "What the vectors start as: random, tokens of the vocabulary, or the text below.",
        choices=("random", "vocabulary", "text"),
    )  # fmt: skip
    text: str = knob("", "The text that the vectors start as, repeated or cut to their number.")
    quantisation: str = quantisation_knob()
    double_quantisation: bool = double_quantisation_knob()


def _count(skeleton: Skeleton, knobs: PromptKnobs) -> Count:
    """One embedding a virtual token (section 2)."""
    embedding = input_embedding(skeleton)
    return Count(((embedding.name, knobs.virtual_tokens * skeleton.hidden_size),), added=True)


def refuse_virtual_tokens(skeleton: Skeleton, virtual_tokens: int) -> str | None:
    """Why virtual embeddings do not fit: no embedding of the right width, or no places for them."""
    try:
        embedding = input_embedding(skeleton)
    except UserError as error:
        return error.sentence
    width = embedding.parameters[0][1][-1]
    if width != skeleton.hidden_size:
        return (
            f"This model's embeddings are {width} wide and its blocks {skeleton.hidden_size}, so vectors cannot stand "
            "before the text; choose prefix tuning or LoRA."
        )
    return refuse_places(skeleton, virtual_tokens)


def refuse_places(skeleton: Skeleton, virtual_tokens: int) -> str | None:
    """Why so many virtual tokens have no room beside a text."""
    if skeleton.max_positions and virtual_tokens >= skeleton.max_positions:
        return (
            f"method.virtual_tokens cannot be {virtual_tokens}; the model has places for {skeleton.max_positions} "
            "tokens, virtual ones included."
        )
    return None


def _refuse(skeleton: Skeleton, knobs: PromptKnobs) -> str | None:
    if knobs.start == "text" and not knobs.text.strip():
        return "method.text cannot be empty where method.start is text; write a few words that describe the task."
    return refuse_virtual_tokens(skeleton, knobs.virtual_tokens)


METHOD = Method(
    name="prompt",
    title="Prompt tuning",
    what=(
        "A few trained vectors stand before every text, as if they were tokens. "
        "Nothing in the model itself changes: the vectors are a prompt that no words could spell. "
        "It trains the least, learns slowly, and takes a very high learning rate."
    ),
    equation="input = [p₁ … p_n ; e(x₁) … e(x_t)],   p trained, e frozen",
    paper="Lester et al., The Power of Scale for Parameter-Efficient Prompt Tuning, 2021, arXiv 2104.08691",
    knobs=PromptKnobs,
    learning_rate=1e-1,
    trains="vectors that stand before every text",
    formula="tokens·d",
    merges=False,
    shares_base=True,
    counting=_count,
    refusing=_refuse,
    packs=False,
)
