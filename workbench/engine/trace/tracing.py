"""Tracing a recipe's memory: two steps of the real thing on tensors that hold no values."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import torch

from workbench.core.memory.estimate import is_masked, refuse_kbit
from workbench.core.memory.loop import Loop
from workbench.core.memory.numbers import resolve_autocast, resolve_precision
from workbench.core.memory.products import workspace_bytes
from workbench.core.memory.row_shape import RowShape
from workbench.core.memory.states import base_storage
from workbench.core.models.skeleton import Skeleton
from workbench.core.recipe import Recipe
from workbench.engine.answer import inner_model
from workbench.engine.trace.attention import WORKSPACES, attention_as_trained
from workbench.engine.trace.build import build_model, empty_base, model_config
from workbench.engine.trace.fake import fake_tensors
from workbench.engine.trace.fused_loss import fuse_loss
from workbench.engine.trace.layers import UnevenError, find_layers
from workbench.engine.trace.log import AllocationLog, Event
from workbench.engine.trace.quantised import (
    quantised_tensors,
    steps_of_quantised_products,
    weights_written_out,
)
from workbench.engine.trace.repeat import repeat_turns
from workbench.engine.trace.replay import Peak, find_peak
from workbench.engine.trace.small_states import steps_of_small_updates
from workbench.engine.trace.stand_in import stand_in_device
from workbench.engine.trace.steps import Stepper


def trace_recipe(
    recipe: Recipe,
    skeleton: Skeleton,
    rows: RowShape,
    kind: str,
    name: str = "",
    loop: Loop | None = None,
    whole: bool = False,
) -> tuple[Peak, float]:
    """The peak of two steps of `recipe` with rows of this shape on a device of `kind` (cuda or cpu), and the seconds.

    `name` is the GPU's, for the size of its workspaces. No GPU is used and no weight is read. Of layers that are
    alike a few are traced and stand for all, unless `whole` says no.
    """
    began = time.perf_counter()
    try:
        peak = _trace(recipe, skeleton, rows, kind, name, loop or Loop(), whole)
    except UnevenError:
        peak = _trace(recipe, skeleton, rows, kind, name, loop or Loop(), True)
    return peak, time.perf_counter() - began


def _trace(recipe: Recipe, skeleton: Skeleton, rows: RowShape, kind: str, name: str, loop: Loop, whole: bool) -> Peak:
    device = stand_in_device() if kind == "cuda" else torch.device("cpu")
    stored = base_storage(recipe, skeleton)
    if loop.kbit:
        refuse_kbit(recipe, skeleton)
    instead = steps_of_quantised_products() if stored is not None and stored.by_bitsandbytes else {}
    if kind == "cpu" and recipe.training.optimizer.endswith("8bit"):
        instead |= steps_of_small_updates()
    log = AllocationLog(
        device.type,
        instead,
        WORKSPACES if kind == "cuda" else None,
    )
    base = empty_base(model_config(recipe.model), recipe.model.attention)
    autocast = None
    if resolve_autocast(recipe, kind):
        autocast = torch.float16 if resolve_precision(recipe, kind) == "float16" else torch.bfloat16
    with fake_tensors(), attention_as_trained(is_masked(recipe, loop)), weights_written_out():
        model = build_model(base, recipe, skeleton, device, loop)
        if loop.chunk:
            fuse_loss(inner_model(model), loop.chunk)
        log.phase = "setup"
        _note(model, log)
        if kind == "cuda":
            log.take(workspace_bytes(kind, name), "cuBLAS", "buffers")
        layers = None if whole else find_layers(model, inner_model(model).config)
        stepper = Stepper(model, recipe, rows, log, loop, layers)
        set_up = list(log.events)
        log.events.clear()
        with log:
            stepper.take(autocast)
        step: list[Event] = list(log.events)
        if layers is not None:
            step = repeat_turns(step, stepper.marks, layers, stepper.gradients, log.roles)
        return find_peak(set_up, step, log.roles, skeleton.vocabulary, kind == "cuda", loop.emptied)


def _note(model: Any, log: AllocationLog) -> None:
    """Log what the model itself takes: the base's weights, and what the method has added."""
    adapter = hasattr(model, "peft_config")
    for name, parameter in model.named_parameters():
        log.add(parameter, name, "adapters" if adapter and parameter.requires_grad else "weights")
    for name, buffer in model.named_buffers():
        log.add(buffer, name, "weights")
    for tensor in quantised_tensors(model):
        log.add(tensor, "scales of the quantised weights", "weights")
    for name, tensor in _kept_aside(model):
        log.add(tensor, name, "adapters" if adapter else "weights")
    for name, tensor in getattr(model, "started_from", {}).items():
        log.add(tensor, name, "adapters")


def _kept_aside(model: Any) -> Iterator[tuple[str, torch.Tensor]]:
    """Tensors that modules hold in dictionaries of their own, such as SHiRA's places: no parameters and no buffers."""
    for name, module in model.named_modules():
        for key, held in vars(module).items():
            if isinstance(held, dict) and key not in ("_parameters", "_buffers", "_modules"):
                yield from ((f"{name}.{key}", one) for one in held.values() if isinstance(one, torch.Tensor))
