"""Full fine-tuning: every weight requires gradients, or those of the chosen parts and layers."""

from __future__ import annotations

from transformers import PreTrainedModel

from workbench.core.methods.full import FullKnobs, trained_modules
from workbench.core.models.skeleton import Skeleton
from workbench.core.recipe import Recipe


def build_full(model: PreTrainedModel, recipe: Recipe, skeleton: Skeleton) -> PreTrainedModel:
    """The model itself, with the parameters of the chosen modules trainable and the rest frozen."""
    model.requires_grad_(False)
    for trained in trained_modules(skeleton, FullKnobs(**recipe.method.knobs)):
        module = model.get_submodule(trained.name)
        own = dict(module.named_parameters(recurse=False))
        for name, _ in trained.parameters:
            own[name].requires_grad_(True)
    return model
