"""How far a recipe could go on a device: rows at once, tokens a row, and the largest model of its family."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

from workbench.core.errors import UserError
from workbench.core.memory.cards import CARDS
from workbench.core.memory.device import Device
from workbench.core.memory.estimate import estimate_memory, judge
from workbench.core.memory.families import FAMILIES, skeleton_of_sizes
from workbench.core.memory.loop import TRAINER, Loop
from workbench.core.memory.row_shape import RowShape
from workbench.core.methods.counted import is_counted
from workbench.core.models.skeleton import Skeleton
from workbench.core.recipe import Recipe

MOST_ROWS = 4096
MOST_TOKENS = 1_048_576


@dataclass(frozen=True, slots=True)
class Limits:
    """What still fits on the device; None where not even the least does, or nothing is known."""

    micro_batch: int | None
    """Most rows at once, as the recipe is otherwise."""
    max_length: int | None
    """Longest rows, at this micro-batch; never more than the model has places for."""
    family: str | None
    largest_model: str | None
    """The largest member of the model's family with this method and these settings.

    Unknown, family and all, for a method that is counted by building it and has not been counted on the members.
    """

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def find_limits(
    recipe: Recipe, skeleton: Skeleton, device: Device, rows: RowShape | None = None, loop: Loop = TRAINER
) -> Limits:
    """The limits of this recipe on this device, by the closed form."""

    def fits(changed: Recipe, shape: RowShape | None, model: Skeleton = skeleton) -> bool:
        try:
            return estimate_memory(changed, model, device, shape, loop).process <= device.free
        except UserError:
            return False

    def of_rows(size: int) -> bool:
        training = replace(recipe.training, micro_batch=size, effective_batch=size)
        return fits(replace(recipe, training=training), rows)

    def of_length(tokens: int) -> bool:
        return fits(replace(recipe, data=replace(recipe.data, max_length=tokens)), None)

    length = _most(of_length, min(MOST_TOKENS, skeleton.max_positions or MOST_TOKENS))
    family, members = FAMILIES.get(skeleton.model_type, (None, ()))
    largest = None
    for member in members:
        model = skeleton_of_sizes(member, skeleton.model_type)
        if not is_counted(recipe.method, model):  # to build it on every member takes minutes of every core
            family = largest = None
            break
        if not fits(recipe, rows, model):
            break
        largest = member.name
    return Limits(_most(of_rows, MOST_ROWS), length, family, largest)


def _most(fits: Callable[[int], bool], highest: int) -> int | None:
    """The largest number up to `highest` that fits, where every smaller one does too; None where 1 does not."""
    if not fits(1):
        return None
    low, high = 1, 2
    while high <= highest and fits(high):
        low, high = high, 2 * high
    high = min(high, highest + 1)
    while high - low > 1:
        middle = (low + high) // 2
        if fits(middle):
            low = middle
        else:
            high = middle
    return low


def fits_on_cards(
    recipe: Recipe, skeleton: Skeleton, rows: RowShape | None = None, loop: Loop = TRAINER
) -> list[dict[str, Any]]:
    """For each common card: its name, memory, and the verdict on it when nothing else runs there."""
    needs = estimate_memory(recipe, skeleton, CARDS[0].device, rows, loop)
    return [
        {
            "card": card.name,
            "memory": card.device.total,
            "needs": needs.process,
            "verdict": judge(needs.process, needs.process_high, card.device),
            "source": card.sheet,
        }
        for card in CARDS
    ]
