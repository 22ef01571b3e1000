"""Deleting a run: never a live one, and all of it or nothing."""

from __future__ import annotations

import shutil

from workbench.core.errors import UserError
from workbench.core.runs.folder import ENDED, RunFolder


def delete_run(folder: RunFolder) -> None:
    """Delete a run's folder with everything in it. UserError where the run is going on or the folder cannot be moved.

    The folder is first renamed, so that a run is never listed half-deleted.
    """
    status = folder.read_status()
    if status is not None and status.state not in ENDED:
        raise UserError(f"The run {folder.name} is {status.state}; stop it before you delete it.")
    aside = folder.path.with_name(f".deleted-{folder.name}")
    try:
        shutil.rmtree(aside, ignore_errors=True)
        folder.path.rename(aside)
    except FileNotFoundError:
        return
    except OSError as error:
        raise UserError(f"The run {folder.name} cannot be deleted ({error.strerror}).") from None
    shutil.rmtree(aside, ignore_errors=True)


def size_on_disk(folder: RunFolder) -> int:
    """Bytes in a run's folder."""
    total = 0
    for path in folder.path.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except OSError:
            continue
    return total
