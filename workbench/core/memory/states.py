"""What stays in memory for the whole run: weights, adapters, and what the optimizer keeps."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.core.memory.numbers import Numbers
from workbench.core.methods.lora import FROM_WEIGHTS
from workbench.core.methods.shared_knobs import FULL_PRECISION
from workbench.core.models.skeleton import Skeleton
from workbench.core.recipe import Recipe

BLOCK = 64
"""Weights that share a scale in 4-bit numbers (QLoRA, section 3)."""
OUTER_BLOCK = 256
"""Scales that share a scale of their own under double quantisation."""

STATES = {
    "adamw": 2.0,
    "paged_adamw": 0.0,
    "sgd": 0.0,
}
"""Optimizer states per trained parameter in its own precision; paged ones lie outside the allocator."""

EIGHT_BIT = 2 * (1 + 4 / 256)
"""Bytes a parameter of 8-bit AdamW: two states of a byte, and a float32 scale a block of 256."""


@dataclass(frozen=True, slots=True)
class ModelStates:
    """Bytes that stay for the whole run, and the counts behind them."""

    weights: int
    adapters: int
    gradients: int
    optimizer: int
    trainable: int
    added: int
    """Parameters that the method adds to the base."""
    share: float


def bytes_per_quantised_parameter(quantisation: str, double: bool) -> float:
    """Bytes a parameter of a quantised matrix: 0.5 and its scales for 4-bit, 1 for 8-bit (QLoRA, section 3).

    NF4 in blocks of 64 with double quantisation is 0.5 + 1/64 + 4/(64·256) = 0.5159.
    """
    if quantisation == "int8":
        return 1.0
    return 0.5 + (1 / BLOCK + 4 / (BLOCK * OUTER_BLOCK) if double else 4 / BLOCK)


def weight_bytes(recipe: Recipe, skeleton: Skeleton, numbers: Numbers) -> int:
    """The base model's weights as they are held."""
    knobs = recipe.method.knobs
    if knobs.get("quantisation", FULL_PRECISION) == FULL_PRECISION:
        return skeleton.total_parameters * numbers.weight
    each = bytes_per_quantised_parameter(str(knobs["quantisation"]), bool(knobs["double_quantisation"]))
    matrices = sum(module.in_features * module.out_features for module in skeleton.linear_layers)
    scales = 4 * sum(module.out_features for module in skeleton.linear_layers) if knobs["quantisation"] == "int8" else 0
    return int(matrices * each) + scales + (skeleton.total_parameters - matrices) * numbers.weight


def model_states(recipe: Recipe, skeleton: Skeleton, numbers: Numbers) -> ModelStates:
    """What a run of `recipe` keeps throughout. UserError where the method does not fit the model."""
    count = recipe.method.facts.count(skeleton, recipe.method.knobs)
    trainable = count.total
    optimizer = recipe.training.optimizer
    if optimizer == "adamw_8bit":
        state = int(trainable * EIGHT_BIT)
    elif optimizer == "paged_adamw_8bit":
        state = 0
    elif optimizer == "adafactor":
        state = _factored(skeleton, count.added, trainable)
    else:
        state = int(trainable * STATES[optimizer] * numbers.trained)
    if recipe.method.name == "adalora":
        state += 3 * trainable * numbers.trained  # its means of how much each rank matters
    copies = 2 if recipe.method.knobs.get("start") in FROM_WEIGHTS else 1  # how the matrices started is kept
    return ModelStates(
        weights=weight_bytes(recipe, skeleton, numbers),
        adapters=copies * trainable * numbers.trained if count.added else 0,
        gradients=trainable * numbers.trained,
        optimizer=state,
        trainable=trainable,
        added=trainable if count.added else 0,
        share=count.share(skeleton),
    )


def _factored(skeleton: Skeleton, added: bool, trainable: int) -> int:
    """Adafactor's float32 row and column means (Shazeer and Stern 2018, section 3); thin matrices gain nothing."""
    if added:
        return 4 * trainable
    return 4 * sum(sum(shape) for module in skeleton.modules for _, shape in module.parameters)
