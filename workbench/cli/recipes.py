"""Recipes as the command line names them: a file or a bundled name, with settings on top."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from workbench.core.errors import UserError
from workbench.core.places import sample_folder
from workbench.core.recipe import Recipe, change_recipe, load_recipe, parse_settings
from workbench.core.recipe.files import with_paths


def open_recipe(word: str, settings: Sequence[str] = ()) -> Recipe:
    """The recipe in the file `word`, or the bundled one of that name, changed by `--set` settings."""
    return change(load_recipe(find_recipe(word)), parse_settings(settings))


def find_recipe(word: str) -> Path:
    """The recipe file that `word` means; a bare word is a bundled recipe's name first."""
    bare = "/" not in word and "." not in word
    bundled = sample_folder() / f"{word}.yaml"
    if bare and bundled.is_file():
        return bundled
    if bare and not Path(word).exists():
        raise UserError(f"There is no recipe named {word[:80]}; give a file, or one of {', '.join(_bundled())}.")
    return Path(word)


def _bundled() -> list[str]:
    return sorted(file.stem for file in sample_folder().glob("*.yaml"))


def change(recipe: Recipe, settings: dict[str, Any]) -> Recipe:
    """The recipe with settings from the command line, whose relative paths start at the working directory."""
    anchored = dict(settings)
    for key in ("model.path", "data.source", "data.held_out"):
        if isinstance(anchored.get(key), str):
            anchored[key] = anchor_path(anchored[key])
    method = {key.removeprefix("method."): value for key, value in settings.items() if key.startswith("method.")}
    anchored |= {f"method.{key}": value for key, value in with_paths(method, anchor_word).items()}
    return change_recipe(recipe, anchored)


def anchor_path(word: str) -> str:
    """The absolute path where `word` is a file or folder here; bundled names, Hub ids and the rest stay."""
    bare = "/" not in word and "." not in word
    if bare and (word == "tiny" or any(sample_folder().glob(f"{_literal(word)}*"))):
        return word
    place = Path(word).expanduser()
    return str(place.absolute()) if word and place.exists() else word


def anchor_word(word: Any) -> Any:
    """The same for what may be something else than text."""
    return anchor_path(word) if isinstance(word, str) else word


def _literal(word: str) -> str:
    import glob

    return glob.escape(word)
