"""Every allocation and release of a device's memory, in order, seen from the tensors that operations give back."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

OUTPUTS = "outputs"
"""The role of what a loop holds on to from one step into the next."""

SUM = torch.ops.aten.add.Tensor


@dataclass(frozen=True, slots=True)
class Born:
    """A piece of memory is allocated."""

    number: int
    size: int
    """Bytes, not rounded."""
    what: str
    """Operation, or the parameter's name."""
    where: str
    """Module, or empty outside of one."""
    shape: tuple[int, ...]
    phase: str


@dataclass(frozen=True, slots=True)
class Gone:
    """A piece of memory is released."""

    number: int


Event = Born | Gone


class AllocationLog(TorchDispatchMode):
    """Logs allocations on one device while it is entered, above a FakeTensorMode.

    `instead` names operations that a GPU does in several steps; `workspaces` what an operation takes for itself.
    """

    def __init__(
        self,
        device: str,
        instead: Mapping[Any, Callable[..., Any]] | None = None,
        workspaces: Mapping[Any, Callable[..., int]] | None = None,
    ) -> None:
        super().__init__()
        self.device = device
        self.events: list[Event] = []
        self.roles: dict[int, str] = {}
        """What a piece of memory turned out to be: weights, adapters, gradients, optimizer."""
        self.phase = ""
        self.module: Callable[[], str] = lambda: ""
        self._instead = dict(instead or {})
        self._workspaces = dict(workspaces or {})
        self._living: dict[int, tuple[weakref.ref[Any], int, int]] = {}
        """By a storage's address: the storage, its memory's number, and the number of this watch over it."""
        self._handed_on: set[int] = set()
        self._viewed: set[int] = set()
        """Memory that a view of another tensor has been made of."""
        self._count = 0

    def add(self, tensor: torch.Tensor, what: str, role: str | None = None) -> None:
        """Log a tensor that came to be outside of an operation, such as a parameter."""
        number = self._see(tensor, what)
        if role is not None and number is not None:
            self.roles[number] = role

    def tell(self, tensors: Iterable[torch.Tensor | None], role: str) -> None:
        """Say what pieces of memory are."""
        for tensor in tensors:
            if tensor is not None and tensor.device.type == self.device:
                known = self._living.get(tensor.untyped_storage()._cdata)
                if known is not None:
                    self.roles[known[1]] = role

    def number_of(self, tensor: torch.Tensor | None) -> int | None:
        """The number of a tensor's memory; None where it is not of this device, or not known."""
        if tensor is None or tensor.device.type != self.device:
            return None
        known = self._living.get(tensor.untyped_storage()._cdata)
        return None if known is None else known[1]

    def take(self, size: int, what: str, role: str) -> int:
        """Log memory that no tensor shows; its number, for `release`."""
        self._count += 1
        self.roles[self._count] = role
        self.events.append(Born(self._count, size, what, self.module(), (), self.phase))
        return self._count

    def release(self, number: int) -> None:
        self.events.append(Gone(number))

    def _is_collected(self, args: Any, result: torch.Tensor) -> bool:
        """Whether autograd adds up the gradients of one tensor in place, which it never does on fake tensors.

        The sum then takes over the first gradient's memory, unless that is a view of another's, as after a product of
        matrices (can_accumulate_inplace in torch's autograd engine; on real tensors counted from a profile).
        """
        first, second = args[:2]
        if not isinstance(second, torch.Tensor) or first.shape != second.shape or first.dtype != second.dtype:
            return False
        key = first.untyped_storage()._cdata
        known = self._living.get(key)
        if known is None or known[1] in self._viewed or result.device.type != self.device:
            return False
        del self._living[key]
        self._handed_on.add(known[2])
        self._watch(result.untyped_storage(), known[1])
        return True

    def _watch(self, storage: Any, number: int) -> None:
        """Log the end of a storage, unless its memory has been handed on by then."""
        key = storage._cdata
        self._count += 1
        ticket = self._count

        def gone(_: Any) -> None:
            if ticket in self._handed_on:
                self._handed_on.discard(ticket)
                return
            self.events.append(Gone(number))
            if key in self._living and self._living[key][2] == ticket:
                del self._living[key]

        self._living[key] = (weakref.ref(storage, gone), number, ticket)

    def _see(self, tensor: torch.Tensor, what: str) -> int | None:
        if tensor.device.type != self.device:
            return None
        if tensor.layout is torch.sparse_coo:
            self._see(tensor._indices(), what)
            return self._see(tensor._values(), what)
        storage = tensor.untyped_storage()
        key = storage._cdata
        known = self._living.get(key)
        if known is not None and known[0]() is storage:
            self._viewed.add(known[1])
            return known[1]
        size = storage.nbytes()
        if not size:
            return None
        self._count += 1
        number = self._count

        self._watch(storage, number)
        self.events.append(Born(number, size, what, self.module(), tuple(tensor.shape), self.phase))
        return number

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        instead = self._instead.get(func)
        if instead is not None:
            with self:
                return instead(*args, **kwargs)
        result = func(*args, **kwargs)
        name = func.overloadpacket.__name__
        if func is SUM and self.phase == "backward" and not self.module() and self._is_collected(args, result):
            return result
        if isinstance(result, torch.Tensor):
            self._see(result, name)
        else:
            for one in tree_leaves(result):
                if isinstance(one, torch.Tensor):
                    self._see(one, name)
        workspace = self._workspaces.get(func)
        if workspace is not None:
            size = workspace(*args, **kwargs)
            if size:
                self.release(self.take(size, f"{name}, its workspace", "buffers"))
        return result
