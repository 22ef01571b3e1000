"""Configurations drawn at random by seed, over what people train: methods, published sizes, lengths, precision."""

from __future__ import annotations

import random
from typing import Any

from workbench.core.errors import UserError
from workbench.core.models.skeleton import Skeleton
from workbench.core.recipe import Recipe

Line = tuple[str, dict[str, Any], int, dict[str, Any]]
"""Model, method, longest row in tokens, and settings as `memory_grid` has them."""


def _gated(
    kind: str, hidden: int, inner: int, layers: int, heads: int, groups: int, vocabulary: int, **rest: Any
) -> Any:
    return {"model_type": kind, "vocab_size": vocabulary, "hidden_size": hidden, "intermediate_size": inner,
            "num_hidden_layers": layers, "num_attention_heads": heads, "num_key_value_heads": groups,
            "tie_word_embeddings": False, **rest}  # fmt: skip


def _opt(hidden: int, layers: int) -> Any:
    return {"model_type": "opt", "vocab_size": 50272, "hidden_size": hidden, "ffn_dim": 4 * hidden,
            "num_hidden_layers": layers, "num_attention_heads": 40 if hidden == 5120 else 32,
            "word_embed_proj_dim": hidden, "max_position_embeddings": 2048}  # fmt: skip


def _neox(hidden: int, layers: int, heads: int, vocabulary: int) -> Any:
    return {"model_type": "gpt_neox", "vocab_size": vocabulary, "hidden_size": hidden, "intermediate_size": 4 * hidden,
            "num_hidden_layers": layers, "num_attention_heads": heads, "tie_word_embeddings": False}  # fmt: skip


def _gpt2(hidden: int, layers: int, heads: int) -> Any:
    return {"model_type": "gpt2", "vocab_size": 50257, "n_embd": hidden, "n_layer": layers, "n_head": heads,
            "n_positions": 1024}  # fmt: skip


TIED = {"tie_word_embeddings": True}
DRAWN: dict[str, dict[str, Any]] = {
    "tinyllama-1.1b": _gated("llama", 2048, 5632, 22, 32, 4, 32000),
    "llama-3.2-3b": _gated("llama", 3072, 8192, 28, 24, 8, 128256, head_dim=128, **TIED),
    "llama-2-7b": _gated("llama", 4096, 11008, 32, 32, 32, 32000),
    "llama-3.1-8b": _gated("llama", 4096, 14336, 32, 32, 8, 128256),
    "llama-2-13b": _gated("llama", 5120, 13824, 40, 40, 40, 32000),
    "qwen2.5-0.5b": _gated("qwen2", 896, 4864, 24, 14, 2, 151936, **TIED),
    "qwen2.5-1.5b": _gated("qwen2", 1536, 8960, 28, 12, 2, 151936, **TIED),
    "qwen2.5-3b": _gated("qwen2", 2048, 11008, 36, 16, 2, 151936, **TIED),
    "qwen2.5-7b": _gated("qwen2", 3584, 18944, 28, 28, 4, 152064),
    "qwen2.5-14b": _gated("qwen2", 5120, 13824, 48, 40, 8, 152064),
    "qwen3-1.7b": _gated("qwen3", 2048, 6144, 28, 16, 8, 151936, head_dim=128, **TIED),
    "qwen3-4b": _gated("qwen3", 2560, 9728, 36, 32, 8, 151936, head_dim=128, **TIED),
    "qwen3-8b": _gated("qwen3", 4096, 12288, 36, 32, 8, 151936, head_dim=128),
    "qwen3-14b": _gated("qwen3", 5120, 17408, 40, 40, 8, 151936, head_dim=128),
    "gpt2-large": _gpt2(1280, 36, 20),
    "gpt2-xl": _gpt2(1600, 48, 25),
    "mistral-7b-v0.1": _gated("mistral", 4096, 14336, 32, 32, 8, 32000, sliding_window=4096),
    "mistral-7b-v0.3": _gated("mistral", 4096, 14336, 32, 32, 8, 32768, sliding_window=None),
    "mistral-nemo-12b": _gated("mistral", 5120, 14336, 40, 32, 8, 131072, head_dim=128, sliding_window=None),
    "gemma-2b": _gated("gemma", 2048, 16384, 18, 8, 1, 256000, head_dim=256, **TIED),
    "gemma-7b": _gated("gemma", 3072, 24576, 28, 16, 16, 256000, head_dim=256, **TIED),
    "phi-1": _gated("phi", 2048, 8192, 24, 32, 32, 51200, partial_rotary_factor=0.5),
    "phi-2": _gated("phi", 2560, 10240, 32, 32, 32, 51200, partial_rotary_factor=0.4),
    "pythia-1b": _neox(2048, 16, 8, 50304),
    "pythia-2.8b": _neox(2560, 32, 32, 50304),
    "pythia-6.9b": _neox(4096, 32, 32, 50432),
    "pythia-12b": _neox(5120, 36, 40, 50688),
    "opt-1.3b": _opt(2048, 24),
    "opt-2.7b": _opt(2560, 32),
    "opt-6.7b": _opt(4096, 32),
    "opt-13b": _opt(5120, 40),
}

LONGEST = {"gpt2": 1024, "opt": 2048}
"""Tokens of architectures whose positions are learned."""

TOKENS = 65_536
"""Most tokens of a micro-batch."""

OTHERS = ("houlsby", "pfeiffer", "parallel", "llama-adapter", "prompt", "prefix", "p-tuning", "ia3", "bitfit",
          "layernorm", "adalora", "vera", "oft", "miss", "tokens")  # fmt: skip
"""Methods beside full, lora and qlora. AdapterFusion needs trained adapters, and `peft` has a sweep of its own."""


def draw(seed: int, count: int) -> list[Line]:
    """So many lines; the same ones for the same seed. Some may not fit their model, which `fits` says."""
    chance = random.Random(seed)
    return [_line(chance) for _ in range(count)]


def fits(recipe: Recipe, skeleton: Skeleton) -> bool:
    """Whether the method trains on this model with these settings."""
    if recipe.training.gradient_checkpointing and not recipe.method.facts.checkpoints:
        return False
    if recipe.data.packing is True and not recipe.method.facts.packs:
        return False
    try:
        return recipe.method.facts.reason_against(skeleton, recipe.method.knobs) is None
    except UserError:
        return False


def _line(chance: random.Random) -> Line:
    kinds = sorted({str(config["model_type"]) for config in DRAWN.values()})
    kind = chance.choice(kinds)
    name = chance.choice([name for name, config in DRAWN.items() if config["model_type"] == kind])
    length = chance.choice((512, 1024, 2048, 2048, 4096, 4096, 8192, 16384, 32768, chance.randrange(300, 6000)))
    length = min(length, LONGEST.get(kind, length))
    batch = chance.choice((1, 1, 1, 2, 4, 8))
    while batch * length > TOKENS:
        batch //= 2
    extra: dict[str, Any] = {"micro_batch": batch, "effective_batch": batch * chance.choice((1, 1, 4))}
    if chance.random() < 0.5:
        extra["gradient_checkpointing"] = True
    precision, autocast = chance.choice(
        (("bfloat16", True), ("bfloat16", True), ("bfloat16", False), ("float32", True), ("float32", False))
    )
    extra |= {"precision": precision, "autocast": autocast}
    extra["optimizer"] = chance.choice(
        ("adamw", "adamw", "adamw", "adamw_8bit", "paged_adamw", "paged_adamw_8bit", "adafactor", "sgd")
    )
    if chance.random() < 0.1:
        extra["packing"] = True
    if length <= 2048 and chance.random() < 0.05:
        extra["attention"] = "eager"
    if chance.random() < 0.3:
        extra["trained"] = max(1, int(length * chance.random()))
    return name, _method(chance), length, extra


def _method(chance: random.Random) -> dict[str, Any]:
    drawn = chance.random()
    if drawn < 0.18:
        return {"name": "full"}
    if drawn < 0.65:
        method: dict[str, Any] = {
            "name": "lora" if drawn < 0.42 else "qlora",
            "rank": chance.choice((4, 8, 16, 64, 256)),
        }
        method["targets"] = chance.choice(("all-linear", "all-linear", "attention", "q+v"))
        if chance.random() < 0.3:
            method["dropout"] = 0.05
        if chance.random() < 0.15:
            method["dora"] = True
        if method["name"] == "qlora":
            method["quantisation"] = chance.choice(("nf4", "nf4", "int8"))
            method["double_quantisation"] = chance.random() < 0.5
        return method
    method = {"name": chance.choice(OTHERS)}
    if method["name"] in ("vera", "oft", "miss", "adalora"):
        method["targets"] = chance.choice(("all-linear", "attention", "q+v"))
    if method["name"] in ("vera", "miss", "adalora") and chance.random() < 0.3:
        method["dropout"] = 0.05
    if method["name"] == "tokens":
        method["token_ids"] = [2, 17]
    if method["name"] not in ("bitfit", "layernorm") and chance.random() < 0.2:
        method["quantisation"] = chance.choice(("nf4", "int8"))
    return method
