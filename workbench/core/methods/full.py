"""Full fine-tuning."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.core.errors import UserError
from workbench.core.knobs import knob
from workbench.core.methods.layers import ALL, within
from workbench.core.methods.method import Count, Method
from workbench.core.methods.roles import part_of
from workbench.core.methods.shared_knobs import layers_knob
from workbench.core.models.skeleton import Module, Skeleton

PARTS = ("embeddings", "attention", "feed-forward", "norms", "output")


@dataclass(frozen=True, slots=True)
class FullKnobs:
    """Knobs of full fine-tuning: what of the model stays frozen."""

    parts: str = knob("all", f"Parts that are trained: all, or of {', '.join(PARTS)}, joined by commas.")
    layers: str = layers_knob()


def trained_modules(skeleton: Skeleton, knobs: FullKnobs) -> tuple[Module, ...]:
    """The modules that are trained; with fewer than all layers, none outside the blocks. UserError for an unknown part.

    A tied output layer has no weights of its own: it is trained with the embeddings.
    """
    found = tuple(module for module in within(skeleton.modules, skeleton, knobs.layers) if module.size)
    if knobs.parts.strip().lower() == ALL:
        return found
    wanted = {part.strip() for part in knobs.parts.split(",") if part.strip()}
    if not wanted or not wanted <= set(PARTS):
        raise UserError(f"method.parts cannot be {knobs.parts!r}; it takes all, or of {', '.join(PARTS)}.")
    return tuple(module for module in found if part_of(module, skeleton) in wanted)


def _count(skeleton: Skeleton, knobs: FullKnobs) -> Count:
    return Count(tuple((module.name, module.size) for module in trained_modules(skeleton, knobs)), added=False)


def _refuse(skeleton: Skeleton, knobs: FullKnobs) -> str | None:
    try:
        found = trained_modules(skeleton, knobs)
    except UserError as error:
        return error.sentence
    if found:
        return None
    tied = " The output layer's weights are the embeddings here." if skeleton.tied and "output" in knobs.parts else ""
    return f"method.parts {knobs.parts} with method.layers {knobs.layers} leaves nothing to train.{tied}"


METHOD = Method(
    name="full",
    title="Full fine-tuning",
    what=(
        "Every weight of the model is trained, or those of chosen parts and layers. "
        "It can change the model most, and it costs most: gradients and optimizer states for every parameter. "
        "Too high a learning rate makes it forget what pretraining taught."
    ),
    equation="W ← W − η·∇L(W), for every weight W",
    paper="Howard and Ruder, Universal Language Model Fine-tuning, 2018, arXiv 1801.06146",
    knobs=FullKnobs,
    learning_rate=5e-5,
    by_width=True,
    trains="every weight of the base model",
    merges=False,
    shares_base=False,
    formula="every weight of the chosen parts and layers",
    counting=_count,
    refusing=_refuse,
)
