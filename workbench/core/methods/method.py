"""What is true of a fine-tuning method."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from workbench.core.errors import UserError
from workbench.core.knobs import knobs_of
from workbench.core.methods.rates import scaled_rate
from workbench.core.methods.stored_base import refuse_stored
from workbench.core.models.skeleton import Skeleton
from workbench.core.models.stored import Stored


@dataclass(frozen=True, slots=True)
class Count:
    """Parameters that a method trains."""

    by_module: tuple[tuple[str, int], ...]
    """Each module of the base that is trained or carries something trained, with the parameters trained there."""
    added: bool
    """Whether they are added to the base (adapters) or are the base's own."""

    @property
    def total(self) -> int:
        """Trainable parameters."""
        return sum(size for _, size in self.by_module)

    def share(self, skeleton: Skeleton) -> float:
        """Trainable share of all parameters, from 0 to 1; added ones count among all, as PEFT counts them."""
        every = skeleton.total_parameters + (self.total if self.added else 0)
        return self.total / every if every else 0.0

    def by_leaf(self) -> dict[str, int]:
        """Trainable parameters by the last part of the module's name, in order of first appearance."""
        sums: dict[str, int] = {}
        for name, size in self.by_module:
            leaf = name.rpartition(".")[2]
            sums[leaf] = sums.get(leaf, 0) + size
        return sums


@dataclass(frozen=True, slots=True)
class Method:
    """A fine-tuning method: its facts, its knobs and its formula."""

    name: str
    title: str
    what: str
    """What it is, in three plain sentences."""
    equation: str
    paper: str
    knobs: type
    """Its knobs, a dataclass made with `workbench.core.knobs.knob`."""
    learning_rate: float
    """Default peak learning rate; where `by_width`, the one at a width of 2,000."""
    trains: str
    """What it trains, in words."""
    formula: str
    """How many parameters that is: d is the model's width, in and out a matrix's sides, r the rank."""
    merges: bool
    """Whether the result can be folded into the base's weights."""
    shares_base: bool
    """Whether base and tuned answer from one model in memory, by switching the adapter off."""
    counting: Callable[[Skeleton, Any], Count]
    refusing: Callable[[Skeleton, Any], str | None]
    not_training: Callable[[Skeleton, Any], str | None] | None = None
    """Why what can be counted and estimated is not trained here, in one sentence; for a method that has such."""
    checkpoints: bool = True
    """Whether it trains with gradient checkpointing."""
    packs: bool = True
    """Whether it trains on packed rows."""
    by_width: bool = False
    """Whether its learning rate falls with the model's width, as that of matrices does."""

    @property
    def bases(self) -> tuple[str, ...]:
        """What the frozen base may be stored in: none (whole numbers), nf4, fp4, int8."""
        knob = knobs_of(self.knobs).get("quantisation")
        return knob.choices if knob is not None else ("none",)

    def rate_on(self, skeleton: Skeleton | None) -> float:
        """The default peak learning rate on this model; the one at a width of 2,000 where the model is not known."""
        return scaled_rate(self.learning_rate, skeleton) if self.by_width else self.learning_rate

    def count(self, skeleton: Skeleton, knobs: Mapping[str, Any]) -> Count:
        """What is trained on this model with these knobs; UserError where the method does not fit."""
        section = self.knobs(**knobs)
        reason = self._refusal(skeleton, section)
        if reason:
            raise UserError(reason)
        return self.counting(skeleton, section)

    def reason_against(self, skeleton: Skeleton, knobs: Mapping[str, Any]) -> str | None:
        """Why the method cannot be used on this model with these knobs, in one sentence; None where it can."""
        section = self.knobs(**knobs)
        return self._refusal(skeleton, section) or (self.not_training(skeleton, section) if self.not_training else None)

    def reason_against_base(self, stored: Stored | None, knobs: Mapping[str, Any]) -> str | None:
        """Why the method does not train over a checkpoint that is stored so; None where it does."""
        return refuse_stored(self.name, self.title, self.bases, stored, self.knobs(**knobs))

    def _refusal(self, skeleton: Skeleton, section: Any) -> str | None:
        over = refuse_stored(self.name, self.title, self.bases, skeleton.stored, section)
        return over or self.refusing(skeleton, section)

    def to_json(self) -> dict[str, Any]:
        """The method's facts and knobs as plain values."""
        return {
            "name": self.name,
            "title": self.title,
            "what": self.what,
            "equation": self.equation,
            "paper": self.paper,
            "learning_rate": self.learning_rate,
            "learning_rate_by_width": self.by_width,
            "trains": self.trains,
            "formula": self.formula,
            "merges": self.merges,
            "shares_base": self.shares_base,
            "bases": list(self.bases),
            "knobs": [
                {"name": knob.name, "help": knob.help, "default": knob.default, "accepts": knob.accepted}
                for knob in knobs_of(self.knobs).values()
            ],
        }
