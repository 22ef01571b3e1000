"""The memory of a training run in closed form: no torch, no weights, some milliseconds.

All sizes are bytes. A run has four moments that can be its peak (the loss, the backward pass of a layer, the end of the
backward pass, the optimizer step); the peak is the largest of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

from workbench.core.errors import UserError
from workbench.core.memory.device import Device
from workbench.core.memory.loop import TRAINER, Loop
from workbench.core.memory.numbers import BYTES, choose_numbers
from workbench.core.memory.passes import run_passes
from workbench.core.memory.products import workspace_bytes
from workbench.core.memory.row_shape import RowShape
from workbench.core.memory.states import ModelStates, base_storage, model_states
from workbench.core.memory.updates import fixed_update_bytes
from workbench.core.models.skeleton import Skeleton
from workbench.core.recipe import Recipe

CONTEXT = {"cuda": 500 * 2**20, "cpu": 395 * 2**20}
"""What a process takes before its first tensor: the CUDA context, or Python with torch and transformers in RAM."""

RESERVED = {"cuda": (1.02, 1.06, 1.15), "cpu": (1.00, 1.05, 1.20)}
"""Reserved over allocated memory: lowest, expected, highest. A caching allocator holds more than it hands out."""

HEAP = 64 * 2**20
"""What glibc keeps at its heap's end of memory that was let go: M_TRIM_THRESHOLD, twice the largest M_MMAP_THRESHOLD
(mallopt(3)). Holes within the heap come on top; models of ten million parameters were measured up to three times it."""

BITSANDBYTES = 48 * 2**20
"""What bitsandbytes adds to a process on the CPU; other runs do not import it."""

LOSS = 12
"""Bytes a logit at the loss: log-softmax, its gradient and the logits' gradient, each in float32."""

OPTIMIZERS = ("adamw_8bit", "paged_adamw", "paged_adamw_8bit")
"""Optimizers that bitsandbytes has."""

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
    gradients: int
    """Of all that is trained, whether or not they are there at the peak; and the optimizer's states."""
    optimizer: int
    reserved_low: int
    reserved: int
    """Peak of what the allocator takes for the tensors; on a CPU little more than these."""
    reserved_high: int
    peak_at: str
    moments: dict[str, int]
    """Allocated bytes at each moment that can be the peak; the largest of them is."""
    device: Device
    verdict: str
    """fits, tight, or does not fit."""

    @property
    def process(self) -> int:
        """Peak of the whole process on the device: what the allocator takes, and the context. The verdict is by it."""
        return self.reserved + self.parts["context"]

    @property
    def process_low(self) -> int:
        return self.reserved_low + self.parts["context"]

    @property
    def process_high(self) -> int:
        return self.reserved_high + self.parts["context"]

    @property
    def predicted(self) -> int:
        """The figure that a run's measured peak is held against: on a CPU the process, on a GPU what is reserved."""
        return self.process if self.device.kind == "cpu" else self.reserved

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
                "process_low": self.process_low,
                "process": self.process,
                "process_high": self.process_high,
            },
            "peak_at": self.peak_at,
            "moments": self.moments,
            "verdict": self.verdict,
            "device": self.device.to_json(),
        }


def estimate_memory(
    recipe: Recipe, skeleton: Skeleton, device: Device, rows: RowShape | None = None, loop: Loop = TRAINER
) -> Estimate:
    """What a run of `recipe` on this model and device takes at its peak.

    `rows` is the longest row where the data has been read; else rows are taken to be data.max_length long and trained
    on throughout. `loop` is another trainer's. UserError where the method does not fit the model.
    """
    if loop.kbit:
        refuse_kbit(recipe, skeleton)
    numbers = choose_numbers(recipe, device, loop)
    states = model_states(recipe, skeleton, numbers)
    longest = row_limit(recipe, rows)
    masked = is_masked(recipe, loop)
    passes = run_passes(recipe, skeleton, numbers, longest.tokens, loop, longest.trained, masked)
    places = passes.places
    fixed = fixed_update_bytes(recipe, skeleton, numbers)
    vocabulary, hidden = skeleton.vocabulary, skeleton.hidden_size
    held = places * vocabulary * passes.logit + passes.cache if loop.keeps_outputs else 0
    logits, fused = places * vocabulary * LOSS, 0
    if loop.chunk:
        grown = 2 * vocabulary * hidden * numbers.trained if recipe.method.name == "full" else 0  # a chunk's, and all
        logits = min(places, loop.chunk) * vocabulary * passes.logit + places * hidden * passes.logit + grown
    else:
        each = passes.logit + (LOSS - 4 if passes.logit != 4 else 4)  # as they are, in float32, and their softmax
        fused = places * vocabulary * each + passes.passing + (0 if loop.keeps_outputs else passes.cache)
    library = workspace_bytes(device.kind, device.name)
    accumulated = states.gradients if recipe.accumulation > 1 else 0
    kept = passes.kept + fixed + held
    updated = _largest_update(recipe, skeleton, states, loop, numbers.trained)
    moments = {
        "the loss": (kept, max(logits, fused), accumulated, 0),
        "the backward pass of a layer": (
            max(passes.layers, 0 if loop.chunk else passes.head) + fixed + held,
            0,
            accumulated,
            0,
        ),
        "the end of the backward pass": (passes.end + fixed, 0, states.gradients, held),
        "the optimizer step": (0, 0, states.gradients, updated + held),
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
        "buffers": buffers + library,
        "context": CONTEXT[device.kind] + _library_bytes(recipe, skeleton, device),
    }
    allocated = resident + activations + loss + gradients + buffers + library
    low, middle, high = _reserved(allocated, device)
    return Estimate(
        model=recipe.model.path,
        method=recipe.method.name,
        total_parameters=skeleton.total_parameters + states.added,
        trainable_parameters=states.trainable,
        share=states.share,
        parts=parts,
        allocated=allocated,
        gradients=states.gradients,
        optimizer=states.optimizer,
        reserved_low=low,
        reserved=middle,
        reserved_high=high,
        peak_at=peak_at,
        moments={name: resident + library + sum(sizes) for name, sizes in moments.items()},
        device=device,
        verdict=judge(middle + parts["context"], high + parts["context"], device),
    )


def _reserved(allocated: int, device: Device) -> tuple[int, int, int]:
    """What the allocator takes for so many bytes of tensors: lowest, expected, highest."""
    low, middle, high = (int(allocated * factor) for factor in RESERVED[device.kind])
    if device.kind == "cpu":
        return low, middle + min(allocated // 4, HEAP), high + min(allocated, 3 * HEAP)
    return low, middle, high


def row_limit(recipe: Recipe, rows: RowShape | None) -> RowShape:
    """The longest row that a run sees: of the data where it has been read, and never above data.max_length."""
    limit = recipe.data.max_length
    if rows is None or recipe.data.packing is True:  # packed sequences are filled up to the limit
        return RowShape(limit, limit if rows is None else min(limit, limit * rows.trained // max(1, rows.tokens)))
    return RowShape(min(limit, rows.tokens), min(limit, rows.trained))


def _library_bytes(recipe: Recipe, skeleton: Skeleton, device: Device) -> int:
    stored = base_storage(recipe, skeleton)
    needed = (stored is not None and stored.by_bitsandbytes) or recipe.training.optimizer in OPTIMIZERS
    return BITSANDBYTES if needed and device.kind == "cpu" else 0


def is_masked(recipe: Recipe, loop: Loop = TRAINER) -> bool:
    """Whether attention is taken to get a mask: several rows at once, which differ in length, or packed ones."""
    if recipe.data.packing is True:
        return True
    return recipe.training.micro_batch > 1 if loop.masked is None else loop.masked


def refuse_kbit(recipe: Recipe, skeleton: Skeleton) -> None:
    """UserError where no base is quantised that what is not quantised could stand over in float32."""
    stored = base_storage(recipe, skeleton)
    if stored is None or not stored.by_bitsandbytes:
        raise UserError("loop.kbit is for a base that bitsandbytes quantises; choose qlora, or leave it out.")


def judge(process: int, high: int, device: Device) -> str:
    """`fits`, `tight` or `does not fit`, by what is free on the device now."""
    if process > device.free:
        return "does not fit"
    return "tight" if high > TIGHT * device.free else "fits"


def _largest_update(recipe: Recipe, skeleton: Skeleton, states: ModelStates, loop: Loop, width: int) -> int:
    """What the optimizer's step makes and lets go again: Adafactor's update of its largest tensor, in float32.

    `width` is that of a trained value.

    AdamW for each parameter at once makes the roots of all second means.
    """
    if recipe.training.optimizer == "adamw" and loop.for_each:
        return states.optimizer // 2
    if recipe.training.optimizer != "adafactor":
        return 0
    if states.added:
        return 0
    # the squared gradient, the update and that of the tensor before; over 16-bit numbers both in float32 too
    sizes = [prod(shape) for module in skeleton.modules for _, shape in module.parameters]
    each = 2 if width == BYTES["float32"] else 4
    return max((4 * (each * size + before) for size, before in zip(sizes, [0, *sizes], strict=False)), default=0)
