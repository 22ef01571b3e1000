"""Models on fake tensors: shapes, types and devices of a real one, and no values."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn
from torch._subclasses import fake_impls
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._mode_utils import no_dispatch

from workbench.engine.trace.stand_in import STAND_IN


@contextlib.contextmanager
def fake_tensors() -> Iterator[None]:
    """Everything inside computes on fake tensors; modules move and cast as they do with real ones."""
    kept_apply, kept_tensor = nn.Module._apply, torch.tensor
    moved: dict[int, tuple[Any, nn.Parameter]] = {}

    def apply(self: nn.Module, function: Any, recurse: bool = True) -> nn.Module:
        # torch swaps a fake parameter's insides, which fails while anything refers to it: put a new one in its place
        if recurse:
            for child in self.children():
                child._apply(function)
        for name, parameter in self._parameters.items():
            if parameter is not None:
                self._parameters[name] = _moved(parameter, function, moved)
        for name, buffer in self._buffers.items():
            if buffer is not None:
                self._buffers[name] = function(buffer)
        return self

    def tensor(data: Any, *, dtype: Any = None, device: Any = None, **rest: Any) -> torch.Tensor:
        # torch.tensor fills the new tensor by a kernel that the stand-in does not have
        if device is not None and torch.device(device).type == STAND_IN:
            like = kept_tensor(data, dtype=dtype, device="cpu")
            return torch.empty(like.shape, dtype=like.dtype, device=device, **rest)
        return kept_tensor(data, dtype=dtype, device=device, **rest)

    changed: Any = nn.Module
    library: Any = torch
    changed._apply, library.tensor = apply, tensor
    try:
        with _other_operations(READS), FakeTensorMode():
            yield
    finally:
        changed._apply, library.tensor = kept_apply, kept_tensor


@contextlib.contextmanager
def _other_operations(others: dict[Any, Any]) -> Iterator[None]:
    """Inside, fake tensors do these operations otherwise than torch's own stand-ins do."""
    known: Any = fake_impls.op_implementations_dict
    kept = dict(known)
    known.update(others)
    try:
        yield
    finally:
        known.clear()
        known.update(kept)


def every_place() -> contextlib.AbstractContextManager[None]:
    """Inside, every element of a fake mask is chosen: for putting a model together, where some kinds of adapters draw
    the places of their values and no more than their number counts.
    """

    def places(mode: Any, function: Any, tensor: torch.Tensor) -> torch.Tensor:  # noqa: ARG001
        return tensor.new_empty((tensor.numel(), tensor.dim()), dtype=torch.int64)

    return _other_operations({aten.nonzero.default: places})


def _read(mode: Any, function: Any, tensor: torch.Tensor) -> bool | int:  # noqa: ARG001
    """A fake number that is read: a truth is true (`rand(1) > dropout` takes the layer), any other one is 1."""
    return True if tensor.dtype == torch.bool else 1


def _any(mode: Any, function: Any, tensor: torch.Tensor) -> torch.Tensor:  # noqa: ARG001
    """Whether any element is true: none is, since it is asked about numbers that went wrong (`isinf(x).any()`)."""
    found: Any = tensor.new_empty((), dtype=torch.bool)
    with no_dispatch():
        found.constant = torch.zeros((), dtype=torch.bool)
    return found


aten = torch.ops.aten
READS = {aten._local_scalar_dense.default: _read, aten.item.default: _read, aten.any.default: _any}
"""What stands in for operations whose results decide what is computed next."""


def _moved(parameter: nn.Parameter, function: Any, moved: dict[int, Any]) -> nn.Parameter:
    """The parameter as `function` makes it; one that is shared stays shared."""
    known = moved.get(id(parameter))
    if known is not None and known[0] is parameter:
        return known[1]
    with torch.no_grad():
        made = function(parameter)
    if made is parameter or (made.dtype == parameter.dtype and made.device == parameter.device):
        return parameter
    fresh = nn.Parameter(made, requires_grad=parameter.requires_grad)
    moved[id(parameter)] = (parameter, fresh)
    return fresh


def give_device(model: nn.Module, device: torch.device, dtype: torch.dtype | None = None) -> None:
    """Put a model onto `device`, with its parameters in `dtype` where one is given, as loading a checkpoint casts them.

    What is shared stays shared, and what hangs on a parameter stays with it.
    """
    done: dict[int, tuple[Any, Any]] = {}

    def moved(tensor: Any, cast: bool = False) -> Any:
        known = done.get(id(tensor))
        if known is not None:
            return known[1]
        kind = dtype if cast and dtype is not None and tensor.is_floating_point() else tensor.dtype
        made: Any = torch.empty_strided(tensor.shape, tensor.stride(), dtype=kind, device=device)
        if isinstance(tensor, nn.Parameter):
            made = nn.Parameter(made, requires_grad=tensor.requires_grad)
            own = set(vars(made))  # a fake tensor's own, such as its device
            for name, value in vars(tensor).items():
                if name not in own:
                    setattr(made, name, _state_moved(value, moved))
        done[id(tensor)] = (tensor, made)
        return made

    for module in model.modules():
        for name, parameter in module._parameters.items():
            if parameter is not None:
                module._parameters[name] = moved(parameter, True)
        for name, buffer in module._buffers.items():
            if buffer is not None:
                module._buffers[name] = moved(buffer)
        for name, value in list(vars(module).items()):
            if isinstance(value, torch.Tensor) and value.device != device:
                setattr(module, name, moved(value))
            elif name == "quant_state":
                setattr(module, name, _state_moved(value, moved))


def _state_moved(value: Any, moved: Any) -> Any:
    """The state of a quantised weight with its tensors moved; anything else as it is."""
    for name in ("absmax", "code", "offset"):
        held = getattr(value, name, None)
        if isinstance(held, torch.Tensor):
            setattr(value, name, moved(held))
    if getattr(value, "state2", None) is not None:
        _state_moved(value.state2, moved)
    return value
