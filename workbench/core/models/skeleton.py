"""The skeleton of a model: every module's name, kind and shape, and none of its weights."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from math import prod
from typing import Any

from workbench.core.models.stored import Stored

LINEAR = "Linear"
CONV1D = "Conv1D"
"""GPT-2's linear layer, whose weight lies transposed."""
EMBEDDING = "Embedding"
NORM = "Norm"
"""LayerNorm, RMSNorm and their like."""

FORMAT = 4
"""Version of the skeleton's JSON form; a cached skeleton of another version is built again."""


TUPLES = ("windowed", "thins")
"""Fields that JSON has as lists."""


@lru_cache(maxsize=65_536)
def _block_of(name: str) -> int | None:
    """The first number among a name's parts; kept, since formulas ask for it at every key press."""
    found = re.search(r"\.(\d+)\.", f".{name}.")
    return int(found.group(1)) if found else None


@dataclass(frozen=True, slots=True)
class Module:
    """One module that holds parameters of its own."""

    name: str
    """Dotted path from the model's root."""
    kind: str
    """Linear, Conv1D, Embedding, Norm, or the class's own name."""
    parameters: tuple[tuple[str, tuple[int, ...]], ...]
    """Each own parameter's name and shape."""
    in_features: int = 0
    out_features: int = 0

    @property
    def leaf(self) -> str:
        """The last part of the name, by which target modules are chosen."""
        return self.name.rpartition(".")[2]

    @property
    def layer(self) -> int | None:
        """Index of the block that holds it, or None outside the blocks."""
        return _block_of(self.name)

    @property
    def size(self) -> int:
        """Parameters."""
        return sum(prod(shape) for _, shape in self.parameters)

    @property
    def is_linear(self) -> bool:
        return self.kind in (LINEAR, CONV1D)

    @property
    def has_bias(self) -> bool:
        return any(name == "bias" for name, _ in self.parameters)


@dataclass(frozen=True)
class Skeleton:
    """A model's modules and the sizes that formulas need. Built by the engine on the meta device."""

    model_type: str
    modules: tuple[Module, ...]
    """In the model's own order; a tied output layer is listed with no parameters of its own."""
    layers: int
    hidden_size: int
    intermediate_size: int
    heads: int
    key_value_heads: int
    head_dim: int
    vocabulary: int
    max_positions: int
    output_layer: str
    """Name of the module that maps to the vocabulary, such as lm_head."""
    tied: bool
    """Whether the output layer's weight is the input embedding's."""
    stored: Stored | None = None
    """What the checkpoint's matrices are quantised in; None where they are whole. It changes no count of parameters."""
    experts_per_token: int = 0
    """Of a block's routed experts, how many each token goes to; 0 where there are none."""
    window: int = 0
    """Tokens that a sliding window shows to each token, in the layers that have one; 0 where none has."""
    windowed: tuple[int, ...] = ()
    """The layers with that window, where not all have it."""
    activation: str = ""
    """The feed-forward's non-linearity by Transformers' name, such as silu; empty where the config does not say."""
    thins: tuple[str, ...] = ()
    """Where dropout is by the config: hidden (behind attention and feed-forward), scores, embedding."""

    @cached_property
    def total_parameters(self) -> int:
        """Parameters of the base model, tied ones counted once."""
        return sum(module.size for module in self.modules)

    @cached_property
    def linear_layers(self) -> tuple[Module, ...]:
        """Linear layers inside the model, the output layer left out (PEFT's `all-linear`)."""
        return tuple(module for module in self.modules if module.is_linear and module.name != self.output_layer)

    def to_json(self) -> dict[str, Any]:
        """The skeleton as plain values."""
        return {"format": FORMAT, **asdict(self)}


def skeleton_from_json(values: Mapping[str, Any]) -> Skeleton | None:
    """The skeleton from `to_json`'s values, or None where they are of another version."""
    if values.get("format") != FORMAT:
        return None
    rest = {key: value for key, value in values.items() if key not in ("format", "modules", "stored", *TUPLES)}
    modules = tuple(
        Module(
            item["name"],
            item["kind"],
            tuple((name, tuple(shape)) for name, shape in item["parameters"]),
            item["in_features"],
            item["out_features"],
        )
        for item in values["modules"]
    )
    stored = values.get("stored")
    if stored is not None:
        stored = Stored(**{**stored, "kept": tuple(stored["kept"]) if stored["kept"] is not None else None})
    rest |= {key: tuple(values[key]) for key in TUPLES}
    return Skeleton(modules=modules, stored=stored, **rest)
