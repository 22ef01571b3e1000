"""Everything that a run needs before its first step, made in order: data, base, method."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from workbench.core.data.dataset import PreparedData, prepare_data
from workbench.core.data.files.hub import unfetched
from workbench.core.errors import UserError
from workbench.core.memory.device import Device, cpu_device
from workbench.core.memory.estimate import Estimate, estimate_memory
from workbench.core.memory.row_shape import row_shape
from workbench.core.models.skeleton import Skeleton
from workbench.core.places import Workspace
from workbench.core.recipe import Recipe
from workbench.core.runs.folder import RunFolder, workspace_of
from workbench.engine.answer import inner_model
from workbench.engine.base_models import find_model_folder, load_base
from workbench.engine.environment import OPTIMIZERS_OF_BITSANDBYTES
from workbench.engine.fetching import fetch_data
from workbench.engine.methods import base_quantisation, build_method, count_trainable
from workbench.engine.methods.quantised import require_bitsandbytes
from workbench.engine.train.journal import Journal
from workbench.engine.train.numbers import Numbers


@dataclass
class Phases:
    """Seconds that each part of the run took, by name."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def time(self, name: str) -> Iterator[None]:
        """Count the time inside towards `name`."""
        began = time.perf_counter()
        try:
            yield
        finally:
            spent = self.seconds.get(name, 0.0) + time.perf_counter() - began
            self.seconds[name] = round(spent, 3)


@dataclass(frozen=True)
class Prepared:
    """The model's facts and the data, before any weight is read."""

    model_folder: Path
    skeleton: Skeleton
    data: PreparedData
    device: Device
    estimate: Estimate


def say(text: str) -> None:
    """Put a line into the run's log; a full disk loses it."""
    try:
        print(text, flush=True)  # noqa: T201
    except OSError:
        return


def prepare(
    recipe: Recipe, folder: RunFolder, numbers: Numbers, phases: Phases, workspace: Workspace | None = None
) -> Prepared:
    """The model folder, its skeleton, and the data. UserError for whatever of it cannot be used."""
    workspace = workspace or workspace_of(folder)
    if recipe.training.optimizer in OPTIMIZERS_OF_BITSANDBYTES:
        require_bitsandbytes(f"The optimizer {recipe.training.optimizer}")
    with phases.time("model folder"):
        model_folder = find_model_folder(recipe.model, workspace, say)
    with phases.time("skeleton"):
        from workbench.engine.prepare import model_skeleton

        skeleton = model_skeleton(recipe.model, workspace, say)
        recipe.method.facts.count(skeleton, recipe.method.knobs)  # refuses a rank or targets that do not fit
    with phases.time("data"):
        for missing in unfetched(recipe.data, workspace):
            fetch_data(missing, workspace, say)
        data = prepare_data(recipe, model_folder, workspace=workspace)
        check_fit(data, skeleton, int(recipe.method.knobs.get("virtual_tokens", 0)))
    device = describe_device(numbers.device)
    estimate = estimate_memory(recipe, skeleton, device, row_shape(data.report))
    return Prepared(model_folder, skeleton, data, device, estimate)


def describe_device(device: torch.device) -> Device:
    """The device that the run is on, and its memory; a GPU as torch sees it, whichever of several it is."""
    if device.type != "cuda":
        return cpu_device()
    free, total = torch.cuda.mem_get_info(device)
    return Device("cuda", torch.cuda.get_device_name(device), total, free)


def check_fit(data: PreparedData, skeleton: Skeleton, virtual_tokens: int = 0) -> None:
    """UserError where rows hold tokens that the model has no embedding for, or more of them than it has places.

    A method's virtual tokens stand before every row and take places too.
    """
    rows = (*data.train, *data.held_out)
    highest = max(max(row.ids) for row in rows)
    if highest >= skeleton.vocabulary:
        raise UserError(
            f"The tokenizer gives token {highest}, but the model has embeddings for {skeleton.vocabulary} tokens; "
            "the tokenizer belongs to another model."
        )
    longest = max(len(row) for row in rows)
    room = skeleton.max_positions - virtual_tokens
    if skeleton.max_positions and longest > room:
        beside = f" beside {virtual_tokens} virtual ones" if virtual_tokens else ""
        raise UserError(
            f"The longest row has {longest} tokens, but the model has places for {room}{beside}; "
            f"set data.max_length to {room} or less."
        )


def load_model(recipe: Recipe, prepared: Prepared, numbers: Numbers) -> Any:
    """The base model where it is to be trained, as the method needs it."""
    model = load_base(
        recipe.model,
        prepared.model_folder,
        numbers.precision,
        numbers.device,
        base_quantisation(recipe.method, numbers.precision),
    )
    model.config.use_cache = False
    return model


def apply_method(model: Any, recipe: Recipe, prepared: Prepared, journal: Journal) -> Any:
    """The model with the recipe's method on it; its first values come from the recipe's seed.

    The built count is checked against the formula's; a difference is told, since every pane shows the formula's.
    """
    torch.manual_seed(recipe.training.seed)
    built = build_method(model, recipe, prepared.skeleton)
    if recipe.training.gradient_checkpointing:
        switch_on_checkpointing(inner_model(built))
    count, expected = count_trainable(built), prepared.estimate.trainable_parameters
    if count != expected:
        journal.notice(
            0,
            f"The model trains {count:,} parameters, but {expected:,} were expected; the run uses the former.",
            "error",
        )
    return built


def switch_on_checkpointing(model: Any) -> None:
    """Recompute activations in the backward pass; UserError where the architecture cannot."""
    switch = getattr(model, "activation_checkpointing_enable", None) or model.gradient_checkpointing_enable
    name = "activation_checkpointing_kwargs" if "activation" in switch.__name__ else "gradient_checkpointing_kwargs"
    try:
        switch(**{name: {"use_reentrant": False}})
    except ValueError as error:
        raise UserError(
            "training.gradient_checkpointing cannot be true for this model, which has no such pass; set it to false.",
            str(error),
        ) from None
