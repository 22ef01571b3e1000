"""AdapterHub's checkpoints, of bottleneck adapters and fusions put into our tuner (library `adapters`, 1.x).

Which settings mean which adapter: its `BnConfig` and `Adapter.pre_forward`, docs.adapterhub.ml/methods.html.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel, get_peft_model

from workbench.core.errors import UserError
from workbench.core.files import read_json
from workbench.core.methods.bottleneck import NON_LINEARITIES, block_sites, feed_forward_sites
from workbench.core.methods.fusion import source_name
from workbench.core.methods.roles import attention_outputs, feed_forward_outputs, norms_before_feed_forward
from workbench.core.models.skeleton import Skeleton
from workbench.engine.adopt.checkpoint import CONFIG, FUSION_CONFIG, read_tensors
from workbench.engine.adopt.pefts_own import LORA, PREFIX, take_pefts_own
from workbench.engine.tuners import BottleneckConfig

NAMES = {"houlsby": "houlsby", "double_seq_bn": "houlsby", "pfeiffer": "pfeiffer", "seq_bn": "pfeiffer"}
"""Configs that are given by their name alone, as placements."""

UNKNOWN = (
    "inv_adapter",
    "phm_layer",
    "use_gating",
    "ln_before",
    "ln_after",
    "cross_adapter",
    "dropout_prob",
    "temperature",
)
"""Settings of things that our adapters have not; harmless where they are off."""

FUSED = {"query": True, "key": True, "value": True, "residual_before": False, "query_before_ln": False}
"""Settings of a fusion as ours is."""

KEY = re.compile(
    r"(?:^|\.)(?:layers?|h)\.(?P<layer>\d+)\.(?P<part>attention|output)_adapters\."
    r"(?:adapters|adapter_fusion_layer)\.[^/]+?\.(?P<which>adapter_down\.0|adapter_up|query|key|value)\.(?P<kind>weight|bias)$"
)
"""A tensor's name: its block, whether it stands behind attention or feed-forward, and which it is."""

OURS = {"adapter_down.0": "down", "adapter_up": "up", "query": "query", "key": "key", "value": "value"}

Tensors = dict[tuple[int, str], dict[str, torch.Tensor]]
"""The tensors of each place, by block and part (attention or output), under our names such as down.weight."""


@dataclass(frozen=True)
class Shape:
    """What a config of AdapterHub says, in our words."""

    placement: str
    non_linearity: str = "relu"
    scale: float = 1.0
    dropout: float = 0.0


def is_adapterhub(folder: Path) -> bool:
    """Whether a folder holds an adapter, or a fusion, as AdapterHub's library saves it."""
    values = read_json(folder / CONFIG)
    return (folder / FUSION_CONFIG).is_file() or (
        isinstance(values, dict) and "config" in values and "peft_type" not in values
    )


def take_over(base: Any, skeleton: Skeleton, folder: Path) -> PeftModel:
    """`base` with the adapter, or the fusion and its adapters, in `folder` on it, as `default`.

    A fusion's adapters are looked for under their names in its folder and beside it. UserError where it is of another
    kind than ours, or does not fit the base.
    """
    fusion = read_json(folder / FUSION_CONFIG)
    if not isinstance(fusion, dict):
        config = _config(folder)
        if isinstance(config, Mapping) and config.get("architecture") in (LORA, PREFIX):
            return take_pefts_own(base, skeleton, folder, config)
        return _with_adapter(base, skeleton, folder, "default")
    _refuse_unknown(folder, fusion.get("config") or {}, FUSED)
    names = [str(name) for name in fusion.get("adapter_names") or str(fusion.get("name", "")).split(",")]
    model: Any = base
    for number, name in enumerate(names, start=1):
        found = next((one for one in (folder / name, folder.parent / name) if (one / CONFIG).is_file()), None)
        if found is None:
            raise UserError(
                f"The fusion in {folder} combines the adapter {name}, which is neither in it nor beside it; "
                "put its folder there under that name."
            )
        model = _with_adapter(model, skeleton, found, source_name(number))
    first = model.peft_config[source_name(1)]
    shape = Shape(first.placement)
    config = BottleneckConfig(
        placement=first.placement,
        reads=first.reads,
        width=skeleton.hidden_size,
        target_modules=sorted(first.target_modules),
        fuse=[source_name(number + 1) for number in range(len(names))],
        task_type="CAUSAL_LM",
    )
    model.add_adapter("default", config)
    _fill(
        model,
        "bottleneck_fusion",
        "default",
        _by_site(skeleton, shape, _tensors(folder, FUSION_CONFIG), folder),
        folder,
    )
    model.set_adapter("default")
    opened: PeftModel = model
    return opened


def _with_adapter(base: Any, skeleton: Skeleton, folder: Path, name: str) -> PeftModel:
    """A base, or a PEFT model, with one more adapter."""
    shape = read_shape(folder)
    sites = _by_site(skeleton, shape, _tensors(folder, CONFIG), folder)
    sizes = {tuple(found["down.weight"].shape) for found in sites.values() if "down.weight" in found}
    if len(sizes) != 1:
        raise UserError(f"The adapter in {folder} has not the same width in every block, as ours have; train it again.")
    (size, width) = next(iter(sizes))
    if width != skeleton.hidden_size:
        raise UserError(
            f"The adapter in {folder} is {width} wide and the model {skeleton.hidden_size}; name its own base model."
        )
    parallel = shape.placement == "parallel"
    norms = norms_before_feed_forward(skeleton, tuple(sites)) if parallel else ()
    if parallel and not all(norms):
        raise UserError(f"The adapter in {folder} reads what this model does not show; train a parallel adapter here.")
    config = BottleneckConfig(
        placement=shape.placement,
        reads=norms[0].rpartition(".")[2] if norms else None,
        width=width,
        bottleneck_size=size,
        non_linearity=shape.non_linearity,
        scale=shape.scale,
        dropout=shape.dropout,
        target_modules=sorted(sites),
        task_type="CAUSAL_LM",
    )
    if isinstance(base, PeftModel):
        base.add_adapter(name, config)
        model = base
    else:
        model = get_peft_model(base, config, adapter_name=name)
    _fill(model, "bottleneck_adapters", name, sites, folder)
    return model


def _config(folder: Path) -> Any:
    """What AdapterHub's config says of the adapter: its settings, or the name of some that everyone knows."""
    values = read_json(folder / CONFIG)
    return values.get("config") if isinstance(values, dict) else None


def read_shape(folder: Path) -> Shape:
    """The adapter's placement and settings; UserError where it is of a kind that ours is not."""
    config = _config(folder)
    if isinstance(config, str) and config in NAMES:
        return Shape(NAMES[config], "silu" if NAMES[config] == "houlsby" else "relu")
    if not isinstance(config, Mapping):
        raise UserError(f"The adapter in {folder} has no config of AdapterHub's that can be read.")
    kind = config.get("architecture")
    if kind is not None:
        raise UserError(
            f"The adapter in {folder} is AdapterHub's {kind}; bottleneck adapters, their fusions, LoRA, IA3 and "
            "prefixes can be taken over, so train this one here."
        )
    _refuse_unknown(folder, config, {"original_ln_after": True})
    behind_attention, behind_output = bool(config.get("mh_adapter")), bool(config.get("output_adapter"))
    early = bool(config.get("original_ln_before"))
    if config.get("is_parallel") and behind_output and not behind_attention:
        placement = "parallel"
    elif behind_attention and behind_output and not early:
        placement = "houlsby"
    elif behind_output and not behind_attention and early and config.get("residual_before_ln") is True:
        placement = "pfeiffer"
    else:
        raise UserError(
            f"The adapter in {folder} stands in other places than Houlsby's, Pfeiffer's and the parallel one; "
            "train one of these here."
        )
    non_linearity = str(config.get("non_linearity", "relu")).lower().replace("swish", "silu")
    scale = config.get("scaling", 1.0)
    if non_linearity not in NON_LINEARITIES or isinstance(scale, str):
        what = f"the scaling {scale}" if isinstance(scale, str) else f"the non-linearity {non_linearity}"
        raise UserError(f"The adapter in {folder} has {what}, which ours has not; train it here.")
    return Shape(placement, non_linearity, float(scale), float(config.get("dropout") or 0.0))


def _refuse_unknown(folder: Path, config: Mapping[str, Any], needed: Mapping[str, bool]) -> None:
    odd = [name for name in UNKNOWN if config.get(name)]
    odd += [name for name, value in needed.items() if bool(config.get(name, value)) is not value]
    if odd:
        raise UserError(f"The adapter in {folder} is set in a way that ours cannot be ({odd[0]}); train it here.")


def _tensors(folder: Path, config: str) -> Tensors:
    """The checkpoint's tensors."""
    found: Tensors = {}
    for name, value in read_tensors(folder, config).items():
        match = KEY.search(name)
        if match is None:
            raise UserError(f"The adapter in {folder} holds {name}, which ours has no place for; train it here.")
        place = found.setdefault((int(match["layer"]), match["part"]), {})
        place[f"{OURS[match['which']]}.{match['kind']}"] = value
    return found


def _by_site(skeleton: Skeleton, shape: Shape, tensors: Tensors, folder: Path) -> dict[str, dict[str, torch.Tensor]]:
    """The same by the full name of the module that carries them; UserError where this model has none."""
    behind = {
        "attention": {one.layer: one.name for one in attention_outputs(skeleton)},
        "output": {one.layer: one.name for one in feed_forward_outputs(skeleton)},
    }
    found = {}
    for (layer, part), values in tensors.items():
        if shape.placement == "houlsby":
            sites = [behind[part][layer]] if layer in behind[part] else []
        elif layer < skeleton.layers:
            find = block_sites if shape.placement == "pfeiffer" else feed_forward_sites
            sites = list(find(skeleton, str(layer)))
        else:
            sites = []
        if len(sites) != 1:
            raise UserError(
                f"The adapter in {folder} has a part in block {layer} behind {part.replace('output', 'feed-forward')}, "
                "which this model has not; name its own base model."
            )
        found[sites[0]] = values
    return found


@torch.no_grad()
def _fill(model: Any, inside: str, name: str, sites: Mapping[str, Mapping[str, torch.Tensor]], folder: Path) -> None:
    """Put the tensors in their places; UserError where one is missing or of another shape."""
    base = model.get_base_model()
    for site, tensors in sites.items():
        wanted = dict(getattr(base.get_submodule(site), inside)[name].named_parameters())
        shapes = {key: tuple(value.shape) for key, value in wanted.items()}
        if shapes != {key: tuple(value.shape) for key, value in tensors.items()}:
            raise UserError(f"The tensors in {folder} have not the shapes that {site} of this model asks for.")
        for key, value in tensors.items():
            wanted[key].copy_(value)
