"""Which blocks of a model a method reaches, from the words of its `layers` knob."""

from __future__ import annotations

from workbench.core.errors import UserError
from workbench.core.models.skeleton import Module, Skeleton

ALL = "all"


def chosen_layers(skeleton: Skeleton, text: str) -> frozenset[int]:
    """The blocks that `text` names: `all`, or numbers and ranges from 0 joined by commas, such as 0-3,7.

    `last 4` and `first 4` count from an end. UserError where it is none of these, or names a block that is not there.
    """
    every = range(skeleton.layers)
    words = text.strip().lower().split()
    if words == [ALL]:
        return frozenset(every)
    if len(words) == 2 and words[0] in ("first", "last") and words[1].isdigit() and 0 < int(words[1]) <= len(every):
        count = int(words[1])
        return frozenset(every[:count] if words[0] == "first" else every[-count:])
    found: set[int] = set()
    try:
        for part in text.split(","):
            low, _, high = part.partition("-")
            found.update(range(int(low), int(high or low) + 1))
    except ValueError:
        found = set()
    if not found or not found <= set(every):
        raise UserError(
            f"method.layers cannot be {text!r}; it takes all, first 4, last 4, or numbers from 0 to "
            f"{skeleton.layers - 1} such as 0-3,7."
        )
    return frozenset(found)


def within(modules: tuple[Module, ...], skeleton: Skeleton, layers: str) -> tuple[Module, ...]:
    """Those of `modules` that lie in the chosen blocks; with `all`, also those outside the blocks."""
    if layers.strip().lower() == ALL:
        return modules
    wanted = chosen_layers(skeleton, layers)
    return tuple(module for module in modules if module.layer in wanted)
