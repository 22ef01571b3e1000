"""Changing a recipe key by key, as `--set method.rank=8` and the panes do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from workbench.core.errors import UserError
from workbench.core.methods import method_named
from workbench.core.recipe.sections import Recipe, recipe_from_mapping, recipe_to_mapping


def parse_settings(items: Iterable[str]) -> dict[str, Any]:
    """`["method.rank=8"]` as `{"method.rank": 8}`; values are read as YAML."""
    settings: dict[str, Any] = {}
    for item in items:
        key, equals, text = item.partition("=")
        if not equals or "." not in key:
            raise UserError(f"The setting {item!r} is not of the form section.key=value, such as method.rank=8.")
        settings[key.strip()] = _number(text.strip())
    return settings


def _number(text: str) -> Any:
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        return text
    if isinstance(value, str):
        try:  # YAML 1.1 reads 1e-3 as text
            return float(value)
        except ValueError:
            return value
    return value


def change_recipe(recipe: Recipe, settings: Mapping[str, Any]) -> Recipe:
    """The recipe with `section.key` values replaced and checked.

    Another `method.name` keeps no knobs of the old method, but those named beside it, nor a learning rate that was
    chosen for one with another default: what trains one method well leaves another where it was.
    """
    values = recipe_to_mapping(recipe)
    if "method.name" in settings and settings["method.name"] != recipe.method.name:
        values["method"] = {}
        if method_named(settings["method.name"]).learning_rate != recipe.method.facts.learning_rate:
            values["training"]["learning_rate"] = None
    for key, value in settings.items():
        section, _, name = key.partition(".")
        if section not in values:
            raise UserError(f"{key} is not a key of a recipe; it has model, data, method, training and launcher.")
        parts = name.split(".", 1)
        if len(parts) == 2 and isinstance(values[section].get(parts[0]), dict):
            values[section][parts[0]] = {**values[section][parts[0]], parts[1]: value}
        else:
            values[section][name] = value
    return recipe_from_mapping(values)
