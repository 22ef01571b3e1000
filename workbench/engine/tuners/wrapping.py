"""What our tuners share: a layer around a module of the base, and rows of one batch with adapters of their own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from peft.tuners.tuners_utils import BaseTuner, BaseTunerLayer
from torch import nn
from transformers.pytorch_utils import Conv1D

BASE_ROW = "__base__"
"""PEFT's name for a row of a batch that gets no adapter."""


class WrappingLayer(nn.Module, BaseTunerLayer):
    """A module of the base with adapters on it; what it has no attribute for is the base module's."""

    def __init__(self, base_layer: nn.Module) -> None:
        super().__init__()
        self.base_layer = base_layer
        self._disable_adapters = False
        self.merged_adapters: list[str] = []
        self._active_adapter: list[str] = []

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name == "base_layer":
                raise
            return getattr(self.base_layer, name)

    def _get_base_layer_device_and_dtype(self, base_layer: nn.Module) -> tuple[Any, Any]:
        """Where the base module lies; a quantised weight says nothing about the numbers of an adapter."""
        parameter = next(base_layer.parameters(), None)
        if parameter is None:
            return None, None
        return parameter.device, parameter.dtype if parameter.dtype.is_floating_point else None


class WrappingModel(BaseTuner):
    """A tuner whose layers are `WrappingLayer`s."""

    target_module_mapping: dict[str, Any] = {}

    def _replace_module(self, parent: nn.Module, child_name: str, new_module: nn.Module, child: nn.Module) -> None:
        if hasattr(new_module, "base_layer"):
            new_module.train(child.training)
        setattr(parent, child_name, new_module)  # PEFT would copy `.weight`, which a whole block has not

    @contextmanager
    def _enable_peft_forward_hooks(self, *_: Any, **kwargs: Any) -> Iterator[None]:
        """Hand each layer the adapters' names of the batch's rows; nothing stays behind when the pass fails."""
        names = kwargs.pop("adapter_names", None)
        if names is None:
            yield
            return
        beams = kwargs.get("num_beams") or 1
        rows = [name for name in names for _ in range(beams)]

        def hand_over(_: nn.Module, given: Any, named: dict[str, Any]) -> Any:
            return given, {**named, "adapter_names": rows}

        layers = [module for module in self.modules() if isinstance(module, self.tuner_layer_cls)]
        hooks = [layer.register_forward_pre_hook(hand_over, with_kwargs=True) for layer in layers]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()


def output_width(module: nn.Module) -> int:
    """Outputs of a linear layer, whatever its kind or wrapping."""
    inner = module.get_base_layer() if isinstance(module, BaseTunerLayer) else module
    return int(inner.nf if isinstance(inner, Conv1D) else inner.out_features)  # type: ignore[arg-type]


def rows_of(names: list[str]) -> dict[str, list[int]]:
    """The rows of a batch by adapter, base rows left out."""
    found: dict[str, list[int]] = {}
    for row, name in enumerate(names):
        if name != BASE_ROW:
            found.setdefault(name, []).append(row)
    return found


def as_hidden(output: Any) -> torch.Tensor:
    """The hidden states in a module's output, shape [batch, tokens, width]."""
    hidden: torch.Tensor = output[0] if isinstance(output, tuple) else output
    return hidden
