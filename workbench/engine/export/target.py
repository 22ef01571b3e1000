"""What an export needs before it starts, and the folder that it goes to: new, complete or absent."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from workbench.core.errors import UserError
from workbench.core.recipe import Recipe
from workbench.core.runs.folder import RunFolder
from workbench.core.words import size_text
from workbench.engine.failures import is_disk_full
from workbench.engine.results import Result, find_result


def check_export(run: RunFolder, recipe: Recipe, to: str | Path, merge: bool) -> tuple[Path, Result]:
    """Where the export goes and what it takes there; UserError where it cannot. Needs no torch."""
    target = check_target(to)
    result = find_result(run)
    method = recipe.method.facts
    if merge and not result.is_adapter:
        raise UserError(f"{method.title} has no adapter to merge: the result is a whole model; export without --merge.")
    if merge and not method.merges:
        raise UserError(f"{method.title} cannot be merged into its base; export its adapter without --merge.")
    return target, result


def check_target(to: str | Path) -> Path:
    """The folder that `to` names; UserError where something is there already, or it cannot be made."""
    target = Path(to).expanduser().absolute()
    if target.is_dir():
        if any(target.iterdir()):
            raise UserError(f"{target} is not empty; export to a new folder.")
    elif target.exists() or target.is_symlink():
        raise UserError(f"{target} is a file; export to a new folder.")
    return target


def check_room(target: Path, needed: int) -> None:
    """UserError where the disk of `target` has no `needed` bytes left."""
    there = next(folder for folder in (target, *target.parents) if folder.exists())
    free = shutil.disk_usage(there).free
    if needed > free:
        raise UserError(
            f"The export needs {size_text(needed)}, and the disk of {there} has {size_text(free)} left; make room, or "
            "export elsewhere."
        )


@contextmanager
def filled(target: Path) -> Iterator[Path]:
    """A folder to write to, which becomes `target` when all went well and vanishes when not."""
    aside = target.parent / f".{target.name}.{os.getpid()}"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        aside.mkdir()
        yield aside
        if target.is_dir():
            target.rmdir()
        aside.replace(target)
    except OSError as error:
        if is_disk_full(error):
            raise UserError(f"The disk of {target.parent} is full; make room, or export elsewhere.") from error
        if isinstance(error, (PermissionError, NotADirectoryError, FileExistsError, FileNotFoundError)):
            raise UserError(f"{target} cannot be written ({error.strerror}); export to another folder.") from error
        raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def folder_bytes(folder: Path) -> int:
    """Bytes of every file in a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
