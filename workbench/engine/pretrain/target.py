"""The folder that a pretraining run writes, judged before torch is loaded: is it free, is there something to resume."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from workbench.core.errors import UserError
from workbench.core.files import read_json

FOLDER = "pretraining"
"""The folder inside the target that holds the checkpoint until the model is finished."""


@dataclass(frozen=True)
class Settings:
    """What decides every figure of a pretraining run."""

    seed: int
    steps: int
    documents: int


@dataclass(frozen=True)
class Progress:
    """How far a run has come."""

    step: int
    """Steps done."""
    seconds: float
    """Seconds of training so far, in all sittings, evaluation left out."""


@dataclass(frozen=True)
class Start:
    """Where a run begins."""

    settings: Settings
    progress: Progress
    checkpoint: Path | None
    """The folder to load weights and optimizer states from; None for a fresh start."""


def find_checkpoint(target: Path) -> Path | None:
    """The newest complete checkpoint in the target folder, also after a kill between two renames."""
    for name in (FOLDER, FOLDER + ".new", FOLDER + ".old"):
        if (target / name / "progress.json").is_file():
            return target / name
    return None


def read_progress(checkpoint: Path) -> tuple[Settings, Progress]:
    """Settings and progress of a checkpoint. Raises UserError where it cannot be read."""
    written = read_json(checkpoint / "progress.json") or {}
    try:
        return Settings(**written["settings"]), Progress(**written["progress"])
    except (TypeError, KeyError):
        raise UserError(
            f"The checkpoint in {checkpoint} cannot be read; remove that folder and start without --resume."
        ) from None


def resume_run(target: Path, chosen: Mapping[str, int]) -> Start:
    """Go on from the checkpoint in the target; what is chosen must be what the run began with. Raises UserError."""
    checkpoint = find_checkpoint(target)
    if checkpoint is None:
        raise UserError(f"There is no pretraining run to resume in {target}; start one without --resume.")
    settings, progress = read_progress(checkpoint)
    for name, value in chosen.items():
        begun = getattr(settings, name)
        if value != begun:
            raise UserError(f"The stopped run began with --{name} {begun}, not {value}; resume it without --{name}.")
    return Start(settings, progress, checkpoint)


def begin_run(target: Path, settings: Settings) -> Start:
    """Begin in an empty folder, made if missing. Raises UserError."""
    if find_checkpoint(target) is not None:
        raise UserError(f"A pretraining run was stopped in {target}; add --resume to go on with it.")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UserError(f"{target} exists and is not an empty folder; choose another folder with --to.")
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"The folder {target} cannot be made ({error.strerror}); choose another with --to.") from None
    if not os.access(target, os.W_OK | os.X_OK):
        raise UserError(f"The folder {target} cannot be written; choose another with --to.")
    return Start(settings, Progress(0, 0.0), None)
