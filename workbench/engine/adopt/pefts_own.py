"""AdapterHub's LoRA, IA3 and prefixes, put into the kinds of the same name that PEFT has.

Their forward passes: `adapters.methods.lora` and `adapters.methods.prefix_tuning` (library `adapters`, 1.x).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import IA3Config, LoraConfig, PeftModel, PrefixTuningConfig, get_peft_model
from transformers.activations import ACT2FN

from workbench.core.errors import UserError
from workbench.core.models.skeleton import CONV1D, Module, Skeleton
from workbench.engine.adopt.checkpoint import read_tensors
from workbench.engine.methods.prompted import as_prompted
from workbench.engine.methods.prompts import shape_of

LORA, PREFIX = "lora", "prefix_tuning"
"""The architectures, by the library's words; its IA3 is a `lora` that scales."""

UNKNOWN = {LORA: ("use_dora", "vera_d", "vera_b", "use_gating"), PREFIX: ("use_gating", "leave_out")}
"""Settings of things that PEFT's kinds have not; harmless where they are off."""

LORA_KEY = re.compile(r"(?P<site>.+)\.loras\.[^/]+?\.lora_(?P<which>[AB])$")
PREFIX_KEY = re.compile(r"\bprefix_tuning\.(?P<copy>pool\.)?prefix_tunings\.[^/]+?\.self_prefix\.(?P<which>[^/]+)$")
"""The tensors' names. A prefix is stored once for each layer beside the one that counts, and always the same."""

PARTS = "qkv"
"""The thirds of a projection that makes queries, keys and values at once."""

TURNED = ("llama", "mistral")
"""Models whose keys are turned by their position, and whose text has the same place behind a prefix as without one."""


@dataclass(frozen=True)
class Site:
    """A linear layer with what is stored for it."""

    module: Module
    a: torch.Tensor | None
    """LoRA's first matrix, [rank, in]; IA3 has none."""
    b: torch.Tensor
    """LoRA's second matrix, [out, rank], or IA3's factors, [out, 1]."""


def take_pefts_own(base: Any, skeleton: Skeleton, folder: Path, config: Mapping[str, Any]) -> PeftModel:
    """`base` with the LoRA, IA3 or prefix of AdapterHub's in `folder` on it, as PEFT's kind, named `default`.

    UserError where it is set in a way that PEFT's cannot be, or does not fit the base.
    """
    kind = str(config["architecture"])
    odd = [name for name in UNKNOWN[kind] if config.get(name)]
    if odd:
        raise UserError(f"The adapter in {folder} is set in a way that PEFT's cannot be ({odd[0]}); train it here.")
    if kind == PREFIX:
        return _take_prefix(base, skeleton, folder, config)
    sites = _find_sites(skeleton, folder)
    if config.get("composition_mode") == "scale":
        return _take_ia3(base, sites, folder, config)
    return _take_lora(base, sites, folder, config)


def _find_sites(skeleton: Skeleton, folder: Path) -> list[Site]:
    """The layers of the model that the checkpoint has tensors for."""
    found: dict[str, dict[str, torch.Tensor]] = {}
    for name, value in read_tensors(folder).items():
        match = LORA_KEY.search(name)
        if match is None:
            raise UserError(f"The adapter in {folder} holds {name}, which PEFT's has no place for; train it here.")
        found.setdefault(match["site"], {})[match["which"]] = value
    sites = []
    for name, tensors in found.items():
        modules = [one for one in skeleton.linear_layers if f".{one.name}".endswith(f".{name}")]
        if len(modules) != 1 or "B" not in tensors:
            raise UserError(f"The model has no {name}, as the adapter in {folder} has; name its own base model.")
        sites.append(Site(modules[0], tensors.get("A"), tensors["B"]))
    if not sites:
        raise UserError(f"The adapter in {folder} holds nothing; get it again.")
    return sites


def _misfit(folder: Path, module: Module) -> UserError:
    return UserError(f"The tensors in {folder} have not the shapes that {module.name} of this model asks for.")


def _thirds(config: Mapping[str, Any], module: Module, folder: Path, rows: int) -> list[slice]:
    """Which rows of a projection for queries, keys and values the stored rows are."""
    third = module.out_features // len(PARTS)
    parts = [place for place, part in enumerate(PARTS) if part in (config.get("attn_matrices") or ())]
    if module.out_features % len(PARTS) or rows != third * len(parts):
        raise _misfit(folder, module)
    return [slice(place * third, (place + 1) * third) for place in parts]


def _take_lora(base: Any, sites: list[Site], folder: Path, config: Mapping[str, Any]) -> PeftModel:
    """PEFT's LoRA. Of one projection for queries, keys and values, the updates of each stand side by side in one."""
    rank, alpha = int(config.get("r", 8)), float(config.get("alpha", 8))
    ranks: dict[str, int] = {}
    filled: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}
    for site in sites:
        module, a, b = site.module, site.a, site.b
        if a is None or a.shape[1:] != (module.in_features,) or b.shape[1:] != (rank,):
            raise _misfit(folder, module)
        if (a.shape[0], b.shape[0]) != (rank, module.out_features):
            places = _thirds(config, module, folder, b.shape[0])
            if a.shape[0] != rank * len(places):
                raise _misfit(folder, module)
            whole = b.new_zeros(module.out_features, a.shape[0])
            for number, (place, part) in enumerate(zip(places, b.chunk(len(places)), strict=True)):
                whole[place, number * rank : (number + 1) * rank] = part
            b, ranks[module.name] = whole, a.shape[0]
        filled[module.name] = (a, b)
    made = LoraConfig(
        r=rank,
        lora_alpha=alpha,
        rank_pattern=ranks,
        alpha_pattern={name: alpha * one / rank for name, one in ranks.items()},
        lora_dropout=float(config.get("dropout") or 0.0),
        target_modules=list(filled),
        fan_in_fan_out=any(site.module.kind == CONV1D for site in sites),
        task_type="CAUSAL_LM",
    )
    model = get_peft_model(base, made)
    with torch.no_grad():
        for name, (a, b) in filled.items():
            layer: Any = model.get_base_model().get_submodule(name)
            layer.lora_A["default"].weight.copy_(a)
            layer.lora_B["default"].weight.copy_(b)
    return model


def _take_ia3(base: Any, sites: list[Site], folder: Path, config: Mapping[str, Any]) -> PeftModel:
    """PEFT's IA3, all of whose factors stand behind their layers, as the library's do."""
    filled: dict[str, torch.Tensor] = {}
    for site in sites:
        module, factors = site.module, site.b.flatten() * float(config.get("alpha", 1))
        if site.a is not None or site.b.shape[1:] != (1,):
            raise _misfit(folder, module)
        if len(factors) != module.out_features:
            places = _thirds(config, module, folder, len(factors))
            whole = factors.new_ones(module.out_features)
            for place, part in zip(places, factors.chunk(len(places)), strict=True):
                whole[place] = part
            factors = whole
        filled[module.name] = factors
    made = IA3Config(
        target_modules=list(filled),
        feedforward_modules=[],
        fan_in_fan_out=any(site.module.kind == CONV1D for site in sites),
        task_type="CAUSAL_LM",
    )
    model = get_peft_model(base, made)
    with torch.no_grad():
        for name, factors in filled.items():
            weight = model.get_base_model().get_submodule(name).ia3_l["default"]
            weight.copy_(factors.reshape(weight.shape))
    return model


@torch.no_grad()
def _take_prefix(base: Any, skeleton: Skeleton, folder: Path, config: Mapping[str, Any]) -> PeftModel:
    """PEFT's prefix tuning without projection.

    There a prefix takes the text's first positions, here it stands before them. Where keys are turned by their position
    that is made up for by turning the prefix's once by as many places as it has.
    """
    if skeleton.model_type not in TURNED:
        raise UserError(
            f"The adapter in {folder} is AdapterHub's {PREFIX}, which leaves the text its positions, and PEFT's moves "
            "it on; that is not the same on this model, so train it here."
        )
    count = int(config.get("prefix_length", 0))
    values = _key_values(folder, config, count)
    size = skeleton.key_value_heads * skeleton.head_dim
    if count < 1 or values.numel() != count * skeleton.layers * 2 * size:
        raise UserError(f"The prefix in {folder} has not the shape that this model asks for; name its own base model.")
    values = values.view(count, skeleton.layers, 2, skeleton.key_value_heads, skeleton.head_dim).clone()
    values[:, :, 0] = _turn(base, values[:, :, 0], count)
    made = PrefixTuningConfig(num_virtual_tokens=count, **shape_of(skeleton))
    model = as_prompted(get_peft_model(base, made))
    weight = model.prompt_encoder["default"].embedding.weight
    weight.copy_(values.reshape(weight.shape))
    opened: PeftModel = model
    return opened


def _key_values(folder: Path, config: Mapping[str, Any], count: int) -> torch.Tensor:
    """The prefix's keys and values, by place, layer, kind, head and number: stored, or made by the stored network."""
    named: dict[str, torch.Tensor] = {}
    for name, value in read_tensors(folder).items():
        match = PREFIX_KEY.search(name)
        if match is None:
            raise UserError(f"The adapter in {folder} holds {name}, which PEFT's has no place for; train it here.")
        if match["copy"] is None:
            named[match["which"]] = value
    if "control_trans" in named:
        return named["control_trans"]
    name = str(config.get("non_linearity")).lower()
    needed = ("wte.weight", *(f"control_trans.{layer}.{kind}" for layer in (0, 2) for kind in ("weight", "bias")))
    if name not in ACT2FN or any(one not in named for one in needed) or len(named[needed[0]]) != count:
        raise UserError(f"The adapter in {folder} holds no prefix that can be read; get it again.")
    words, first, first_bias, second, second_bias = (named[name] for name in needed)
    made: torch.Tensor = ACT2FN[name](words @ first.T + first_bias) @ second.T + second_bias
    return made


def _turn(base: Any, keys: torch.Tensor, places: int) -> torch.Tensor:
    """`keys` (head size last) turned by that many places, as the model turns keys at such a position."""
    device = next(base.parameters()).device
    rotary = base.get_decoder().rotary_emb
    cos, sin = rotary(torch.zeros(1, device=device), torch.tensor([[places]], device=device))
    scale = float(getattr(rotary, "attention_scaling", 1.0))  # of queries and keys alike, but not of a prefix there
    cos, sin = cos.flatten().cpu() / scale, sin.flatten().cpu() / scale
    if len(cos) != keys.shape[-1]:
        raise UserError("The prefix cannot be turned on this model, whose keys are turned in part; train it here.")
    left, right = keys.chunk(2, dim=-1)
    return keys * cos + torch.cat([-right, left], dim=-1) * sin
