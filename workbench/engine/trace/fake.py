"""Models on fake tensors: shapes, types and devices of a real one, and no values."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from workbench.engine.trace.sparse import dense_instead
from workbench.engine.trace.stand_in import STAND_IN

aten = torch.ops.aten


class _Mode(FakeTensorMode):
    """A mode that copying a tensor, and so a module, does not copy: tensors of two modes do not mix."""

    def __deepcopy__(self, memo: Any) -> FakeTensorMode:
        return self


INDEXED = (aten.index.Tensor, aten.index_put.default, aten.index_put_.default)
SCATTERED = (aten.scatter_.value, aten.scatter_.src, aten.scatter.value, aten.scatter.src)


class MadeUpValues(TorchDispatchMode):
    """Answers where code asks for a value, which no fake tensor has.

    A truth is true (`rand(1) > dropout` takes the layer) but for `any`, which is asked of numbers that went wrong; a
    fraction is 1, a whole number 0, and a mask chooses as many places as ones were written into it, else every one.
    """

    def __init__(self) -> None:
        super().__init__()
        self._ones: WeakKeyDictionary[Any, int] = WeakKeyDictionary()
        """How many ones have been written into a storage of zeros."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is aten._local_scalar_dense.default:
            kind = args[0].dtype
            if kind == torch.bool:
                return self._ones.get(args[0].untyped_storage(), 1) > 0
            return 1.0 if kind.is_floating_point else 0
        if func is aten.equal.default:
            return True
        if func is aten.any.default:  # asked of numbers that may have gone wrong: none has
            found = func(*args)
            self._ones[found.untyped_storage()] = 0
            return found
        if func is aten.nonzero.default:
            given = args[0]
            return given.new_empty((self._places_in(given), given.dim()), dtype=torch.long)
        if func is aten.bincount.default:
            least = (kwargs or {}).get("minlength", args[2] if len(args) > 2 else 0)
            return args[0].new_empty((max(1, least),), dtype=torch.long)
        if func in INDEXED and any(one is not None and one.dtype == torch.bool for one in args[1]):
            places = [one for given in args[1] for one in self._places_of(given)]
            return func(args[0], places, *args[2:], **(kwargs or {}))
        result = func(*args, **(kwargs or {}))
        if func in SCATTERED:  # a mask with so many ones
            self._ones[result.untyped_storage()] = args[2].numel()
        elif func is aten.eq.Scalar and args[0].untyped_storage() in self._ones:
            self._ones[result.untyped_storage()] = self._ones[args[0].untyped_storage()]
        return result

    def _places_in(self, given: torch.Tensor) -> int:
        return self._ones.get(given.untyped_storage(), given.numel())

    def _places_of(self, index: torch.Tensor | None) -> list[torch.Tensor | None]:
        """The places that a mask of truths stands for, along each of its dimensions; any other index as it is."""
        if index is None or index.dtype != torch.bool:
            return [index]
        count = self._places_in(index)
        return [index.new_empty(count, dtype=torch.long) for _ in range(index.dim())]


@contextlib.contextmanager
def fake_tensors() -> Iterator[None]:
    """Everything inside computes on fake tensors; modules move and cast as they do with real ones."""
    kept_apply, kept_tensor = nn.Module._apply, torch.tensor
    kept_part = torch.Tensor.__getitem__
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

    def part(self: torch.Tensor, index: Any) -> torch.Tensor:
        # a list of places becomes a tensor below Python, where none is fake
        if self.device.type == STAND_IN and isinstance(index, (tuple, list)):
            given = index if isinstance(index, tuple) else (index,)
            if any(isinstance(one, list) for one in given):
                index = tuple(tensor(one, device=STAND_IN) if isinstance(one, list) else one for one in given)
        return kept_part(self, index)

    changed: Any = nn.Module
    library: Any = torch
    changed._apply, library.tensor = apply, tensor
    library.Tensor.__getitem__ = part
    try:
        with _Mode(), MadeUpValues(), dense_instead():
            yield
    finally:
        changed._apply, library.tensor = kept_apply, kept_tensor
        library.Tensor.__getitem__ = kept_part


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
