"""The traced estimate: asked of a process of its own, kept for the next time, and held against the closed form."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from workbench.core.errors import RunFailedError, UserError
from workbench.core.files import read_json, write_json_atomically
from workbench.core.memory.blocks import HELD_AGAINST_TRACES
from workbench.core.memory.device import Device
from workbench.core.memory.estimate import Estimate, judge
from workbench.core.memory.loop import TRAINER, Loop
from workbench.core.memory.row_shape import RowShape
from workbench.core.memory.updates import unknown_kind
from workbench.core.methods.peft_kinds import config_file, module_file
from workbench.core.models.locate import locate_model
from workbench.core.models.ready import prepared_folder
from workbench.core.models.skeleton import Skeleton
from workbench.core.places import Workspace
from workbench.core.recipe import Recipe, recipe_to_mapping

VERSION = 3
"""A kept trace of another version is traced again."""

PATIENCE = 600.0
"""Seconds that a trace may take."""

DISAGREEMENT = 0.03
"""Share of difference above which the closed form is said not to cover the architecture."""

RELEVANT = {
    "data": ("max_length", "packing"),
    "training": (
        "micro_batch", "effective_batch", "optimizer", "max_grad_norm", "precision", "autocast",
        "gradient_checkpointing",
    ),
}  # fmt: skip
"""The keys of these sections that memory depends on; all others of them leave a trace as it is."""


@dataclass(frozen=True, slots=True)
class Traced:
    """What two traced steps took at their peak; sizes in bytes, the process itself left out."""

    allocated: int
    reserved: int
    """What CUDA's allocator would have taken from the driver; on a CPU, as `allocated`."""
    parts: dict[str, int]
    peak_at: str
    operation: str
    """The operation that asked for the peak's last piece of memory."""
    module: str
    """The module that it belongs to; empty in the loss, the backward pass and the optimizer."""
    largest: tuple[dict[str, Any], ...]
    """The largest groups of tensors at the peak: part, what, where, shape, count, bytes."""
    seconds: float

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def traced_from_json(values: Mapping[str, Any]) -> Traced | None:
    """The trace that `to_json` gave, or None."""
    try:
        return Traced(**{**values, "largest": tuple(values["largest"])})
    except (KeyError, TypeError):
        return None


def difference(estimate: Estimate, traced: Traced) -> float:
    """How far the closed form is from the trace, as a share of the trace."""
    return estimate.allocated / traced.allocated - 1 if traced.allocated else 0.0


def doubt(estimate: Estimate, traced: Traced) -> str | None:
    """A sentence where the two differ by more than 3 %, else None."""
    share = difference(estimate, traced)
    if abs(share) <= DISAGREEMENT:
        return None
    return (
        f"The formula does not cover this architecture: it is {abs(share) * 100:.0f}% "
        f"{'above' if share > 0 else 'below'} the traced figure. Trust the traced one."
    )


def judge_traced(estimate: Estimate, traced: Traced) -> str:
    """The verdict by the trace: the estimate's, with its reserved memory in proportion to the traced tensors."""
    scale = traced.allocated / estimate.allocated if estimate.allocated else 1.0
    context = estimate.parts["context"]
    return judge(
        int(estimate.reserved * scale) + context, int(estimate.reserved_high * scale) + context, estimate.device
    )


def caution(skeleton: Skeleton, recipe: Recipe) -> str | None:
    """A sentence where the formula is not known to count all that the model's layers or the method keep."""
    kind = unknown_kind(recipe)
    if kind is not None:
        return f"The formula does not count all that an adapter of kind {kind} keeps; trace it, and trust that figure."
    if skeleton.model_type in HELD_AGAINST_TRACES:
        return None
    return (
        f"The formula may not cover this architecture: {skeleton.model_type} was not among those that it was held "
        "against. Trace it, and trust the traced figure."
    )


def request_of(
    recipe: Recipe, rows: RowShape | None, device: Device, workspace: Workspace, loop: Loop = TRAINER
) -> dict[str, Any]:
    """What the tracer is asked."""
    return {
        "loop": asdict(loop),
        "recipe": recipe_to_mapping(recipe),
        "rows": asdict(rows) if rows else None,
        "device": {"kind": device.kind, "name": device.name},
        "workspace": str(workspace.root),
    }


def find_traced(
    recipe: Recipe, rows: RowShape | None, device: Device, workspace: Workspace, loop: Loop = TRAINER
) -> Traced | None:
    """The trace of a recipe that takes the same memory, where one has been made before."""
    values = read_json(_file(recipe, rows, device, workspace, loop))
    return traced_from_json(values) if isinstance(values, dict) else None


def keep_traced(
    traced: Traced, recipe: Recipe, rows: RowShape | None, device: Device, workspace: Workspace, loop: Loop = TRAINER
) -> None:
    """Keep a trace for `find_traced`."""
    file = _file(recipe, rows, device, workspace, loop)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_json_atomically(file, traced.to_json())


def _file(recipe: Recipe, rows: RowShape | None, device: Device, workspace: Workspace, loop: Loop) -> Path:
    values = recipe_to_mapping(recipe)
    for section, kept in RELEVANT.items():
        values[section] = {key: values[section][key] for key in kept}
    place = locate_model(recipe.model.path, needs_weights=False)
    values["model"]["key"] = place.name if place.kind == "bundled" else prepared_folder(recipe.model, workspace).name
    for knob, find in (("config", config_file), ("module", module_file)):
        named = recipe.method.knobs.get(knob)
        if isinstance(named, str) and named:
            values["method"][f"{knob} content"] = find(named).read_text("utf-8")
    said = [VERSION, values, asdict(rows) if rows else None, device.kind, device.name if device.kind == "cuda" else ""]
    if loop != TRAINER:
        said.append(asdict(loop))
    digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:24]
    return workspace.cache / "traces" / f"{digest}.json"


def trace_memory(
    recipe: Recipe,
    rows: RowShape | None,
    device: Device,
    workspace: Workspace,
    check: Callable[[], None] = lambda: None,
    loop: Loop = TRAINER,
) -> Traced:
    """The recipe's traced memory: kept from before, or traced now in a process of its own, which takes seconds.

    `check` is called several times a second; what it raises ends the tracing. UserError where the recipe cannot be
    traced, RunFailedError where the tracer failed.
    """
    known = find_traced(recipe, rows, device, workspace, loop)
    if known is not None:
        return known
    process = subprocess.Popen(
        [sys.executable, "-m", "workbench.engine.trace"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    asked: str | None = json.dumps(request_of(recipe, rows, device, workspace, loop))
    waited = 0.0
    try:
        while True:
            try:
                printed, complaints = process.communicate(asked, timeout=0.1)
                break
            except subprocess.TimeoutExpired:
                asked, waited = None, waited + 0.1
                check()
                if waited > PATIENCE:
                    raise RunFailedError(f"Tracing took more than {PATIENCE:.0f} seconds and was given up.") from None
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    said = [line.strip() for line in complaints.splitlines() if line.strip()]
    if process.returncode:
        sentence = said[-1] if said else f"The tracer ended with status {process.returncode}."
        raise (UserError if process.returncode == 2 else RunFailedError)(sentence, complaints)
    traced = traced_from_json(json.loads(printed.strip().splitlines()[-1]))
    if traced is None:
        raise RunFailedError("The tracer's answer cannot be read: it is of another version.")
    keep_traced(traced, recipe, rows, device, workspace, loop)
    return traced
