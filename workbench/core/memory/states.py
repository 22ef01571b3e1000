"""What stays in memory for the whole run: weights, adapters, and what the optimizer keeps."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.core.errors import UserError
from workbench.core.memory.blocks import UNQUANTISED, WITH_A_MASK
from workbench.core.memory.numbers import Numbers
from workbench.core.memory.optimizers import optimizer_bytes, trained_shapes
from workbench.core.memory.updates import shared_update_bytes
from workbench.core.methods.lora import FROM_WEIGHTS
from workbench.core.methods.shared_knobs import FULL_PRECISION
from workbench.core.models.skeleton import LINEAR, Module, Skeleton
from workbench.core.models.stored import Stored, of_bitsandbytes
from workbench.core.recipe import Recipe


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


def base_storage(recipe: Recipe, skeleton: Skeleton) -> Stored | None:
    """What the base's matrices are held in: the checkpoint's own numbers, or those that the method asks for.

    None where they are whole. UserError where the two do not go together.
    """
    knobs = recipe.method.knobs
    asked = str(knobs.get("quantisation", FULL_PRECISION))
    stored = skeleton.stored
    if stored is None:
        return None if asked == FULL_PRECISION else of_bitsandbytes(asked, bool(knobs["double_quantisation"]))
    reason = recipe.method.facts.reason_against_base(stored, knobs)
    if reason is not None:
        raise UserError(reason)
    return stored


def weight_bytes(recipe: Recipe, skeleton: Skeleton, numbers: Numbers) -> int:
    """The base model's weights as they are held."""
    stored = base_storage(recipe, skeleton)
    if stored is None:
        return skeleton.total_parameters * numbers.weight
    layers = quantised_layers(skeleton, stored)
    matrices = sum(_matrix(module) for module in layers)
    scales = 4 * sum(module.out_features for module in layers) if stored.kind == "int8" else 0
    return int(matrices * stored.each) + scales + (skeleton.total_parameters - matrices) * numbers.weight


def quantised_layers(skeleton: Skeleton, stored: Stored) -> list[Module]:
    """The layers whose matrices are quantised: linear ones, and by other libraries than bitsandbytes experts too.

    A matrix that is shared with the embedding stays as that one is.
    """
    if stored.by_bitsandbytes and skeleton.model_type in UNQUANTISED:
        return []
    if stored.by_bitsandbytes:
        found = [module for module in skeleton.modules if module.is_linear]
    else:
        found = [module for module in skeleton.modules if module.kind == LINEAR or _is_experts(module)]
    return [one for one in found if one.parameters and stored.reaches(one.name, skeleton.output_layer)]


def _is_experts(module: Module) -> bool:
    return bool(module.parameters) and all(len(shape) == 3 for _, shape in module.parameters)


def _matrix(module: Module) -> int:
    return module.size if _is_experts(module) else module.in_features * module.out_features


def model_states(recipe: Recipe, skeleton: Skeleton, numbers: Numbers) -> ModelStates:
    """What a run of `recipe` keeps throughout. UserError where the method does not fit the model."""
    count = recipe.method.facts.count(skeleton, recipe.method.knobs)
    trainable = count.total
    optimizer = recipe.training.optimizer
    if optimizer in ("adamw", "sgd"):  # the shapes do not matter
        state = optimizer_bytes(optimizer, [((trainable,), 1)], numbers.trained)
    else:
        state = optimizer_bytes(optimizer, trained_shapes(recipe, skeleton, count), numbers.trained)
    if recipe.method.name == "adalora":
        state += 3 * trainable * numbers.trained  # its means of how much each rank matters
    mask = skeleton.max_positions**2 if skeleton.model_type in WITH_A_MASK else 0
    copies = 2 if recipe.method.knobs.get("start") in FROM_WEIGHTS else 1  # how the matrices started is kept
    return ModelStates(
        weights=weight_bytes(recipe, skeleton, numbers) + shared_update_bytes(recipe, skeleton) + mask,
        adapters=copies * trainable * numbers.trained if count.added else 0,
        gradients=trainable * numbers.trained,
        optimizer=state,
        trainable=trainable,
        added=trainable if count.added else 0,
        share=count.share(skeleton),
    )
