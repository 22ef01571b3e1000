"""Families of models as facts: published sizes, from their config.json files, and a skeleton from them alone."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.core.models.skeleton import EMBEDDING, LINEAR, NORM, Module, Skeleton


@dataclass(frozen=True, slots=True)
class Sizes:
    """A decoder with gated feed-forwards, grouped queries and RMS norms."""

    name: str
    hidden: int
    inner: int
    layers: int
    heads: int
    groups: int
    head: int
    vocabulary: int
    tied: bool


LLAMA_3 = (
    Sizes("Llama-3.2-1B", 2048, 8192, 16, 32, 8, 64, 128_256, True),
    Sizes("Llama-3.2-3B", 3072, 8192, 28, 24, 8, 128, 128_256, True),
    Sizes("Llama-3.1-8B", 4096, 14336, 32, 32, 8, 128, 128_256, False),
    Sizes("Llama-3.1-70B", 8192, 28672, 80, 64, 8, 128, 128_256, False),
    Sizes("Llama-3.1-405B", 16384, 53248, 126, 128, 8, 128, 128_256, False),
)
QWEN_2_5 = (
    Sizes("Qwen2.5-0.5B", 896, 4864, 24, 14, 2, 64, 151_936, True),
    Sizes("Qwen2.5-1.5B", 1536, 8960, 28, 12, 2, 128, 151_936, True),
    Sizes("Qwen2.5-3B", 2048, 11008, 36, 16, 2, 128, 151_936, True),
    Sizes("Qwen2.5-7B", 3584, 18944, 28, 28, 4, 128, 152_064, False),
    Sizes("Qwen2.5-14B", 5120, 13824, 48, 40, 8, 128, 152_064, False),
    Sizes("Qwen2.5-32B", 5120, 27648, 64, 40, 8, 128, 152_064, False),
    Sizes("Qwen2.5-72B", 8192, 29568, 80, 64, 8, 128, 152_064, False),
)
QWEN_3 = (
    Sizes("Qwen3-0.6B", 1024, 3072, 28, 16, 8, 128, 151_936, True),
    Sizes("Qwen3-1.7B", 2048, 6144, 28, 16, 8, 128, 151_936, True),
    Sizes("Qwen3-4B", 2560, 9728, 36, 32, 8, 128, 151_936, True),
    Sizes("Qwen3-8B", 4096, 12288, 36, 32, 8, 128, 151_936, False),
    Sizes("Qwen3-14B", 5120, 17408, 40, 40, 8, 128, 151_936, False),
    Sizes("Qwen3-32B", 5120, 25600, 64, 64, 8, 128, 151_936, False),
)

FAMILIES: dict[str, tuple[str, tuple[Sizes, ...]]] = {
    "llama": ("Llama 3", LLAMA_3),
    "qwen2": ("Qwen2.5", QWEN_2_5),
    "qwen3": ("Qwen3", QWEN_3),
}
"""A family's name and members, from small to large, by the model type of their configs."""


def skeleton_of_sizes(sizes: Sizes, model_type: str) -> Skeleton:
    """The skeleton that the engine would build from that model's config."""
    hidden, query, pair = sizes.hidden, sizes.heads * sizes.head, sizes.groups * sizes.head
    attention = {
        "q_proj": (hidden, query),
        "k_proj": (hidden, pair),
        "v_proj": (hidden, pair),
        "o_proj": (query, hidden),
    }
    forward = {"gate_proj": (hidden, sizes.inner), "up_proj": (hidden, sizes.inner), "down_proj": (sizes.inner, hidden)}
    modules = [Module("model.embed_tokens", EMBEDDING, (("weight", (sizes.vocabulary, hidden)),))]
    for layer in range(sizes.layers):
        start = f"model.layers.{layer}"
        for place, shapes in (("self_attn", attention), ("mlp", forward)):
            for leaf, (wide, out) in shapes.items():
                own: tuple[tuple[str, tuple[int, ...]], ...] = (("weight", (out, wide)),)
                if model_type == "qwen2" and leaf in ("q_proj", "k_proj", "v_proj"):
                    own += (("bias", (out,)),)
                modules.append(Module(f"{start}.{place}.{leaf}", LINEAR, own, wide, out))
        if model_type == "qwen3":
            modules += [_norm(f"{start}.self_attn.{leaf}", sizes.head) for leaf in ("q_norm", "k_norm")]
        modules += [_norm(f"{start}.{leaf}", hidden) for leaf in ("input_layernorm", "post_attention_layernorm")]
    modules.append(_norm("model.norm", hidden))
    output = () if sizes.tied else (("weight", (sizes.vocabulary, hidden)),)
    modules.append(Module("lm_head", LINEAR, output, hidden, sizes.vocabulary))
    return Skeleton(
        model_type, tuple(modules), sizes.layers, hidden, sizes.inner, sizes.heads, sizes.groups, sizes.head,
        sizes.vocabulary, 131_072, "lm_head", sizes.tied, activation="silu",
    )  # fmt: skip


def _norm(name: str, width: int) -> Module:
    return Module(name, NORM, (("weight", (width,)),))
