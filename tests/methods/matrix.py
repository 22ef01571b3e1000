"""Which methods are tried, and where each is expected to refuse."""

from __future__ import annotations

from typing import Any

METHODS: dict[str, dict[str, Any]] = {
    "full": {"name": "full"},
    "full, attention of the last layer": {"name": "full", "parts": "attention", "layers": "last 1"},
    "LoRA": {"name": "lora"},
    "LoRA q+v": {"name": "lora", "targets": "q+v"},
    "rsLoRA": {"name": "lora", "rslora": True},
    "DoRA": {"name": "lora", "dora": True},
    "PiSSA": {"name": "lora", "start": "pissa"},
    "OLoRA": {"name": "lora", "start": "olora"},
    "orthogonal LoRA": {"name": "lora", "start": "orthogonal"},
    "LoRA+": {"name": "lora", "plus": 16.0},
    "LoRA with biases": {"name": "lora", "bias": True},
    "LoRA, one layer": {"name": "lora", "layers": "1"},
    "Houlsby": {"name": "houlsby"},
    "Pfeiffer": {"name": "pfeiffer"},
    "parallel adapter": {"name": "parallel"},
    "LLaMA-Adapter": {"name": "llama-adapter"},
    "prompt tuning": {"name": "prompt"},
    "prefix tuning": {"name": "prefix"},
    "prefix with projection": {"name": "prefix", "projection": True},
    "P-tuning": {"name": "p-tuning"},
    "P-tuning, LSTM": {"name": "p-tuning", "encoder": "lstm", "encoder_size": 16},
    "IA3": {"name": "ia3"},
    "BitFit": {"name": "bitfit"},
    "BitFit, added biases": {"name": "bitfit", "add_missing": True},
    "LayerNorm": {"name": "layernorm"},
    "AdaLoRA": {"name": "adalora"},
    "VeRA": {"name": "vera"},
    "OFT": {"name": "oft"},
    "MiSS": {"name": "miss"},
    "tokens": {"name": "tokens", "token_ids": [199, 143, 109]},
}

WITHOUT_BIASES = ("llama", "qwen3", "mistral", "gemma")

REFUSED: dict[str, tuple[str, ...]] = {
    "OLoRA": ("gpt2",),
    "parallel adapter": ("opt",),
    "LLaMA-Adapter": ("qwen3", "gemma", "phi", "gpt_neox", "opt"),
    "BitFit": WITHOUT_BIASES,
    "OFT": ("gpt2",),
    "MiSS": ("gpt2",),
}
"""Where a method refuses before it starts, with a sentence."""

NO_MERGE = (
    "full", "Houlsby", "Pfeiffer", "parallel adapter", "LLaMA-Adapter", "prompt tuning", "prefix tuning",
    "prefix with projection", "P-tuning", "P-tuning, LSTM",
)  # fmt: skip

NO_MERGE_HERE: dict[str, tuple[str, ...]] = {
    "LoRA with biases": ("llama", "qwen2", "qwen3", "mistral", "gemma"),
    "BitFit, added biases": ("qwen2", "qwen3", "mistral", "gemma"),
}
"""Where a method that merges elsewhere refuses to: the base's layers have no place for a bias."""


def refuses(method: str, architecture: str) -> bool:
    return architecture in REFUSED.get(method, ())


def merges(method: str, architecture: str) -> bool:
    return not method.startswith(NO_MERGE) and architecture not in NO_MERGE_HERE.get(method, ())
