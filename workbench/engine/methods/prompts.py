"""Prompt tuning, prefix tuning and P-tuning on a real model, by PEFT."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from peft import PrefixTuningConfig, PromptEncoderConfig, PromptTuningConfig, get_peft_model
from transformers import PreTrainedModel

from workbench.core.data.tokens.tokenizer import open_tokenizer
from workbench.core.errors import UserError
from workbench.core.models.skeleton import Skeleton
from workbench.core.recipe import Recipe
from workbench.engine.methods.prompted import as_prompted


def shape_of(skeleton: Skeleton) -> dict[str, Any]:
    """What PEFT's prompt configs ask about the model before which the vectors stand."""
    return {
        "token_dim": skeleton.hidden_size,
        "num_layers": skeleton.layers,
        "num_attention_heads": skeleton.heads,
        "num_transformer_submodules": 1,
        "task_type": "CAUSAL_LM",
    }


def build_prompt(model: PreTrainedModel, recipe: Recipe, skeleton: Skeleton) -> Any:
    """The model with trained vectors before every text, and the base frozen."""
    knobs = recipe.method.knobs
    count = knobs["virtual_tokens"]
    start = (
        None if knobs["start"] == "random" else _starting_tokens(model, knobs["start"], knobs["text"], count, skeleton)
    )
    config = PromptTuningConfig(
        num_virtual_tokens=count,
        **shape_of(skeleton),
    )
    built = as_prompted(get_peft_model(model, config))
    if start is not None:
        with torch.no_grad():
            embedding = built.prompt_encoder["default"].embedding.weight
            embedding.copy_(built.word_embeddings(start.to(built.device)).to(embedding.dtype))
    return built


def _starting_tokens(model: PreTrainedModel, start: str, text: str, count: int, skeleton: Skeleton) -> torch.Tensor:
    """Tokens of the vocabulary by chance, or those of `text`, repeated or cut to `count`."""
    if start == "vocabulary":
        return torch.randint(skeleton.vocabulary, (count,))
    folder = Path(str(model.config._name_or_path))
    ids = list(open_tokenizer(folder).encode(text)[0])
    if not ids:
        raise UserError("method.text gives no tokens; write a few words that describe the task.")
    return torch.tensor((ids * (count // len(ids) + 1))[:count])


def build_prefix(model: PreTrainedModel, recipe: Recipe, skeleton: Skeleton) -> Any:
    """The model with trained keys and values before every text, and the base frozen.

    Unless at random, they start as the base's own for some tokens (Li and Liang 2021, section 7.4: activations of real
    words make a better start).
    """
    knobs = recipe.method.knobs
    count, start = knobs["virtual_tokens"], None
    if knobs["start"] != "random" and not knobs["projection"]:
        start = _read(model, _starting_tokens(model, knobs["start"], knobs["text"], count, skeleton))
    config = PrefixTuningConfig(
        num_virtual_tokens=count,
        prefix_projection=knobs["projection"],
        encoder_hidden_size=knobs["projection_size"],
        **shape_of(skeleton),
    )
    built = as_prompted(get_peft_model(model, config))
    if start is not None:
        with torch.no_grad():
            embedding = built.prompt_encoder["default"].embedding.weight
            embedding.copy_(start.to(embedding.device, embedding.dtype))
    return built


@torch.no_grad()
def _read(model: PreTrainedModel, tokens: torch.Tensor) -> torch.Tensor:
    """The base's keys and values for `tokens` in every layer, shape [tokens, layers · 2 · heads · head size]."""
    training = model.training
    model.eval()
    cache = model(input_ids=tokens[None].to(model.device), use_cache=True).past_key_values
    model.train(training)
    parts = [part[0].transpose(0, 1) for layer in cache.layers for part in (layer.keys, layer.values)]
    return torch.stack(parts, dim=1).flatten(1)


def build_p_tuning(model: PreTrainedModel, recipe: Recipe, skeleton: Skeleton) -> Any:
    """The model with vectors before every text that a small network makes, and the base frozen."""
    knobs = recipe.method.knobs
    config = PromptEncoderConfig(
        num_virtual_tokens=knobs["virtual_tokens"],
        encoder_reparameterization_type=knobs["encoder"].upper(),
        encoder_hidden_size=knobs["encoder_size"],
        **shape_of(skeleton),
    )
    return as_prompted(get_peft_model(model, config))
