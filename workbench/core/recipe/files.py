"""Recipes on disk: YAML with each key's meaning as a comment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from workbench.core.errors import UserError
from workbench.core.files import write_text_atomically
from workbench.core.recipe.sections import Recipe, recipe_from_mapping, recipe_to_mapping, section_knobs

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml reads a recipe in 2 ms, the loader in Python in 12; a list of runs reads one for each."""


PATHS = ("config", "module")
"""Knobs of methods that are paths; `adapters` is a list of them."""


def recipe_from_text(text: str, name: str = "The recipe") -> Recipe:
    """A checked recipe from YAML text; UserError names the line that is not YAML, or the key that is wrong."""
    try:
        values = yaml.load(text, Loader=LOADER)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark else ""
        raise UserError(f"{name} is not valid YAML{where}; correct it and try again.", str(error)) from None
    return recipe_from_mapping({} if values is None else values)


def load_recipe(path: str | Path) -> Recipe:
    """The recipe in a YAML file; its relative paths are taken from the file's own folder."""
    file = Path(path).expanduser()
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"There is no recipe at {file}; check the path.") from None
    except IsADirectoryError:
        raise UserError(f"{file} is a folder; name the recipe file in it.") from None
    except UnicodeDecodeError:
        raise UserError(f"{file} is not a text file; a recipe is YAML in UTF-8.") from None
    except OSError as error:
        raise UserError(f"{file} cannot be read ({error.strerror}).") from None
    return _anchored(recipe_from_text(text, str(file)), file.absolute().parent)


def _anchored(recipe: Recipe, folder: Path) -> Recipe:
    """The recipe with paths that exist beside its file made absolute; other words are names and stay."""

    def anchor(value: Any) -> Any:
        if isinstance(value, str) and not Path(value).is_absolute() and _looks_like_path(value):
            beside = folder / value
            return str(beside) if beside.exists() else value
        return value

    return replace(
        recipe,
        model=replace(recipe.model, path=anchor(recipe.model.path)),
        method=replace(recipe.method, knobs=with_paths(recipe.method.knobs, anchor)),
        data=replace(
            recipe.data,
            source=anchor(recipe.data.source),
            held_out=anchor(recipe.data.held_out),
            mix={anchor(source): weight for source, weight in recipe.data.mix.items()},
        ),
    )


def with_paths(knobs: Mapping[str, Any], anchor: Callable[[Any], Any]) -> dict[str, Any]:
    """A method's knobs with `anchor` put over those that are paths."""
    changed = {key: anchor(value) for key, value in knobs.items() if key in PATHS and value}
    if isinstance(knobs.get("adapters"), list):
        changed["adapters"] = [anchor(one) for one in knobs["adapters"]]
    return {**knobs, **changed}


def _looks_like_path(value: str) -> bool:
    return "/" in value or "\\" in value or "." in value


def recipe_to_yaml(recipe: Recipe) -> str:
    """The recipe as YAML, every key with its meaning behind it."""
    lines: list[str] = []
    for section, values in recipe_to_mapping(recipe).items():
        lines.append(f"{section}:")
        knobs = section_knobs(recipe, section)
        for key, value in values.items():
            meaning = knobs[key].help if key in knobs else "Fine-tuning method."
            lines.append(f"  {key}: {_plain(value)}  # {meaning}")
        lines.append("")
    return "\n".join(lines)


def _plain(value: Any) -> str:
    """One value as YAML on one line."""
    text = yaml.safe_dump([value], default_flow_style=True, allow_unicode=True, width=1_000_000)
    return text.strip()[1:-1]


def save_recipe(recipe: Recipe, path: Path) -> None:
    """Write the recipe; a full disk or a closed folder is a UserError and the old file stays."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text_atomically(path, recipe_to_yaml(recipe))
    except OSError as error:
        raise UserError(f"The recipe cannot be written to {path} ({error.strerror}).") from None
