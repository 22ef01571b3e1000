"""Adapters of one base in memory: another run's answers with a switch, not with a model read from disk."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from peft import PeftConfig

from workbench.core.errors import UserError
from workbench.core.recipe import Recipe
from workbench.engine.methods.stored import load_checked

MOST = 8
"""Adapters that are kept beside one another; one more, and the base is read anew."""

ALONE = ("ADAPTION_PROMPT", "XLORA")
"""Kinds that PEFT has once in a model."""


@dataclass
class Shelf:
    """A base with adapters of one kind on it, each by the folder that it came from and when that was written."""

    model: Any
    """The PEFT model."""
    base: tuple[Any, ...]
    """What says which base it is, as `base_key` gives it."""
    names: dict[tuple[str, int], str] = field(default_factory=dict)

    def put(self, folder: Path) -> str | None:
        """The name under which the adapter in `folder` is on the base, put there if it is not; None where it cannot."""
        key = (str(folder), written(folder))
        if key in self.names:
            return self.names[key]
        if len(self.names) >= MOST or not self._takes(folder):
            return None
        name = f"run_{len(self.names) + 1}"
        try:
            load_checked(self.model, folder, name)
        except UserError:
            return None  # opened alone, it says what is wrong
        self.model.eval()
        self.names[key] = name
        return name

    def _takes(self, folder: Path) -> bool:
        """PEFT holds one kind in a model; virtual tokens and fusions have a way of their own to be opened."""
        here = self.model.active_peft_config
        there = PeftConfig.from_pretrained(str(folder))
        odd = [one for one in (here, there) if one.is_prompt_learning or getattr(one, "fuse", None)]
        same = here.peft_type == there.peft_type and getattr(here, "placement", "") == getattr(there, "placement", "")
        return same and not odd and str(getattr(there.peft_type, "value", there.peft_type)) not in ALONE


def base_key(recipe: Recipe) -> tuple[Any, ...]:
    """What two runs must have in common to answer from one base in memory."""
    knobs = recipe.method.knobs
    stored = (knobs.get("quantisation", "none"), knobs.get("double_quantisation"))
    return (recipe.model, stored, recipe.training.precision)


def written(folder: Path) -> int:
    """When a result was written last."""
    return max((file.stat().st_mtime_ns for file in folder.glob("*.safetensors")), default=0)
