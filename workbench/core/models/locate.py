"""Where a base model is: bundled, a folder, a GGUF file, or a name on the Hub."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from workbench.core.errors import UserError
from workbench.core.files import read_json
from workbench.core.places import tiny_folder

Kind = Literal["bundled", "folder", "gguf", "hub"]

PICKLES = ("*.bin", "*.pt", "*.pth", "*.pkl", "*.ckpt")
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")


@dataclass(frozen=True, slots=True)
class ModelPlace:
    """A base model's place."""

    kind: Kind
    name: str
    """What people call it: tiny, the folder's or file's name, or the Hub id."""
    path: Path | None
    """The folder or file; None for the Hub."""


def locate_model(path: str, needs_weights: bool = True) -> ModelPlace:
    """The place that a recipe's `model.path` means.

    UserError, in one sentence, for a missing path, a folder without config.json, without weights or with pickles
    only (weights are read from safetensors alone), and a .gguf file that is not one.
    """
    if path == "tiny":
        return ModelPlace("bundled", "tiny", tiny_folder())
    if not path.strip():
        raise UserError("No model is named; give tiny, a folder, a .gguf file, or a Hub id such as Qwen/Qwen3-0.6B.")
    place = Path(path).expanduser()
    if place.is_dir():
        _check_folder(place, needs_weights)
        return ModelPlace("folder", place.absolute().name, place.absolute())
    if place.is_file():
        if place.suffix.lower() != ".gguf":
            raise UserError(f"{place} is a file that no model is loaded from; give a model folder or a .gguf file.")
        _check_gguf(place)
        return ModelPlace("gguf", place.stem, place.absolute())
    if place.suffix.lower() == ".gguf" or place.is_absolute() or path.startswith((".", "~")) or path.count("/") > 1:
        raise UserError(f"There is no model at {place}; check the path.")
    if not HUB_ID.fullmatch(path):
        raise UserError(f"{path!r} is neither a folder, a .gguf file nor a Hub id; check the spelling.")
    return ModelPlace("hub", path, None)


def _check_folder(folder: Path, needs_weights: bool) -> None:
    config = folder / "config.json"
    if not config.is_file():
        single = sorted(folder.glob("*.gguf"))
        hint = f"; name the file itself: {single[0]}" if single else "; a model folder has one"
        raise UserError(f"{folder} holds no config.json{hint}.")
    values = read_json(config)
    if not isinstance(values, dict):
        raise UserError(f"{config} is not readable as JSON; copy the model again.")
    if (folder / "adapter_config.json").is_file() and "model_type" not in values:
        raise UserError(f"{folder} is an adapter, not a base model; name its base model instead.")
    if not needs_weights or any(folder.glob("*.safetensors")):
        return
    if any(found for pattern in PICKLES for found in folder.glob(pattern)):
        raise UserError(
            f"{folder} holds its weights as pickles only, which can run code when opened; "
            "convert them to safetensors first."
        )
    raise UserError(f"{folder} holds no weights; it needs a .safetensors file beside config.json.")


def _check_gguf(file: Path) -> None:
    try:
        with file.open("rb") as opened:
            start = opened.read(4)
    except OSError as error:
        raise UserError(f"{file} cannot be read ({error.strerror}).") from None
    if start != b"GGUF":
        raise UserError(f"{file} is not a GGUF file, though its name says so; download it again.")
