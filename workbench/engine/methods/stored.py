"""Adapters on disk: saved for plain PEFT to use, opened with every tensor in its place, and resumed exactly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from peft import PeftConfig, PeftModel, PeftType
from peft.utils import get_peft_model_state_dict
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from workbench.core.errors import UserError
from workbench.core.methods.fusion import source_name
from workbench.engine import tuners
from workbench.engine.methods.adalora import allocator_state, restore_allocator
from workbench.engine.methods.main_directions import WEIGHTS, save_difference, starts_from_weights
from workbench.engine.methods.prompted import as_prompted

STATE = "trainable.safetensors"
"""Everything trained as it is while training, where the adapter's own file holds less than that."""

ALLOCATOR = "allocator."

assert tuners.OWN  # importing them is what makes our own kinds known to PEFT


def save_adapter(model: Any, folder: Path) -> None:
    """Write the adapter as PEFT's files, which fit the untouched base."""
    if starts_from_weights(model):
        save_difference(model, folder)
        return
    model.save_pretrained(str(folder), save_embedding_layers=False)


def save_state(model: Any, folder: Path) -> None:
    """Write beside a checkpoint's adapter what an exact resumption needs and the adapter lacks."""
    if not needs_state(model):
        return
    state = {name: one.detach().cpu().contiguous() for name, one in model.named_parameters() if one.requires_grad}
    if _type_of(model) == PeftType.ADALORA:
        state |= {f"{ALLOCATOR}{key}": value.cpu().contiguous() for key, value in allocator_state(model).items()}
    save_file(state, folder / STATE)


def load_state(model: Any, folder: Path) -> bool:
    """Put back what `save_state` wrote; false where the adapter's own files are enough.

    UserError where it does not fit.
    """
    if not needs_state(model) or not (folder / STATE).is_file():
        return False
    stored = load_file(folder / STATE)
    moving = {key.removeprefix(ALLOCATOR): stored.pop(key) for key in list(stored) if key.startswith(ALLOCATOR)}
    trained = {name: one for name, one in model.named_parameters() if one.requires_grad}
    if set(stored) != set(trained) or any(stored[name].shape != one.shape for name, one in trained.items()):
        raise UserError("The checkpoint does not fit the recipe any more; start a new run.")
    with torch.no_grad():
        for name, one in trained.items():
            one.copy_(stored[name].to(one.device))
    if _type_of(model) == PeftType.ADALORA:
        restore_allocator(model, moving)
    return True


def needs_state(model: Any) -> bool:
    """Whether a resumption needs more than the adapter: networks that make prompts, masked ranks, other adapters."""
    if not hasattr(model, "peft_config"):
        return False
    config = model.peft_config.get("default")
    if config is None or starts_from_weights(model):
        return config is not None
    if config.peft_type in (PeftType.P_TUNING, PeftType.ADALORA):
        return True
    return bool(getattr(config, "prefix_projection", False) or getattr(config, "fuse", None))


def _type_of(model: Any) -> str:
    return model.peft_config["default"].peft_type


def open_adapter(base: Any, folder: Path, trainable: bool = False) -> PeftModel:
    """The base with the adapter in `folder` on it, in evaluation mode, as `default`.

    The adapters that a fusion combines are opened from its own folder first. UserError where the adapter has no
    safetensors, is damaged, does not fit the base, or leaves a tensor of its own unfilled.
    """
    fuse = getattr(_config_of(folder), "fuse", None) or []
    opened: Any = base
    for number in range(1, len(fuse) + 1):
        opened = load_checked(opened, folder / source_name(number), source_name(number))
    opened = load_checked(opened, folder, "default", trainable)
    if fuse:
        opened.set_adapter("default")
    opened.eval()
    return opened


def load_checked(base: Any, folder: Path, name: str, trainable: bool = False) -> PeftModel:
    """A base, or a PEFT model, with one more adapter from `folder`; UserError as for `open_adapter`.

    PEFT itself says nothing, or only warns, where tensors are missing: the layer then keeps its first values.
    """
    weights = folder / WEIGHTS
    if not weights.is_file():
        raise UserError(f"The adapter in {folder} has no {WEIGHTS}; train or export it again.")
    try:
        with safe_open(weights, "pt") as opened:
            stored = set(opened.keys())
        if isinstance(base, PeftModel):
            base.load_adapter(str(folder), name, is_trainable=trainable)
            model = base
        else:
            model = as_prompted(PeftModel.from_pretrained(base, str(folder), name, is_trainable=trainable))
    except SafetensorError as error:
        raise UserError(f"The adapter in {folder} is damaged; train or export it again.", str(error)) from error
    except (RuntimeError, ValueError, KeyError, AttributeError) as error:
        raise UserError(
            f"The adapter in {folder} does not fit the base model; it was trained on another one.",
            f"{type(error).__name__}: {error}",
        ) from error
    expected = set(get_peft_model_state_dict(model, adapter_name=name, save_embedding_layers=False))
    if stored != expected:
        odd = sorted(stored ^ expected)
        raise UserError(
            f"The adapter in {folder} does not fit the base model: {len(odd)} tensors have no counterpart.",
            "\n".join(odd),
        )
    return model


def _config_of(folder: Path) -> PeftConfig:
    try:
        return PeftConfig.from_pretrained(str(folder))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"The adapter in {folder} has no config that PEFT can read.", f"{type(error).__name__}: {error}"
        ) from error
