"""What a model's blocks are made of, as far as memory depends on it: told from the skeleton, and by architecture."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.core.models.skeleton import NORM, Module, Skeleton

POLYNOMIAL = ("gelu_new",)
"""Non-linearities that are a chain of plain operations (GELU by a polynomial and tanh)."""

RECTIFIED = ("relu",)
"""Non-linearities that keep their result alone."""

JOINED = ("gpt_neox", "phi", "phi3", "stablelm")
"""Architectures whose rotated part of each head is joined with the rest into a tensor of its own."""

UNROTATED = ("gpt2", "opt", "gpt_bigcode", "bloom", "gpt_neo", "mpt")
"""Architectures without rotary positions."""

LEARNED_POSITIONS = ("gpt2", "opt", "gpt_bigcode", "gpt_neo")
"""Architectures that add a trained vector for each place to the embedding."""

BESIDE = {
    "gpt_neox": "two", "phi": "one", "cohere": "one", "cohere2": "one", "falcon": "one", "gptj": "one",
    "codegen": "one",
}  # fmt: skip
"""Architectures whose feed-forward stands beside the attention, behind a norm of its own (two) or the same (one)."""

ORDERS = {"olmo2": "behind", "olmo3": "behind", "gemma2": "around", "gemma3_text": "around", "glm4": "around"}
"""Architectures whose norms stand behind attention and feed-forward, or before and behind; others' stand before."""

SCALED_QUERY = ("opt",)
"""Architectures that scale their queries themselves."""

PLAIN = ("gemma2", "bloom")
"""Architectures that Transformers computes attention for by plain operations alone."""

CAPPED = ("gemma2",)
"""Architectures that hold attention scores and logits below a limit by a tanh, whose result is kept."""

HELD_AGAINST_TRACES = (
    "llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "gemma3_text", "gpt2", "opt", "gpt_neox", "phi", "phi3",
    "mixtral", "qwen2_moe", "qwen3_moe", "olmoe", "olmo", "olmo2", "cohere", "cohere2", "stablelm", "granite",
    "starcoder2", "glm4", "smollm3", "gpt_bigcode",
)  # fmt: skip
"""Architectures of which the formula was within 4 % of traces, every weight trained or small matrices alone."""

WITH_A_MASK = ("gpt_bigcode",)
"""Architectures that hold a mask of a byte for every two places."""

UNQUANTISED = ("falcon",)
"""Architectures with linear layers of their own class, which Transformers does not quantise by bitsandbytes."""

SHIFTED = ("gemma", "gemma2", "gemma3_text", "olmo2", "olmo3")
"""Architectures whose RMS norms multiply by their weight in float32."""

CENTRED = ("cohere", "cohere2")
"""Architectures whose LayerNorm is a chain of operations in float32."""


@dataclass(frozen=True, slots=True)
class Block:
    """One block of a decoder."""

    head_norms: bool
    """Whether queries and keys are normalised too."""
    norm: str
    """native for LayerNorm, one operation; rms, shifted or centred for chains of operations in float32."""
    gated: bool
    activation: str
    """smooth (keeps its input), rectified (its output), or polynomial (four tensors)."""
    rotates: bool
    joined: bool
    beside: str
    """Empty, or `one` or `two` norms before an attention and a feed-forward side by side."""
    order: str
    """Where norms stand: before, behind or around."""
    learned_positions: bool
    thins_embedding: bool
    scaled_query: bool
    drops_scores: bool
    masks: bool
    """Whether what attention and feed-forward give is thinned."""
    plain: bool
    capped: bool
    experts: tuple[int, int]
    """Of routed experts that lie in one tensor: how many there are, and how wide each is inside. (0, 0) for none."""
    dense: int
    """Width inside of the gated feed-forward that every token goes through: a shared expert's where there is one."""


def block_of(skeleton: Skeleton) -> Block:
    """The model's block, from its first one's modules."""
    first = [module for module in skeleton.modules if module.layer == 0]
    norms = [module for module in first if module.kind == NORM and _width(module) == skeleton.hidden_size]
    heads = [module for module in first if module.kind == NORM and module.leaf in ("q_norm", "k_norm")]
    kind = skeleton.model_type
    given = skeleton.activation
    activation = "polynomial" if given in POLYNOMIAL else "rectified" if given in RECTIFIED else "smooth"
    return Block(
        head_norms=bool(heads),
        norm=_norm_of(kind, norms),
        gated=any(module.leaf in ("gate_proj", "gate_up_proj", "w1") for module in first),
        activation=activation,
        rotates=kind not in UNROTATED,
        joined=kind in JOINED,
        beside=BESIDE.get(kind, ""),
        order=ORDERS.get(kind, "before"),
        learned_positions=kind in LEARNED_POSITIONS,
        thins_embedding="embedding" in skeleton.thins,
        scaled_query=kind in SCALED_QUERY,
        drops_scores="scores" in skeleton.thins,
        masks="hidden" in skeleton.thins,
        plain=kind in PLAIN,
        capped=kind in CAPPED,
        experts=_experts(first, skeleton.hidden_size),
        dense=_dense(first, skeleton),
    )


def _norm_of(kind: str, norms: list[Module]) -> str:
    if kind in SHIFTED or kind in CENTRED:
        return "shifted" if kind in SHIFTED else "centred"
    return "native" if any(len(module.parameters) > 1 for module in norms) else "rms"


def _experts(block: list[Module], hidden: int) -> tuple[int, int]:
    """By the matrices that lead from the experts' insides back to the hidden width."""
    for module in block:
        for name, shape in module.parameters:
            if len(shape) == 3 and name == "down_proj":
                return shape[0], next((size for size in shape[1:] if size != hidden), hidden)
    return 0, 0


def _dense(block: list[Module], skeleton: Skeleton) -> int:
    if not _experts(block, skeleton.hidden_size)[0]:
        return skeleton.intermediate_size
    return max((module.out_features for module in block if module.leaf in ("gate_proj", "up_proj")), default=0)


def _width(module: Module) -> int:
    return module.parameters[0][1][0] if module.parameters else 0
