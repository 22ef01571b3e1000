"""The model of a recipe as it stands before its first step, on fake tensors: base, method, checkpointing."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn
from transformers import AutoModelForCausalLM, PreTrainedConfig

from workbench.core.errors import UserError
from workbench.core.memory.loop import Loop
from workbench.core.memory.numbers import resolve_precision
from workbench.core.memory.states import base_storage
from workbench.core.methods.lora import FROM_WEIGHTS
from workbench.core.models.locate import locate_model
from workbench.core.models.skeleton import Skeleton
from workbench.core.recipe import ModelSection, Recipe
from workbench.engine.answer import inner_model
from workbench.engine.base_models import DTYPES
from workbench.engine.methods import build_method, prepare_quantised, refuse_training
from workbench.engine.methods.any_peft import build_without_values, first_line
from workbench.engine.methods.bottleneck import build_fusion
from workbench.engine.methods.main_directions import remember_start
from workbench.engine.methods.shapes_only import shapes_only
from workbench.engine.trace.fake import give_device
from workbench.engine.trace.quantised import quantise
from workbench.engine.trace.sparse import tell_sizes
from workbench.engine.train.setup import switch_on_checkpointing

ATTENTION = {"auto": "sdpa", "sdpa": "sdpa", "eager": "eager", "flash_attention_2": "sdpa"}
"""How attention is built; flash_attention_2's package is not needed, torch's own flash kernel keeps the same."""


def model_config(model: ModelSection) -> PreTrainedConfig:
    """The Transformers config of a recipe's model: a folder's, a GGUF file's, or the Hub's."""
    from workbench.engine.skeletons import read_config

    place = locate_model(model.path, needs_weights=False)
    if place.kind == "gguf" and place.path is not None:
        from workbench.engine.gguf.config import gguf_config
        from workbench.engine.gguf.header import read_header

        return gguf_config(place.path, read_header(place.path))
    if place.path is not None:
        return read_config(place.path)
    from workbench.engine.hub import fetch_config

    return read_config(fetch_config(place.name, model.revision, lambda _: None))


def empty_base(config: PreTrainedConfig, attention: str) -> Any:
    """The base on the meta device, with nothing initialised. UserError where it cannot be built."""
    from transformers.initialization import no_init_weights

    def build(kind: str) -> Any:
        return AutoModelForCausalLM.from_config(config, trust_remote_code=False, attn_implementation=kind)

    for kind in (ATTENTION[attention], "eager"):  # some architectures have no other than the plain one
        try:
            try:
                with torch.device("meta"), no_init_weights():
                    model = build(kind)
            except (RuntimeError, NotImplementedError):  # a constructor that reads a value it has just computed
                from accelerate import init_empty_weights

                with init_empty_weights(include_buffers=False), no_init_weights():
                    model = build(kind)
            break
        except ValueError as error:
            refused = error
        except Exception as error:
            raise UserError(
                f"A model of type {config.model_type!r} cannot be traced: it does not build without weights.",
                f"{type(error).__name__}: {error}",
            ) from error
    else:
        raise UserError(f"A model of type {config.model_type!r} cannot be traced.", str(refused)) from refused
    model.tie_weights()
    model.config.use_cache = False
    return model


def build_model(base: Any, recipe: Recipe, skeleton: Skeleton, device: torch.device, loop: Loop) -> Any:
    """The recipe's model with its method on it, ready to train, on `device`; `base` is what `empty_base` gave.

    It is put together on the CPU, since methods start from values that a stand-in has no kernels for.
    """
    precision = DTYPES[resolve_precision(recipe, "cpu" if device.type == "cpu" else "cuda")]
    give_device(base, torch.device("cpu"), precision)
    stored = base_storage(recipe, skeleton)
    if stored is not None:
        quantise(base, stored, precision, skeleton.output_layer)
    if loop.kbit:
        _widen(base)
    with _casts_in_place(loop.adapters == "float32"), shapes_only():
        built = _with_method(base, recipe, skeleton)
    if device.type != "cpu":
        give_device(built, device)
    tell_sizes(built)
    if str(recipe.method.knobs.get("start")) in FROM_WEIGHTS:
        remember_start(built)
    if recipe.training.gradient_checkpointing:
        switch_on_checkpointing(inner_model(built))
    return built.train()


def _with_method(base: Any, recipe: Recipe, skeleton: Skeleton) -> Any:
    if recipe.method.name not in ("peft", "fusion"):
        try:
            return build_method(base, _without_values(recipe), skeleton)
        except (ValueError, TypeError, NotImplementedError) as error:  # PEFT's own reasons, such as Mamba's layers
            title = recipe.method.facts.title
            raise UserError(f"{title} does not fit this model: {first_line(error)}", str(error)) from error
    refuse_training(recipe)
    if getattr(base, "is_quantized", False):
        prepare_quantised(base)
    if recipe.method.name == "fusion":
        return build_fusion(base, recipe, skeleton, values=False)
    return build_without_values(base, recipe)


def _without_values(recipe: Recipe) -> Recipe:
    """The recipe with starts that are not computed from weights, which are not there; they take the same memory."""
    knobs = dict(recipe.method.knobs)
    if knobs.get("start") in (*FROM_WEIGHTS, "orthogonal"):
        knobs["start"] = "zero"
    if recipe.method.name == "prompt":
        knobs["start"] = "random"
    if "loftq" in knobs:
        knobs["loftq"] = False
    return dataclasses.replace(recipe, method=dataclasses.replace(recipe.method, knobs=knobs))


def _widen(model: nn.Module) -> None:
    """Hold all that is not quantised in float32, as PEFT's prepare_model_for_kbit_training does."""
    done: dict[int, tuple[Any, nn.Parameter]] = {}
    for module in model.modules():
        for name, parameter in module._parameters.items():
            if parameter is not None and parameter.dtype in (torch.float16, torch.bfloat16):
                known = done.setdefault(id(parameter), (parameter, _float(parameter)))
                module._parameters[name] = known[1]


@contextlib.contextmanager
def _casts_in_place(widens: bool) -> Iterator[None]:
    """PEFT holds adapters in float32 by changing a parameter's insides, which fake tensors refuse: replace it.

    Where it is not to, adapters come in the numbers of the base's layers.
    """
    from peft.tuners import tuners_utils
    from peft.tuners._buffer_dict import BufferDict

    kept = tuners_utils.cast_adapter_dtype

    def cast(model: nn.Module, adapter_name: str, autocast_adapter_dtype: bool = True) -> None:
        if not (widens and autocast_adapter_dtype):
            return
        for layer in model.modules():
            if not isinstance(layer, tuners_utils.BaseTunerLayer):
                continue
            for holder in layer.modules():
                if isinstance(holder, (nn.ModuleDict, nn.ParameterDict, BufferDict)) and adapter_name in holder:
                    _upcast(holder, adapter_name)

    tuners_utils.cast_adapter_dtype = cast
    try:
        yield
    finally:
        tuners_utils.cast_adapter_dtype = kept


def _upcast(holder: Any, name: str) -> None:
    held = holder[name]
    if isinstance(held, nn.Module):
        for module in held.modules():
            for key, parameter in module._parameters.items():
                if parameter is not None and parameter.dtype in (torch.float16, torch.bfloat16):
                    module._parameters[key] = _float(parameter)
    elif isinstance(held, nn.Parameter) and held.dtype in (torch.float16, torch.bfloat16):
        holder[name] = _float(held)
    elif isinstance(held, torch.Tensor) and held.dtype in (torch.float16, torch.bfloat16):
        holder[name] = held.float()


def _float(parameter: nn.Parameter) -> nn.Parameter:
    return nn.Parameter(parameter.detach().float(), requires_grad=parameter.requires_grad)
