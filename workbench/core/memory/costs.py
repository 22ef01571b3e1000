"""Time and money: how long a recipe is expected to train here, and what that costs at a price an hour."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from workbench.core.errors import UserError
from workbench.core.files import read_json, write_json_atomically
from workbench.core.memory.experience import Experience
from workbench.core.places import Workspace
from workbench.core.recipe import Recipe

FILE = "price.json"
"""Where the workspace keeps its price."""


@dataclass(frozen=True, slots=True)
class Duration:
    """Expected speed and time of training; evaluations and loading come on top."""

    tokens_per_second: float
    source: str
    """The run, or rehearsal, that the speed was measured in."""
    tokens: int | None
    """Tokens that the run trains through; None where the data has not been read."""

    @property
    def seconds(self) -> float | None:
        return round(self.tokens / self.tokens_per_second, 1) if self.tokens else None

    def to_json(self) -> dict[str, Any]:
        """As `workbench estimate --json` has it."""
        return {
            "tokens_per_second": self.tokens_per_second,
            "from": self.source,
            "tokens": self.tokens,
            "seconds": self.seconds,
        }


def run_tokens(recipe: Recipe, report: Mapping[str, Any] | None) -> int | None:
    """Tokens that a run goes through: of all rows in each epoch, or of as many steps as the recipe has."""
    if not report or not report.get("usable_rows"):
        return None
    every = float(report["total_tokens"])
    training = recipe.training
    if training.steps:
        return round(every / float(report["usable_rows"]) * training.steps * training.effective_batch)
    return round(every * training.epochs)


def expected_duration(recipe: Recipe, report: Mapping[str, Any] | None, experience: Experience) -> Duration | None:
    """By the newest run or rehearsal of this model and method here; None without one."""
    known = experience.speed(recipe)
    if known is None:
        return None
    speed, source = known
    return Duration(speed, source, run_tokens(recipe, report))


@dataclass(frozen=True, slots=True)
class Price:
    """What an hour of the machine costs."""

    per_hour: float
    currency: str = ""
    """As the person writes it, such as USD; may be empty."""

    def of(self, seconds: float) -> float:
        """What so many seconds cost."""
        return self.per_hour * seconds / 3600

    def to_json(self, seconds: float | None) -> dict[str, Any]:
        """The price, and the cost of a run of so many seconds where that is known."""
        return {**asdict(self), "total": None if seconds is None else round(self.of(seconds), 4)}


def money_text(amount: float, currency: str) -> str:
    """An amount with two figures behind the point, more where it is below a cent: 12.40 USD, 0.0021 EUR."""
    digits = 2 if amount >= 0.01 or amount == 0 else min(8, 1 - math.floor(math.log10(amount)))
    return f"{amount:,.{digits}f} {currency}".rstrip()


def parse_price(text: str) -> Price | None:
    """`1.99`, `1.99 EUR` or `$1.99` as a price an hour; None for an empty text or 0. UserError for anything else."""
    found = re.fullmatch(r"\s*([^\d\s.,-]{0,3})\s*(\d+(?:\.\d+)?|\.\d+)\s*([^\d\s.,/-]{0,3})\s*", text)
    if not text.strip():
        return None
    if found is None or (found[1] and found[3]) or not math.isfinite(float(found[2])):
        raise UserError(f"A price cannot be {text[:40]!r}; it takes a number an hour, such as 1.99 or 1.99 EUR.")
    return Price(float(found[2]), found[1] or found[3]) if float(found[2]) else None


def read_price(workspace: Workspace) -> Price | None:
    """The workspace's price, or None where none has been set."""
    values = read_json(workspace.root / FILE)
    try:
        return Price(float(values["per_hour"]), str(values["currency"])) if isinstance(values, dict) else None
    except (KeyError, TypeError, ValueError):
        return None


def keep_price(workspace: Workspace, price: Price | None) -> None:
    """Set the workspace's price, or take it away. UserError where the workspace cannot be written."""
    file = workspace.root / FILE
    try:
        if price is None:
            file.unlink(missing_ok=True)
        else:
            write_json_atomically(file, asdict(price))
    except OSError as error:
        raise UserError(f"The price cannot be kept in {file} ({error.strerror or error}).") from None
