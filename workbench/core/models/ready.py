"""What is known of a model without the engine: a folder whose tokenizer can be read, and a cached skeleton."""

from __future__ import annotations

import hashlib
from pathlib import Path

from workbench.core.files import read_json, write_json_atomically
from workbench.core.models.locate import ModelPlace, locate_model
from workbench.core.models.skeleton import Skeleton, skeleton_from_json
from workbench.core.places import Workspace
from workbench.core.recipe import ModelSection


def prepared_folder(model: ModelSection, workspace: Workspace) -> Path:
    """The cache folder of a model that the engine has to prepare; a changed file has another folder."""
    place = locate_model(model.path, needs_weights=False)
    return workspace.cache / "models" / _key(place, model)


def _key(place: ModelPlace, model: ModelSection) -> str:
    parts = [place.kind, str(place.path or place.name), model.revision or ""]
    if place.path is not None:
        changing = place.path / "config.json" if place.path.is_dir() else place.path
        found = changing.stat()
        parts += [str(found.st_size), str(found.st_mtime_ns)]
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
    safe = "".join(letter if letter.isalnum() or letter in "._-" else "-" for letter in place.name)[:60]
    return f"{safe}-{digest}"


def ready_folder(model: ModelSection, workspace: Workspace) -> Path | None:
    """The folder with config.json and tokenizer.json, or None where the engine must prepare the model first."""
    place = locate_model(model.path)
    if place.kind in ("bundled", "folder") and place.path is not None and (place.path / "tokenizer.json").is_file():
        return place.path
    prepared = prepared_folder(model, workspace)
    return prepared if (prepared / "tokenizer.json").is_file() and (prepared / "config.json").is_file() else None


def _skeleton_file(model: ModelSection, workspace: Workspace) -> Path:
    place = locate_model(model.path, needs_weights=False)
    if place.kind == "bundled" and place.path is not None:
        return place.path / "skeleton.json"
    return prepared_folder(model, workspace) / "skeleton.json"


def cached_skeleton(model: ModelSection, workspace: Workspace) -> Skeleton | None:
    """The model's skeleton where it has been built before, else None. UserError where there is no such model."""
    values = read_json(_skeleton_file(model, workspace))
    return skeleton_from_json(values) if isinstance(values, dict) else None


def store_skeleton(model: ModelSection, workspace: Workspace, skeleton: Skeleton) -> None:
    """Keep a skeleton for `cached_skeleton` (the engine only)."""
    file = _skeleton_file(model, workspace)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_json_atomically(file, skeleton.to_json())
