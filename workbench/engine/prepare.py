"""Making any base model a folder that the whole program can read: config.json, safetensors and tokenizer.json."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from workbench.core.errors import UserError
from workbench.core.models.locate import ModelPlace, locate_model
from workbench.core.models.ready import cached_skeleton, prepared_folder, ready_folder, store_skeleton
from workbench.core.models.skeleton import Skeleton
from workbench.core.places import Workspace
from workbench.core.recipe import ModelSection
from workbench.core.words import size_text
from workbench.engine.failures import is_disk_full
from workbench.engine.hub import TOKENIZER, fetch_config, fetch_model

Progress = Callable[[str], None]
"""Called with what is being done, in words; raising in it cancels the work."""

_PREPARING = threading.Lock()
"""Held while a model is prepared: threads of one process that ask for the same one would write over each other."""

POLL = 0.25
"""Seconds between two looks at whether a request that waits is cancelled."""

KEPT = (".json", ".safetensors", ".jinja", ".txt", ".model")
"""Suffixes of the files that a prepared folder takes over: never a pickle, never code."""


def prepare_model(model: ModelSection, workspace: Workspace, progress: Progress | None = None) -> Path:
    """The model as a folder with config.json, safetensors and tokenizer.json; made and cached where it is not one.

    A GGUF file is converted once; a Hub id is fetched into the Hub's cache (or taken from it when offline); a tokenizer
    without tokenizer.json is converted. The skeleton is kept for `cached_skeleton`. UserError in one sentence where the
    model cannot be had.
    """
    progress = progress or _silently
    folder = ready_folder(model, workspace)
    if folder is None:
        with _alone(progress):  # whoever waited finds it ready
            folder = ready_folder(model, workspace) or _prepare(model, workspace, progress)
    if cached_skeleton(model, workspace) is None:
        from workbench.engine.skeletons import build_skeleton

        progress("Reading the architecture")
        store_skeleton(model, workspace, build_skeleton(folder))
    return folder


def _silently(text: str) -> None:
    """Progress that nobody follows."""


@contextmanager
def _alone(progress: Progress) -> Iterator[None]:
    """No other thread prepares a model meanwhile; `progress` may raise while this one waits."""
    while not _PREPARING.acquire(timeout=POLL):
        progress("Waiting for the model")
    try:
        yield
    finally:
        _PREPARING.release()


def model_skeleton(model: ModelSection, workspace: Workspace, progress: Progress) -> Skeleton:
    """The model's skeleton from its config alone: no weights are read, and from the Hub only config.json is fetched."""
    cached = cached_skeleton(model, workspace)
    if cached is not None:
        return cached
    from workbench.engine.skeletons import build_skeleton

    progress("Reading the architecture")
    place = locate_model(model.path, needs_weights=False)
    if place.kind == "gguf" and place.path is not None:
        from workbench.engine.gguf.config import gguf_config
        from workbench.engine.gguf.header import read_header

        skeleton = build_skeleton(gguf_config(place.path, read_header(place.path)))
    elif place.path is not None:
        skeleton = build_skeleton(place.path)
    else:
        skeleton = build_skeleton(fetch_config(place.name, model.revision, progress))
    store_skeleton(model, workspace, skeleton)
    return skeleton


def _prepare(model: ModelSection, workspace: Workspace, progress: Progress) -> Path:
    place = locate_model(model.path)
    target = prepared_folder(model, workspace)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _clear_leftovers(target.parent)
        aside = target.parent / f".{target.name}.{os.getpid()}"
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir()
        try:
            _fill(place, model, aside, progress)
            _put_in_place(aside, target)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    except OSError as error:
        if not is_disk_full(error) and not isinstance(error, PermissionError):
            raise
        raise UserError(
            f"The prepared model cannot be written to {target.parent} ({error.strerror or error}); make room or "
            "choose another workspace."
        ) from error
    return target


def _clear_leftovers(parent: Path) -> None:
    """Remove what killed processes have left half-made."""
    for folder in parent.glob(".*.*"):
        owner = folder.name.rpartition(".")[2]
        if owner.isdigit() and int(owner) != os.getpid() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)


def _put_in_place(aside: Path, target: Path) -> None:
    if (target / "tokenizer.json").is_file() and (target / "config.json").is_file():
        return  # another process was quicker
    if (target / "skeleton.json").is_file():
        shutil.copy2(target / "skeleton.json", aside)
    shutil.rmtree(target, ignore_errors=True)
    aside.replace(target)


def _fill(place: ModelPlace, model: ModelSection, into: Path, progress: Progress) -> None:
    if place.kind == "gguf" and place.path is not None:
        from workbench.engine.gguf.convert import convert_gguf
        from workbench.engine.gguf.header import read_header

        _check_room(place.path, read_header(place.path).parameters, into)
        convert_gguf(place.path, into, progress)
        return
    source = place.path or fetch_model(place.name, model.revision, progress)
    has_tokenizer = (source / "tokenizer.json").is_file()
    for file in source.iterdir():
        ours = file.is_file() and file.suffix in KEPT and not file.name.startswith("adapter_")
        if ours and (has_tokenizer or not file.name.startswith(TOKENIZER)):
            _link(file, into / file.name)
    if not has_tokenizer:
        progress("Converting the tokenizer")
        _convert_tokenizer(source, into)


def _check_room(file: Path, parameters: int, into: Path) -> None:
    from workbench.engine.gguf.convert import LARGE

    needed = parameters * (2 if parameters > LARGE else 4)
    free = shutil.disk_usage(into).free
    if needed > free:
        raise UserError(
            f"Converting {file.name} needs {size_text(needed)} on the disk of {into.parent}, which has "
            f"{size_text(free)} left; make room or choose another workspace."
        )
    memory = psutil.virtual_memory().available
    if needed > memory:
        raise UserError(
            f"Converting {file.name} needs {size_text(needed)} of memory, and {size_text(memory)} are free; "
            "use the model's safetensors folder instead."
        )


def _link(file: Path, link: Path) -> None:
    """Refer to a file without copying it, where the file system can."""
    try:
        link.symlink_to(file.absolute())
    except OSError:
        shutil.copy2(file, link)


def _convert_tokenizer(source: Path, into: Path) -> None:
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(source, trust_remote_code=False, local_files_only=True)
    except Exception as error:  # Transformers raises OSError, ValueError, ImportError and more here
        raise UserError(
            f"{source} has no tokenizer that can be read; add its tokenizer.json.", f"{type(error).__name__}: {error}"
        ) from error
    if not getattr(tokenizer, "is_fast", False):
        raise UserError(f"The tokenizer in {source} cannot be converted to tokenizer.json; add that file.")
    tokenizer.save_pretrained(into)
