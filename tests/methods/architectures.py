"""Tiny models of the architectures that people fine-tune, with random weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoModelForCausalLM,
    GemmaConfig,
    GPT2Config,
    GPTNeoXConfig,
    LlamaConfig,
    MistralConfig,
    OPTConfig,
    PhiConfig,
    PreTrainedConfig,
    Qwen2Config,
    Qwen3Config,
)

VOCABULARY = 256
SHAPE: dict[str, Any] = {"vocab_size": VOCABULARY, "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
ENDS: dict[str, Any] = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0, "max_position_embeddings": 128}
GROUPED = {**SHAPE, **ENDS, "intermediate_size": 128, "num_key_value_heads": 2}

CONFIGS: dict[str, PreTrainedConfig] = {
    "llama": LlamaConfig(**GROUPED, tie_word_embeddings=True),
    "qwen2": Qwen2Config(**GROUPED, tie_word_embeddings=True),
    "qwen3": Qwen3Config(**GROUPED, head_dim=32, tie_word_embeddings=True),
    "mistral": MistralConfig(**GROUPED, tie_word_embeddings=False, sliding_window=None),
    "gemma": GemmaConfig(**GROUPED, head_dim=32),
    "phi": PhiConfig(**GROUPED),
    "gpt2": GPT2Config(
        vocab_size=VOCABULARY, n_embd=64, n_layer=2, n_head=4, n_positions=128, bos_token_id=1, eos_token_id=2
    ),
    "gpt_neox": GPTNeoXConfig(**SHAPE, **ENDS, intermediate_size=128),
    "opt": OPTConfig(**SHAPE, **ENDS, ffn_dim=128, word_embed_proj_dim=64),
}


def make(folder: Path, architecture: str) -> Path:
    """A tiny model of that architecture, saved in a folder of its own, made once."""
    place = folder / architecture
    if not (place / "config.json").is_file():
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(CONFIGS[architecture])
        with torch.no_grad():  # biases at zero and norms at one hide mistakes
            for name, parameter in model.named_parameters():
                if parameter.dim() == 1:
                    parameter.add_(0.1 * torch.randn_like(parameter))
                elif "embed" not in name and "wte" not in name:
                    parameter.mul_(4)
        model.save_pretrained(place)
    return place
