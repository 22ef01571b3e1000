"""The recipe: one frozen, checked value that says everything a run needs."""

from workbench.core.recipe.files import load_recipe, recipe_from_text, recipe_to_yaml, save_recipe
from workbench.core.recipe.sections import (
    DataSection,
    LauncherSection,
    MethodSection,
    ModelSection,
    Recipe,
    TrainingSection,
    recipe_from_mapping,
    recipe_to_mapping,
)
from workbench.core.recipe.settings import change_recipe, parse_settings

__all__ = [
    "DataSection",
    "LauncherSection",
    "MethodSection",
    "ModelSection",
    "Recipe",
    "TrainingSection",
    "change_recipe",
    "load_recipe",
    "parse_settings",
    "recipe_from_mapping",
    "recipe_from_text",
    "recipe_to_mapping",
    "recipe_to_yaml",
    "save_recipe",
]
