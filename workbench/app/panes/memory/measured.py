"""What the last finished run was predicted to take, and what it took."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from workbench.core.runs.folder import RunFolder
from workbench.core.runs.listing import RunSummary


@dataclass(frozen=True, slots=True)
class Measured:
    """A run's predicted and measured peak, in bytes."""

    run: str
    predicted: int
    measured: int

    @property
    def error(self) -> float:
        """How far the prediction was off, as a share of what was measured."""
        return self.predicted / self.measured - 1


def last_measured(runs: tuple[RunSummary, ...]) -> Measured | None:
    """The newest ended run whose facts hold both figures."""
    from workbench.core.runs.facts import read_facts

    for run in runs:
        if run.state in ("finished", "stopped"):
            found = _of(run.folder, read_facts(run.folder))
            if found is not None:
                return found
    return None


def _of(folder: RunFolder, facts: dict[str, Any]) -> Measured | None:
    memory = facts.get("memory")
    if not isinstance(memory, dict):
        return None
    predicted, measured = memory.get("predicted"), memory.get("measured")
    if isinstance(predicted, (int, float)) and isinstance(measured, (int, float)) and predicted > 0 and measured > 0:
        return Measured(folder.name, int(predicted), int(measured))
    return None
