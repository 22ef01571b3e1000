"""Checkpoints on disk: complete or absent, verified before they are used, and only as many as are wanted."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

from workbench.core.files import read_json
from workbench.core.runs.folder import RunFolder

MANIFEST = "manifest.json"
"""Size and SHA-256 of every other file of a checkpoint. Without it a torn one may load and train on wrongly."""

HIDDEN = ".step-"


def aside(folder: RunFolder, step: int) -> Path:
    """An empty folder beside the checkpoints, in which the one of `step` is written."""
    hidden = folder.checkpoints / f"{HIDDEN}{step}"
    shutil.rmtree(hidden, ignore_errors=True)
    hidden.mkdir(parents=True)
    return hidden


def publish(folder: RunFolder, hidden: Path, step: int, keep: int) -> tuple[Path, int]:
    """Make what stands in `hidden` the checkpoint of `step`; its path, and its size in bytes.

    The files reach the disk before the name does. Of the others the newest are kept, `keep` in all; those of later
    steps belong to a past that was gone back on, and are removed.
    """
    size = _seal(hidden, step)
    final = folder.checkpoints / f"step-{step}"
    if final.exists():
        shutil.rmtree(final)
    hidden.rename(final)
    _sync(folder.checkpoints)
    found = steps_of(folder)
    for other in [number for number in found if number > step] + [n for n in found if n <= step][:-keep]:
        shutil.rmtree(folder.checkpoints / f"step-{other}", ignore_errors=True)
    return final, size


def _seal(hidden: Path, step: int) -> int:
    """Write the manifest and bring everything to the disk; bytes in all."""
    files: dict[str, dict[str, int | str]] = {}
    for file in sorted(path for path in hidden.rglob("*") if path.is_file()):
        with file.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
            os.fsync(opened.fileno())
            files[file.relative_to(hidden).as_posix()] = {"size": os.fstat(opened.fileno()).st_size, "sha256": digest}
    with (hidden / MANIFEST).open("w", encoding="utf-8") as opened:
        json.dump({"step": step, "files": files}, opened)
        opened.flush()
        os.fsync(opened.fileno())
    _sync(hidden)
    return sum(int(entry["size"]) for entry in files.values())


def _sync(folder: Path) -> None:
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def steps_of(folder: RunFolder) -> list[int]:
    """The steps that have a checkpoint, in order."""
    names = (path.name.removeprefix("step-") for path in folder.checkpoints.glob("step-*"))
    return sorted(int(name) for name in names if name.isdigit())


def flaw_of(checkpoint: Path) -> str | None:
    """What is wrong with a checkpoint, in a few words; None where every file is as it was written."""
    manifest = read_json(checkpoint / MANIFEST)
    files = manifest.get("files") if isinstance(manifest, dict) else None
    if not isinstance(files, dict) or not files:
        return "it has no manifest"
    for name, entry in files.items():
        file = checkpoint / name
        try:
            if file.stat().st_size != entry["size"]:
                return f"{name} has another size"
            with file.open("rb") as opened:
                if hashlib.file_digest(opened, "sha256").hexdigest() != entry["sha256"]:
                    return f"{name} has changed"
        except OSError:
            return f"{name} cannot be read"
        except (KeyError, TypeError):
            return "its manifest is damaged"
    return None


def newest_sound(folder: RunFolder) -> tuple[Path | None, list[str]]:
    """The newest checkpoint that is whole, or None; and a sentence for each newer one that is not.

    What a killed trainer left half-written is removed.
    """
    for left in folder.checkpoints.glob(f"{HIDDEN}*"):
        shutil.rmtree(left, ignore_errors=True)
    told: list[str] = []
    for step in reversed(steps_of(folder)):
        checkpoint = folder.checkpoints / f"step-{step}"
        flaw = flaw_of(checkpoint)
        if flaw is None:
            return checkpoint, told
        told.append(f"The checkpoint of step {step} is damaged ({flaw}) and is left out; the one before it is used.")
    if told:
        told[-1] = told[-1].replace("the one before it is used", "there is none before it, so the run starts again")
    return None, told
