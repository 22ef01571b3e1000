"""What a method adds beside its trained matrices, and which kinds of PEFT's are counted."""

from __future__ import annotations

from workbench.core.memory.numbers import Numbers
from workbench.core.memory.peft_wraps import PEFT_WRAPS
from workbench.core.memory.placing import PREFIXES, PROMPTS, peft_values
from workbench.core.methods.targets import chosen_targets
from workbench.core.models.skeleton import Skeleton
from workbench.core.recipe import Recipe

DOUBTFUL = ("UNILORA", "WAVEFT")
"""Kinds with a formula that traces do not bear out: what they share, or build their matrices from, is not counted."""

KNOWN = (
    "LORA", "IA3", "VERA", "OFT", "MISS", "LN_TUNING", "TRAINABLE_TOKENS", "ADAPTION_PROMPT", *PROMPTS, *PREFIXES,
    *(kind for kind in PEFT_WRAPS if kind not in DOUBTFUL),
)  # fmt: skip
"""PEFT's kinds whose kept values were within 4 % of traces; of all others, each target's input is counted."""


def unknown_kind(recipe: Recipe) -> str | None:
    """The kind of PEFT's that a recipe names and that no formula here knows; None where all is known."""
    if recipe.method.name != "peft":
        return None
    kind = str(peft_values(recipe).get("peft_type"))
    return None if kind in KNOWN else kind


def trains_tokens(recipe: Recipe) -> bool:
    """Whether embeddings of a few tokens are trained, which are written into a copy of all."""
    name = recipe.method.name
    return name == "tokens" or (name == "peft" and str(peft_values(recipe).get("peft_type")) == "TRAINABLE_TOKENS")


def fixed_update_bytes(recipe: Recipe, skeleton: Skeleton, numbers: Numbers) -> int:
    """Bytes that a method keeps whatever the tokens: the copied embedding, which a tied output layer multiplies by."""
    if not trains_tokens(recipe) or not skeleton.tied:
        return 0
    return skeleton.vocabulary * skeleton.hidden_size * numbers.weight


def shared_update_bytes(recipe: Recipe, skeleton: Skeleton) -> int:
    """Bytes of what a method adds and does not train, in float32.

    VeRA's matrices are as large as the largest target; the adapters that a fusion listens to stand at each place.
    """
    if recipe.method.name == "fusion":
        from workbench.core.methods.bottleneck import bottleneck_parameters
        from workbench.core.methods.fusion import read_sources

        sources = read_sources(recipe.method.knobs["adapters"])
        each = sum(bottleneck_parameters(skeleton.hidden_size, one["bottleneck_size"]) for one in sources)
        return 4 * each * len(sources[0]["target_modules"])
    if recipe.method.name != "vera":
        return 0
    targets = chosen_targets(skeleton, str(recipe.method.knobs["targets"]), str(recipe.method.knobs["layers"]))
    wide = max(module.in_features for module in targets) + max(module.out_features for module in targets)
    return 4 * int(recipe.method.knobs["rank"]) * wide
