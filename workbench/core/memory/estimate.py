"""The memory of a training run in closed form: no torch, no weights, some milliseconds.

All sizes are bytes. A run has four moments that can be its peak (the loss, the backward pass of a layer, the end of the
backward pass, the optimizer step); the peak is the largest of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from workbench.core.memory.activations import activation_bytes, virtual_tokens
from workbench.core.memory.device import Device
from workbench.core.memory.numbers import Numbers, choose_numbers
from workbench.core.memory.states import model_states
from workbench.core.methods.shared_knobs import FULL_PRECISION
from workbench.core.models.skeleton import Skeleton
from workbench.core.recipe import Recipe

CONTEXT = {"cuda": 500 * 2**20, "cpu": 520 * 2**20}
"""What a process takes before its first tensor: the CUDA context, or Python with torch and transformers in RAM."""

RESERVED = {"cuda": (1.02, 1.06, 1.15), "cpu": (1.00, 1.05, 1.20)}
"""Reserved over allocated memory: lowest, expected, highest. A caching allocator holds more than it hands out."""

LOSS = 12
"""Bytes a logit at the loss: log-softmax, its gradient and the logits' gradient, each in float32."""

TIGHT = 0.9
"""Share of the free memory above which a run is called tight."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run is expected to take."""

    model: str
    method: str
    total_parameters: int
    """Parameters of the base model and of what the method adds."""
    trainable_parameters: int
    share: float
    parts: dict[str, int]
    """weights, adapters, gradients, optimizer, activations, loss, buffers at the peak, and context."""
    allocated: int
    """Peak of what tensors take, context left out."""
    reserved_low: int
    reserved: int
    """Peak of the whole process on the device: context, tensors, and what the allocator keeps."""
    reserved_high: int
    peak_at: str
    device: Device
    verdict: str
    """fits, tight, or does not fit."""

    def to_json(self) -> dict[str, Any]:
        """The figures as DESIGN's `estimate` document has them; `advice` is added by `workbench.core.memory.advice`."""
        return {
            "model": self.model,
            "method": self.method,
            "total_parameters": self.total_parameters,
            "trainable_parameters": self.trainable_parameters,
            "share": self.share,
            "memory": {
                **self.parts,
                "allocated": self.allocated,
                "reserved_low": self.reserved_low,
                "reserved": self.reserved,
                "reserved_high": self.reserved_high,
            },
            "peak_at": self.peak_at,
            "verdict": self.verdict,
            "device": self.device.to_json(),
        }


@dataclass(frozen=True, slots=True)
class RowShape:
    """The longest row of the data, in tokens."""

    tokens: int
    trained: int
    """Trained tokens of the row that has most of them: only these get logits."""


def estimate_memory(recipe: Recipe, skeleton: Skeleton, device: Device, rows: RowShape | None = None) -> Estimate:
    """What a run of `recipe` on this model and device takes at its peak.

    `rows` is the longest row where the data has been read; else rows are taken to be data.max_length long and trained
    on throughout. UserError where the method does not fit the model.
    """
    numbers = choose_numbers(recipe, device)
    states = model_states(recipe, skeleton, numbers)
    longest = row_limit(recipe, rows)
    batch = recipe.training.micro_batch
    per_token, per_layer = activation_bytes(recipe, skeleton, numbers)
    tokens = batch * (longest.tokens + virtual_tokens(recipe))
    saved, layer = int(per_token * tokens), int(per_layer * tokens)
    logits = batch * longest.trained * skeleton.vocabulary * LOSS
    unpacked = _largest_unpacked(recipe, skeleton, numbers)
    accumulated = states.gradients if recipe.accumulation > 1 else 0
    full = recipe.method.name == "full"
    tied = skeleton.vocabulary * skeleton.hidden_size * numbers.trained if full and skeleton.tied else 0
    during = max(accumulated, states.gradients // max(1, skeleton.layers))
    checkpointing = recipe.training.gradient_checkpointing
    moments = {
        "the loss": (saved, logits, accumulated, 0),
        "the backward pass of a layer": (saved + layer if checkpointing else saved, 0, during, unpacked),
        "the end of the backward pass": (0, 0, states.gradients, tied),
        "the optimizer step": (0, 0, states.gradients, 0),
    }
    peak_at, (activations, loss, gradients, buffers) = max(moments.items(), key=lambda item: sum(item[1]))
    resident = states.weights + states.adapters + states.optimizer
    parts = {
        "weights": states.weights,
        "adapters": states.adapters,
        "gradients": gradients,
        "optimizer": states.optimizer,
        "activations": activations,
        "loss": loss,
        "buffers": buffers,
        "context": CONTEXT[device.kind],
    }
    allocated = resident + activations + loss + gradients + buffers
    low, middle, high = (int(CONTEXT[device.kind] + allocated * factor) for factor in RESERVED[device.kind])
    return Estimate(
        model=recipe.model.path,
        method=recipe.method.name,
        total_parameters=skeleton.total_parameters + states.added,
        trainable_parameters=states.trainable,
        share=states.share,
        parts=parts,
        allocated=allocated,
        reserved_low=low,
        reserved=middle,
        reserved_high=high,
        peak_at=peak_at,
        device=device,
        verdict=judge(middle, high, device),
    )


def row_limit(recipe: Recipe, rows: RowShape | None) -> RowShape:
    """The longest row that a run sees: of the data where it has been read, and never above data.max_length."""
    limit = recipe.data.max_length
    if rows is None or recipe.data.packing is True:  # packed sequences are filled up to the limit
        return RowShape(limit, limit if rows is None else min(limit, limit * rows.trained // max(1, rows.tokens)))
    return RowShape(min(limit, rows.tokens), min(limit, rows.trained))


def judge(reserved: int, high: int, device: Device) -> str:
    """`fits`, `tight` or `does not fit`, by what is free on the device now."""
    if reserved > device.free:
        return "does not fit"
    return "tight" if high > TIGHT * device.free else "fits"


def _largest_unpacked(recipe: Recipe, skeleton: Skeleton, numbers: Numbers) -> int:
    """The largest weight that a quantised base unpacks at a time."""
    if recipe.method.knobs.get("quantisation", FULL_PRECISION) == FULL_PRECISION:
        return 0
    return max((module.size for module in skeleton.linear_layers), default=0) * numbers.activation
