"""What a method puts where in a model, as far as memory depends on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from workbench.core.memory.wraps import Around
from workbench.core.methods.bottleneck import SITES, bottleneck_size
from workbench.core.methods.targets import chosen_targets
from workbench.core.models.skeleton import Module, Skeleton
from workbench.core.recipe import Recipe

PROMPTS = ("PROMPT_TUNING", "P_TUNING", "MULTITASK_PROMPT_TUNING", "CPT")
"""PEFT's kinds with virtual tokens before the text."""

RANKS = {
    "LORA": 8,
    "VERA": 256,
    "MISS": 64,
    "HRA": 8,
    "DELORA": 8,
    "UNILORA": 4,
    "VBLORA": 4,
    "LILY": 32,
    "TINYLORA": 2,
    "PVERA": 256,
}
"""Ranks that PEFT's configs have by default."""

PREFIXES = ("PREFIX_TUNING", "CARTRIDGE")
"""PEFT's kinds with keys and values before those of the text."""


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a method's own parts are."""

    around: Mapping[str, Around] = field(default_factory=dict)
    """Updates, by the full name of the linear layer that they are around."""
    sites: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Bottleneck adapters, by the full name of what they stand behind or beside."""
    beside: bool = False
    norms: bool = False
    biases: bool = False
    prompts: int = 0
    """Vectors that the topmost layers' attention sees beside the text, and how many layers these are."""
    prompted: int = 0
    prefix: int = 0
    """Keys and values that stand before those of the text."""
    virtual: int = 0
    """Tokens that every layer goes through before those of the text."""
    early: bool = False
    """Whether what the embedding gives has a gradient already."""
    tokens: bool = False
    """Whether some tokens' embeddings are trained, which are written into a copy of all."""


def place(recipe: Recipe, skeleton: Skeleton) -> Placed:
    """Where `recipe`'s method puts what it trains."""
    name, knobs = recipe.method.name, recipe.method.knobs
    if name == "full":
        return Placed(early=True)
    if name == "tokens":
        return Placed(early=True, tokens=True)
    if name == "layernorm":
        return Placed(norms=True)
    if name == "bitfit":
        return Placed(biases=True)
    if name in ("prompt", "p-tuning"):
        return Placed(virtual=int(knobs["virtual_tokens"]), early=True)
    if name == "prefix":
        return Placed(prefix=int(knobs["virtual_tokens"]))
    if name in SITES:
        size = bottleneck_size(skeleton.hidden_size, float(knobs["reduction"]))
        settings = {"size": size, "non_linearity": knobs["non_linearity"], "dropout": float(knobs["dropout"])}
        sites = SITES[name](skeleton, str(knobs["layers"]))
        return Placed(sites=dict.fromkeys(sites, settings), beside=name == "parallel")
    if name == "fusion":
        from workbench.core.methods.fusion import read_sources

        sources = read_sources(knobs["adapters"])
        settings = {"sources": [{**one, "size": one["bottleneck_size"]} for one in sources]}
        return Placed(
            sites=dict.fromkeys(sources[0]["target_modules"], settings), beside=sources[0]["placement"] == "parallel"
        )
    if name == "llama-adapter":
        from workbench.core.methods.llama_adapter import LlamaAdapterKnobs, adapted_layers

        section = LlamaAdapterKnobs(**knobs)
        return Placed(prompts=section.length, prompted=adapted_layers(skeleton, section))
    if name == "ia3":
        from workbench.core.methods.ia3 import ia3_targets

        outputs, inputs = ia3_targets(skeleton, recipe.method.facts.knobs(**knobs))
        return Placed(around=_scaled(outputs, inputs))
    if name == "peft":
        return _of_peft(recipe, skeleton)
    return Placed(around=_updates(recipe, skeleton)) if name in UPDATES else Placed(early=True)


UPDATES: dict[str, Callable[[Mapping[str, Any]], Around]] = {
    "lora": lambda knobs: Around("lora", knobs),
    "qlora": lambda knobs: Around("lora", knobs),
    "adalora": lambda knobs: Around("adalora", {"rank": knobs["start_rank"], "dropout": knobs["dropout"]}),
    "vera": lambda knobs: Around("vera", knobs),
    "miss": lambda knobs: Around("miss", knobs),
    "oft": lambda knobs: Around("oft", {"block": knobs["block_size"]}),
}
"""Methods with one kind of update around each of their targets, from their knobs."""


def _updates(recipe: Recipe, skeleton: Skeleton) -> dict[str, Around]:
    knobs = recipe.method.knobs
    targets = chosen_targets(skeleton, str(knobs["targets"]), str(knobs["layers"]))
    return dict.fromkeys((one.name for one in targets), UPDATES[recipe.method.name](knobs))


def _scaled(outputs: tuple[Module, ...], inputs: tuple[Module, ...]) -> dict[str, Around]:
    return {
        **dict.fromkeys((one.name for one in outputs), Around("ia3", {})),
        **dict.fromkeys((one.name for one in inputs), Around("ia3", {"reads": True})),
    }


def peft_values(recipe: Recipe) -> dict[str, Any]:
    """The config of a kind of PEFT's, with what the recipe sets over it."""
    from workbench.core.methods.peft import config_values

    values = config_values(recipe.method.knobs)
    return {**values, **values["settings"]}


def _of_peft(recipe: Recipe, skeleton: Skeleton) -> Placed:
    """A kind of PEFT's: its targets are the linear layers that its count has found to carry something."""
    values = peft_values(recipe)
    kind = str(values.get("peft_type"))
    if kind in PROMPTS:
        return Placed(virtual=int(values.get("num_virtual_tokens") or 0), early=True)
    if kind in PREFIXES:
        return Placed(prefix=int(values.get("num_virtual_tokens") or 0))
    if kind == "ADAPTION_PROMPT":
        return Placed(prompts=int(values.get("adapter_len") or 0), prompted=int(values.get("adapter_layers") or 0))
    if kind == "TRAINABLE_TOKENS":
        return Placed(early=True, tokens=True)
    if kind == "LN_TUNING":
        return Placed(norms=True)
    names = {name for name, _ in recipe.method.facts.count(skeleton, recipe.method.knobs).by_module}
    targets = tuple(module for module in skeleton.linear_layers if module.name in names)
    if kind == "IA3":
        from workbench.core.memory.decoders import FEED_FORWARD_OUTPUT

        inner = tuple(module for module in targets if module.leaf in FEED_FORWARD_OUTPUT)
        return Placed(around=_scaled(tuple(one for one in targets if one not in inner), inner))
    settings = dict(values)
    settings["rank"] = int(values.get("r") or RANKS.get(kind, 0))
    settings["dropout"] = float(values.get("lora_dropout") or 0.0)
    settings["dora"] = bool(values.get("use_dora"))
    settings["block"] = int(values.get("oft_block_size") or 32)
    known = {"LORA": "lora", "VERA": "vera", "OFT": "oft", "MISS": "miss"}
    return Placed(around=dict.fromkeys((one.name for one in targets), Around(known.get(kind, kind), settings)))
