"""Trainable tokens on a real model, by PEFT."""

from __future__ import annotations

from typing import Any

from peft import TrainableTokensConfig, get_peft_model
from transformers import PreTrainedModel

from workbench.core.methods.roles import input_embedding
from workbench.core.models.skeleton import Skeleton
from workbench.core.recipe import Recipe


def build_tokens(model: PreTrainedModel, recipe: Recipe, skeleton: Skeleton) -> Any:
    """The model with the embeddings of the named tokens trained, and the base frozen."""
    config = TrainableTokensConfig(
        token_indices=list(recipe.method.knobs["token_ids"]),
        target_modules=[input_embedding(skeleton).name],
        task_type="CAUSAL_LM",
    )
    return get_peft_model(model, config)
