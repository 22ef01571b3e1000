"""Putting adapters onto a model without values, where some kinds fill large matrices number by number."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import torch


@contextlib.contextmanager
def shapes_only() -> Iterator[None]:
    """Inside, BOFT's permutation matrices are made and not filled: n numbers a layer take minutes on a wide model."""
    from peft.tuners.boft.layer import BOFTLayer

    def empty(self: Any, indices: Sequence[Any]) -> torch.Tensor:  # noqa: ARG001
        return torch.empty(len(indices), len(indices))

    changed: Any = BOFTLayer
    kept = changed.perm2mat
    changed.perm2mat = empty
    try:
        yield
    finally:
        changed.perm2mat = kept
