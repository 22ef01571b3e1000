"""Putting adapters onto a model without values, where some kinds fill large matrices or read weights."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any

import torch


@contextlib.contextmanager
def shapes_only() -> Iterator[None]:
    """Inside, what reads or fills values number by number is made in its shapes alone.

    BOFT's permutation matrices are not filled: n numbers a layer take minutes on a wide model. AdaMSS's groups of rows,
    which scikit-learn finds in the weights, are of one size, and scikit-learn need not be there.
    """
    boft: Any = importlib.import_module("peft.tuners.boft.layer").BOFTLayer
    adamss: Any = importlib.import_module("peft.tuners.adamss.layer")
    kept = boft.perm2mat, adamss.clustering_Z, adamss.seg_locations
    boft.perm2mat = _unfilled
    adamss.clustering_Z, adamss.seg_locations = _equal_groups, _places_of
    try:
        with _there("sklearn"):
            yield
    finally:
        boft.perm2mat, adamss.clustering_Z, adamss.seg_locations = kept


@contextlib.contextmanager
def _there(name: str) -> Iterator[None]:
    """A package that is asked for and not used is there, empty, where it is not installed."""
    known: Any = sys.modules
    kept = {key: known[key] for key in (name,) if key in known}  # None, where its import has been ruled out
    absent = kept.get(name) is None and importlib.util.find_spec(name) is None
    if absent:
        known[name] = ModuleType(name)
    try:
        yield
    finally:
        if absent:
            del known[name]
            known.update(kept)


def _unfilled(_: Any, indices: Sequence[Any]) -> torch.Tensor:
    return torch.empty(len(indices), len(indices))


def _equal_groups(rows: torch.Tensor, groups: int, _: int) -> tuple[list[int], int]:
    """Sizes of the groups, and how many."""
    count = min(groups, rows.shape[0])
    return [rows.shape[0] // count + (place < rows.shape[0] % count) for place in range(count)], count


def _places_of(sizes: Sequence[int]) -> dict[int, torch.Tensor]:
    return {place: torch.arange(size) for place, size in enumerate(sizes)}
