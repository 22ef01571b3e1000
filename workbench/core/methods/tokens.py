"""Trainable tokens: the embeddings of a few tokens."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.core.errors import UserError
from workbench.core.knobs import knob
from workbench.core.methods.method import Count, Method
from workbench.core.methods.roles import input_embedding
from workbench.core.methods.shared_knobs import double_quantisation_knob, quantisation_knob
from workbench.core.models.skeleton import Skeleton


@dataclass(frozen=True, slots=True)
class TokensKnobs:
    """Knobs of trainable tokens."""

    token_ids: list[int] = knob([], "Numbers of the tokens whose embeddings are trained, such as [2, 17].")
    quantisation: str = quantisation_knob()
    double_quantisation: bool = double_quantisation_knob()


def _count(skeleton: Skeleton, knobs: TokensKnobs) -> Count:
    """One embedding a token; a tied output layer uses the same ones."""
    embedding = input_embedding(skeleton)
    return Count(((embedding.name, len(knobs.token_ids) * embedding.parameters[0][1][-1]),), added=True)


def _refuse(skeleton: Skeleton, knobs: TokensKnobs) -> str | None:
    try:
        input_embedding(skeleton)
    except UserError as error:
        return error.sentence
    ids = knobs.token_ids
    if not ids:
        return "method.token_ids cannot be empty; name the tokens whose embeddings are to be trained, such as [2, 17]."
    for one in ids:
        if isinstance(one, bool) or not isinstance(one, int) or not 0 <= one < skeleton.vocabulary:
            return f"method.token_ids cannot hold {one!r}; a token's number is from 0 to {skeleton.vocabulary - 1}."
    if len(set(ids)) != len(ids):
        return "method.token_ids cannot name a token twice."
    return None


METHOD = Method(
    name="tokens",
    title="Trainable tokens",
    what=(
        "Only the embeddings of a few named tokens are trained, and nothing else in the model. "
        "It teaches a model what a new or unused token means. "
        "It cannot change how the model answers otherwise."
    ),
    equation="e(t) ← e(t) + Δ_t  for the named tokens t",
    paper="Hugging Face PEFT, Trainable Tokens, 2025, huggingface.co/docs/peft/package_reference/trainable_tokens",
    knobs=TokensKnobs,
    learning_rate=1e-2,
    trains="the embeddings of a few tokens",
    formula="d for each token",
    merges=True,
    shares_base=True,
    counting=_count,
    refusing=_refuse,
)
