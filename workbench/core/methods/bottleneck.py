"""Bottleneck adapters: what Houlsby's, Pfeiffer's and the parallel variant share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from workbench.core.errors import UserError
from workbench.core.knobs import knob
from workbench.core.methods.layers import chosen_layers, within
from workbench.core.methods.method import Count
from workbench.core.methods.roles import attention_outputs, blocks, feed_forward_outputs
from workbench.core.methods.shared_knobs import double_quantisation_knob, layers_knob, quantisation_knob
from workbench.core.models.skeleton import Skeleton

Sites = Callable[[Skeleton, str], tuple[str, ...]]
"""Full names of the modules that carry an adapter, in the chosen layers."""

NON_LINEARITIES = ("relu", "gelu", "silu", "tanh")


@dataclass(frozen=True, slots=True)
class BottleneckKnobs:
    """Knobs of a bottleneck adapter."""

    reduction: float = knob(16.0, "How much narrower the bottleneck is than the model.", low=1.0, high=4096.0)
    non_linearity: str = knob("relu", "What stands in the bottleneck.", choices=NON_LINEARITIES)
    scale: float = knob(1.0, "What an adapter's output is multiplied by.", above=0.0, high=100.0)
    dropout: float = knob(0.0, "Dropout on an adapter's output.", low=0.0, high=0.99)
    layers: str = layers_knob()
    quantisation: str = quantisation_knob()
    double_quantisation: bool = double_quantisation_knob()


def bottleneck_size(width: int, reduction: float) -> int:
    """Width of the bottleneck, at least 1."""
    return max(1, int(width // reduction))


def bottleneck_parameters(width: int, size: int) -> int:
    """2·d·m + d + m: two matrices with their biases (Houlsby et al. 2019, section 2.1)."""
    return 2 * width * size + width + size


def houlsby_sites(skeleton: Skeleton, layers: str) -> tuple[str, ...]:
    """The projections behind attention and feed-forward, each followed by an adapter."""
    found = (*attention_outputs(skeleton), *feed_forward_outputs(skeleton))
    return tuple(one.name for one in within(found, skeleton, layers))


def block_sites(skeleton: Skeleton, layers: str) -> tuple[str, ...]:
    """The whole blocks."""
    wanted = chosen_layers(skeleton, layers)
    return tuple(name for number, name in blocks(skeleton) if number in wanted)


def feed_forward_sites(skeleton: Skeleton, layers: str) -> tuple[str, ...]:
    """The feed-forwards, where they are modules of their own."""
    found: dict[str, None] = {}
    names = {name for _, name in blocks(skeleton)}
    for one in within(feed_forward_outputs(skeleton), skeleton, layers):
        parent = one.name.rpartition(".")[0]
        if parent not in names:
            found[parent] = None
    return tuple(found)


def count_bottleneck(skeleton: Skeleton, knobs: BottleneckKnobs, sites: tuple[str, ...]) -> Count:
    """One bottleneck a site."""
    width = skeleton.hidden_size
    each = bottleneck_parameters(width, bottleneck_size(width, knobs.reduction))
    return Count(tuple((site, each) for site in sites), added=True)


def refuse_bottleneck(
    skeleton: Skeleton, knobs: BottleneckKnobs, each_block: int, title: str, find_sites: Sites
) -> str | None:
    """Why there is no place for the adapters: layers that do not exist, or no such part in them."""
    try:
        wanted = len(chosen_layers(skeleton, knobs.layers))
    except UserError as error:
        return error.sentence
    if not wanted or len(find_sites(skeleton, knobs.layers)) != each_block * wanted:
        return (
            f"{title} does not find its {'place' if each_block == 1 else 'two places'} in each block of this model; "
            "choose another kind of adapter, or LoRA, which reaches any linear layer."
        )
    return None


SITES: dict[str, Callable[[Skeleton, str], tuple[str, ...]]] = {
    "houlsby": houlsby_sites,
    "pfeiffer": block_sites,
    "parallel": feed_forward_sites,
}
"""Where each kind's adapters stand: full names of modules, on a model and in chosen layers."""
