"""How wrong the estimate has been on this machine: predicted and measured peaks of past runs and rehearsals."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workbench.core.memory.device import Device
from workbench.core.memory.estimate import Estimate
from workbench.core.places import Workspace
from workbench.core.recipe import Recipe

MOST = 50
"""Newest runs that are looked at."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One prediction and what it came to, in bytes."""

    name: str
    """The run, or `rehearsal`."""
    model: str
    method: str
    predicted: int
    measured: int
    tokens_per_second: float | None

    @property
    def error(self) -> float:
        """How far the prediction was off, as a share of what was measured."""
        return self.predicted / self.measured - 1


@dataclass(frozen=True, slots=True)
class Experience:
    """Every comparison on this kind of device, newest first."""

    compared: tuple[Compared, ...]

    def to_json(self) -> dict[str, Any]:
        """How many there are, the median and the worst error (shares), and the last one."""
        errors = [one.error for one in self.compared]
        last = self.compared[0] if self.compared else None
        return {
            "compared": len(errors),
            "median_error": _middle([abs(error) for error in errors]) if errors else None,
            "worst_error": max(errors, key=abs) if errors else None,
            "last": {"name": last.name, "predicted": last.predicted, "measured": last.measured} if last else None,
        }

    def band(self, estimate: Estimate) -> dict[str, int] | None:
        """The peak as past errors would have it: lowest, middle and highest; None where there are none."""
        ratios = sorted(one.measured / one.predicted for one in self.compared)
        if not ratios:
            return None
        low, middle, high = (int(estimate.predicted * ratio) for ratio in (ratios[0], _middle(ratios), ratios[-1]))
        return {"low": low, "expected": middle, "high": high}

    def speed(self, recipe: Recipe) -> tuple[float, str] | None:
        """Tokens a second of the newest run with the same model and method, and its name."""
        for one in self.compared:
            if one.tokens_per_second and (one.model, one.method) == (recipe.model.path, recipe.method.name):
                return one.tokens_per_second, one.name
        return None


def _middle(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2]


def read_experience(workspace: Workspace, device: Device) -> Experience:
    """What is known of devices of this name: rehearsals and ended runs of this workspace, newest first."""
    found: list[tuple[float, Compared]] = []
    for line in _lines(workspace):
        values = _read(line)
        if values.get("device", {}).get("name") != device.name:
            continue
        kind = "process" if device.kind == "cpu" else "reserved"
        one = _compared(values, "rehearsal", values["predicted"].get(kind), values["measured"].get(kind))
        if one is not None:
            found.append((float(values.get("t", 0.0)), one))
    from workbench.core.runs.facts import FACTS

    try:
        files = [(file.stat().st_mtime, file) for file in workspace.runs.glob(f"*/{FACTS}")]
    except OSError:
        files = []
    for changed, file in sorted(files, reverse=True)[:MOST]:
        facts = _read(file.read_text("utf-8", errors="replace"))
        memory = facts.get("memory") or {}
        if facts.get("device") != device.name or memory.get("of") not in ("process", "reserved"):
            continue  # runs of before these words were kept apart
        one = _compared(facts, str(facts.get("run")), memory.get("predicted"), memory.get("measured"))
        if one is not None:
            found.append((changed, one))
    return Experience(tuple(one for _, one in sorted(found, key=lambda item: item[0], reverse=True)))


def keep_rehearsal(workspace: Workspace, rehearsal: Mapping[str, Any]) -> None:
    """Remember a rehearsal for `read_experience`; one line."""
    import time

    with (workspace.root / "rehearsals.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps({"t": time.time(), **rehearsal}) + "\n")


def _lines(workspace: Workspace) -> list[str]:
    try:
        return (workspace.root / "rehearsals.jsonl").read_text("utf-8").splitlines()[-MOST:]
    except OSError:
        return []


def _read(text: str) -> dict[str, Any]:
    try:
        values = json.loads(text)
    except ValueError:
        return {}
    return values if isinstance(values, dict) else {}


def _compared(values: Mapping[str, Any], name: str, predicted: Any, measured: Any) -> Compared | None:
    if not (isinstance(predicted, int) and isinstance(measured, int) and predicted > 0 and measured > 0):
        return None
    speed = values.get("tokens_per_second")
    return Compared(
        name, str(values.get("model")), str(values.get("method")), predicted, measured,
        float(speed) if isinstance(speed, (int, float)) else None,
    )  # fmt: skip
