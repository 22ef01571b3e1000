"""Bottleneck adapters and AdapterFusion on a real model, by our own tuner."""

from __future__ import annotations

from typing import Any

from peft import PeftModel, get_peft_model
from transformers import PreTrainedModel

from workbench.core.methods.bottleneck import SITES, BottleneckKnobs, bottleneck_size
from workbench.core.methods.fusion import adapter_folder, read_sources, source_name
from workbench.core.methods.parallel import ParallelKnobs
from workbench.core.methods.roles import norms_before_feed_forward
from workbench.core.models.skeleton import Skeleton
from workbench.core.recipe import Recipe
from workbench.engine.methods.stored import load_checked
from workbench.engine.tuners import BottleneckConfig


def build_bottleneck(model: PreTrainedModel, recipe: Recipe, skeleton: Skeleton) -> Any:
    """The model with a bottleneck adapter at each of the method's places, and the base frozen."""
    knobs: BottleneckKnobs = recipe.method.facts.knobs(**recipe.method.knobs)
    sites = SITES[recipe.method.name](skeleton, knobs.layers)
    stream = isinstance(knobs, ParallelKnobs) and knobs.reads == "stream"
    config = BottleneckConfig(
        placement=recipe.method.name,
        reads=norms_before_feed_forward(skeleton, sites)[0].rpartition(".")[2] if stream else None,
        width=skeleton.hidden_size,
        bottleneck_size=bottleneck_size(skeleton.hidden_size, knobs.reduction),
        non_linearity=knobs.non_linearity,
        scale=knobs.scale,
        dropout=knobs.dropout,
        target_modules=list(sites),
        task_type="CAUSAL_LM",
    )
    return get_peft_model(model, config)


def build_fusion(model: PreTrainedModel, recipe: Recipe, skeleton: Skeleton, values: bool = True) -> Any:
    """The model with the adapters of `method.adapters`, frozen, and a trained attention over them.

    Without `values` the adapters have their shapes alone, for a model that has no more either.
    """
    paths = [str(path) for path in recipe.method.knobs["adapters"]]
    sources = read_sources(paths)
    names = [source_name(number) for number in range(1, len(paths) + 1)]
    fused: PeftModel | None = None
    for name, path in zip(names, paths, strict=True):
        folder = adapter_folder(path)
        if values:
            fused = load_checked(model if fused is None else fused, folder, name)
        elif fused is None:
            fused = get_peft_model(model, BottleneckConfig.from_pretrained(str(folder)), adapter_name=name)
        else:
            fused.add_adapter(name, BottleneckConfig.from_pretrained(str(folder)))
    assert fused is not None
    config = BottleneckConfig(
        placement=sources[0]["placement"],
        reads=sources[0].get("reads"),
        width=skeleton.hidden_size,
        target_modules=list(sources[0]["target_modules"]),
        fuse=names,
        task_type="CAUSAL_LM",
    )
    fused.add_adapter("default", config)
    fused.set_adapter("default")
    return fused
