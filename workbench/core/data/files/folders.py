"""Which files of a folder are data, and which of them belong to a subset and a split."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.core.data.files.unpacking import PACKED
from workbench.core.errors import UserError

COLUMNAR = (".parquet", ".arrow", ".feather")
SUFFIXES = (".json", ".jsonl", ".ndjson", ".csv", ".tsv", *COLUMNAR, ".txt", ".md")
"""File endings that are read; each but the columnar ones may be followed by .gz or .zst."""

ABOUT = re.compile(
    r"(readme|license|licence|changelog|notice)\b.*|dataset_infos?\.json|state\.json|dataset_dict\.json", re.I
)
"""Names of files that are about the data."""

SPLITS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing", "eval", "evaluation"),
}
"""Splits by the words in the names of files and folders, as `datasets` reads them."""

WORDS = re.compile("[a-z]+")


@dataclass(frozen=True, slots=True)
class FolderFiles:
    """The files of a folder that are read."""

    files: tuple[Path, ...]
    split: str | None
    """The split that they belong to; None where the folder names none."""
    splits: tuple[str, ...]
    """Every split that there is."""


def kind_of(file: Path) -> str:
    """The ending that says how a file is read, without that of its compression; empty for any other file."""
    name = file.name.lower()
    for packed in PACKED:
        name = name.removesuffix(packed)
    return next((suffix for suffix in SUFFIXES if name.endswith(suffix)), "")


def choose_files(folder: Path, subset: str | None = None, split: str | None = None) -> FolderFiles:
    """The data files of a folder; of one that `datasets` saved, those that it names.

    A subset is a folder within it. Where names tell splits apart, one of them is read: `split`, else train, else the
    first. UserError where there is no such subset or split, or no data file.
    """
    if subset is not None:
        folder = _subset(folder, subset)
    saved = _saved_splits(folder)
    if saved:
        chosen = _choose(split, saved, folder)
        return FolderFiles(choose_files(folder / chosen).files, chosen, tuple(saved))
    named = _saved_files(folder)
    files = named or _data_files(folder)
    if not files:
        raise UserError(f"{folder} holds no data file; it takes {', '.join(SUFFIXES)}.")
    marks = {file: _mark(file.relative_to(folder)) for file in files}
    splits = tuple(name for name in SPLITS if name in marks.values())
    if split is None and ("train" not in splits or len(splits) < 2):
        return FolderFiles(tuple(files), splits[0] if len(splits) == 1 else None, splits)
    chosen = _choose(split, splits, folder)
    return FolderFiles(tuple(file for file in files if marks[file] == chosen), chosen, splits)


def list_splits(folder: Path) -> dict[str, list[str]]:
    """The splits of each subset of a folder; a folder without subsets has the one subset default."""
    if not _saved_splits(folder) and not any(kind_of(file) and not _is_about(file) for file in _children(folder)):
        subsets = [
            place
            for place in _children(folder)
            if place.is_dir() and not _mark(Path(place.name)) and place.name != "data" and _data_files(place)
        ]
        if subsets:
            return {place.name: list(choose_files(place).splits) for place in subsets}
    return {"default": list(choose_files(folder).splits)}


def _subset(folder: Path, subset: str) -> Path:
    if subset == "default" and not (folder / subset).is_dir():
        return folder
    if subset in (".", "..") or Path(subset).name != subset or not (folder / subset).is_dir():
        there = [name for name in list_splits(folder) if name != "default"]
        has = f"has {', '.join(there[:20])}" if there else "has none"
        raise UserError(f"{folder} has no subset {subset[:60]!r}; it {has}.")
    return folder / subset


def _choose(split: str | None, splits: Sequence[str], folder: Path) -> str:
    if split is None:
        return "train" if "train" in splits else splits[0]
    if split in splits:
        return split
    has = f"has {', '.join(splits[:20])}" if splits else "names none"
    raise UserError(f"{folder} has no split {split[:60]!r}; it {has}.")


def _mark(place: Path) -> str:
    """The split that the words of a path inside its folder name, the last one first."""
    for word in reversed(WORDS.findall(place.as_posix().lower())):
        for split, words in SPLITS.items():
            if word in words:
                return split
    return ""


def _saved_splits(folder: Path) -> list[str]:
    splits = _read_small(folder / "dataset_dict.json").get("splits")
    return [name for name in map(str, splits) if (folder / name).is_dir()] if isinstance(splits, list) else []


def _saved_files(folder: Path) -> list[Path]:
    saved = _read_small(folder / "state.json").get("_data_files")
    names = [str(item.get("filename")) for item in saved if isinstance(item, dict)] if isinstance(saved, list) else []
    return [folder / name for name in names if Path(name).name == name and (folder / name).is_file()]


def _data_files(folder: Path) -> list[Path]:
    try:
        found = (file for file in folder.rglob("*") if kind_of(file) and not _is_about(file) and file.is_file())
        return sorted(file for file in found if not _is_hidden(file.relative_to(folder)))
    except OSError as error:
        raise UserError(f"{folder} cannot be read ({error.strerror}).") from None


def _children(folder: Path) -> list[Path]:
    try:
        return sorted(place for place in folder.iterdir() if not _is_hidden(Path(place.name)))
    except OSError as error:
        raise UserError(f"{folder} cannot be read ({error.strerror}).") from None


def _is_about(file: Path) -> bool:
    return ABOUT.fullmatch(file.name) is not None


def _is_hidden(place: Path) -> bool:
    return any(part.startswith(".") for part in place.parts)


def _read_small(file: Path) -> dict[str, Any]:
    try:
        if file.stat().st_size > 1 << 24:
            return {}
        value = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
