"""Architectures beside the main ones, in published or likely sizes, and a few configurations for each."""

from __future__ import annotations

from typing import Any

from memory_sweep import Line

_MOE = {"num_experts_per_tok": 2, "num_local_experts": 8, "num_experts": 8, "moe_intermediate_size": 1024}


def _sizes(kind: str, hidden: int, inner: int, layers: int, heads: int, groups: int, **rest: Any) -> dict[str, Any]:
    return {"model_type": kind, "vocab_size": 50304, "hidden_size": hidden, "intermediate_size": inner,
            "num_hidden_layers": layers, "num_attention_heads": heads, "num_key_value_heads": groups,
            "pad_token_id": 0, "tie_word_embeddings": False, **rest}  # fmt: skip


ARCHITECTURES: dict[str, dict[str, Any]] = {
    "phi3-mini": _sizes("phi3", 3072, 8192, 32, 32, 32, sliding_window=2047),
    "gemma2-2b": _sizes("gemma2", 2304, 9216, 26, 8, 4, head_dim=256, sliding_window=4096, tie_word_embeddings=True),
    "gemma3-1b": _sizes("gemma3_text", 1152, 6912, 26, 4, 1, head_dim=256, sliding_window=512, tie_word_embeddings=True),
    "mistral-window": _sizes("mistral", 4096, 14336, 32, 32, 8, sliding_window=1024),
    "olmo2-7b": _sizes("olmo2", 4096, 11008, 32, 32, 32),
    "olmo-7b": _sizes("olmo", 4096, 11008, 32, 32, 32),
    "stablelm-3b": _sizes("stablelm", 2560, 6912, 32, 32, 32),
    "cohere-8b": _sizes("cohere", 4096, 14336, 32, 32, 8, logit_scale=0.0625),
    "cohere2-7b": _sizes("cohere2", 4096, 14336, 32, 32, 8, sliding_window=4096),
    "granite-2b": _sizes("granite", 2048, 8192, 40, 32, 8),
    "starcoder2-3b": _sizes("starcoder2", 3072, 12288, 30, 24, 2, sliding_window=None),
    "starcoder-1b": {"model_type": "gpt_bigcode", "vocab_size": 49152, "n_embd": 2048, "n_layer": 24, "n_head": 16,
                     "n_positions": 8192, "max_position_embeddings": 8192},
    "falcon-7b": {"model_type": "falcon", "vocab_size": 65024, "hidden_size": 4544, "num_hidden_layers": 32,
                  "num_attention_heads": 71, "multi_query": True, "parallel_attn": True, "bias": False},
    "bloom-1b": {"model_type": "bloom", "vocab_size": 250880, "hidden_size": 1536, "n_layer": 24, "n_head": 16},
    "mixtral-8x7b": _sizes("mixtral", 4096, 14336, 32, 32, 8, **_MOE),
    "qwen2-moe": _sizes("qwen2_moe", 2048, 5632, 24, 16, 16, **{**_MOE, "num_experts": 60, "num_experts_per_tok": 4},
                        shared_expert_intermediate_size=5632),
    "qwen3-moe": _sizes("qwen3_moe", 2048, 6144, 48, 32, 4, head_dim=128, **{**_MOE, "num_experts": 128}),
    "olmoe": _sizes("olmoe", 2048, 1024, 16, 16, 16, **{**_MOE, "num_experts": 64, "num_experts_per_tok": 8}),
    "glm4-9b": _sizes("glm4", 4096, 13696, 40, 32, 2, head_dim=128),
    "smollm3-3b": _sizes("smollm3", 2048, 11008, 36, 16, 4),
    "gptj-6b": {"model_type": "gptj", "vocab_size": 50400, "n_embd": 4096, "n_layer": 28, "n_head": 16,
                "n_positions": 2048, "rotary_dim": 64, "max_position_embeddings": 2048},
    "codegen-2b": {"model_type": "codegen", "vocab_size": 51200, "n_embd": 2560, "n_layer": 32, "n_head": 32,
                   "n_positions": 2048, "rotary_dim": 64, "max_position_embeddings": 2048},
    "gpt-neo-1b": {"model_type": "gpt_neo", "vocab_size": 50257, "hidden_size": 2048, "num_layers": 24,
                   "num_heads": 16, "attention_types": [[["global", "local"], 12]],
                   "max_position_embeddings": 2048},
}  # fmt: skip

METHODS: tuple[tuple[dict[str, Any], int, dict[str, Any]], ...] = (
    ({"name": "lora", "rank": 16, "targets": "attention"}, 1536, {}),
    ({"name": "full"}, 1536, {"gradient_checkpointing": True}),
    ({"name": "full"}, 1024, {"micro_batch": 2, "effective_batch": 2, "autocast": False}),
    ({"name": "qlora", "rank": 16}, 2048, {"micro_batch": 2, "effective_batch": 8}),
)

LINES: list[Line] = [(name, *rest) for name in ARCHITECTURES for rest in METHODS]
