"""Full fine-tuning."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.core.methods.method import Count, Method
from workbench.core.models.skeleton import Skeleton


@dataclass(frozen=True, slots=True)
class FullKnobs:
    """Full fine-tuning has no knobs of its own."""


def _count(skeleton: Skeleton, knobs: FullKnobs) -> Count:  # noqa: ARG001
    return Count(tuple((module.name, module.size) for module in skeleton.modules if module.size), added=False)


def _refuse(skeleton: Skeleton, knobs: FullKnobs) -> str | None:  # noqa: ARG001
    return None


FULL = Method(
    name="full",
    title="Full fine-tuning",
    what=(
        "Every weight of the model is trained. It can change the model most, and it costs most: gradients and "
        "optimizer states for every parameter. Too high a learning rate makes it forget what pretraining taught."
    ),
    equation="W ← W − η·∇L(W), for every weight W",
    paper="Howard and Ruder, Universal Language Model Fine-tuning, 2018, arXiv 1801.06146",
    knobs=FullKnobs,
    learning_rate=1e-4,
    trains="every weight of the base model",
    merges=False,
    shares_base=False,
    counting=_count,
    refusing=_refuse,
)
