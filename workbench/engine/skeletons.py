"""Building the skeleton of a model from its config alone: on the meta device, with no weights and no memory."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedConfig
from transformers.pytorch_utils import Conv1D

from workbench.core.errors import UserError
from workbench.core.files import write_json_atomically
from workbench.core.models.skeleton import CONV1D, EMBEDDING, LINEAR, NORM, Module, Skeleton
from workbench.core.models.stored import Stored, read_stored


def read_config(folder: Path, **source: Any) -> PreTrainedConfig:
    """The Transformers config in a model folder; UserError where the architecture is not one that Transformers has.

    `source` goes to Transformers as it is (`gguf_file`). Code that comes with a model is never run.
    """
    try:
        return AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True, **source)
    except Exception as error:  # Transformers raises ValueError, KeyError, OSError and more here
        raise UserError(
            f"The model in {folder} is of a kind that this version of Transformers cannot read; "
            "choose another model, or update Transformers.",
            f"{type(error).__name__}: {error}",
        ) from error


def build_skeleton(source: Path | PreTrainedConfig) -> Skeleton:
    """The skeleton of the causal language model that a folder's config.json, or a config, describes.

    The model is built on the meta device, so a model of any size takes milliseconds and no memory. UserError where
    Transformers has no causal language model of that kind.
    """
    config = read_config(source) if isinstance(source, Path) else source
    model = _empty_model(config)
    return skeleton_of(model, config)


def _empty_model(config: PreTrainedConfig) -> nn.Module:
    def build() -> Any:
        return AutoModelForCausalLM.from_config(config, trust_remote_code=False, attn_implementation="eager")

    try:
        try:
            with torch.device("meta"):
                model = build()
        except (RuntimeError, NotImplementedError):  # a constructor that reads a value it has just computed
            from accelerate import init_empty_weights

            with init_empty_weights(include_buffers=False):
                model = build()
    except Exception as error:
        raise UserError(
            f"A model of type {config.model_type!r} cannot be built as a causal language model; choose another model.",
            f"{type(error).__name__}: {error}",
        ) from error
    model.tie_weights()
    return model


def _stored(config: PreTrainedConfig) -> Stored | None:
    """How the checkpoint's matrices are stored, where they are quantised."""
    given: Any = getattr(config, "quantization_config", None)
    values = given.to_dict() if hasattr(given, "to_dict") else given
    return read_stored({"quantization_config": values})


def skeleton_of(model: Any, config: PreTrainedConfig) -> Skeleton:
    """The skeleton of a model that is already built (on any device), and of its config."""
    text = config.get_text_config()
    output = model.get_output_embeddings()
    embedding = model.get_input_embeddings()
    output_weight = getattr(output, "weight", None)
    tied = output_weight is not None and output_weight is getattr(embedding, "weight", None)
    modules: list[Module] = []
    output_name = ""
    seen: set[int] = set()
    for name, module in model.named_modules():
        own: list[tuple[str, tuple[int, ...]]] = []
        for key, parameter in module.named_parameters(recurse=False):
            if id(parameter) in seen or (module is output and tied and parameter is output_weight):
                continue
            seen.add(id(parameter))
            own.append((key, tuple(parameter.shape)))
        kind, inside, outside = _kind(module)
        if module is output:
            output_name = name
        if own or kind in (LINEAR, CONV1D):
            modules.append(Module(name, kind, tuple(own), inside, outside))
    layers = _number(text, "num_hidden_layers")
    hidden = _number(text, "hidden_size")
    heads = _number(text, "num_attention_heads")
    return Skeleton(
        model_type=config.model_type,
        modules=tuple(modules),
        layers=layers,
        hidden_size=hidden,
        intermediate_size=_number(text, "intermediate_size", "n_inner", "ffn_dim", "ffn_hidden_size")
        or _widest(modules, hidden),
        heads=heads,
        key_value_heads=_key_value_heads(text, heads),
        head_dim=_number(text, "head_dim") or (hidden // heads if heads else 0),
        vocabulary=_number(text, "vocab_size"),
        max_positions=_number(text, "max_position_embeddings", "max_seq_len", "seq_length"),
        output_layer=output_name,
        tied=tied,
        stored=_stored(config),
        experts_per_token=_number(text, "num_experts_per_tok", "num_experts_per_token", "top_k_experts", "moe_topk"),
        window=_window(text),
        windowed=_windowed(text),
        activation=next((str(getattr(text, name)) for name in ACTIVATIONS if getattr(text, name, None)), ""),
        thins=tuple(
            place for place, names in DROPOUTS.items() if any(_share(getattr(text, name, 0)) > 0 for name in names)
        ),
    )


ACTIVATIONS = ("hidden_activation", "hidden_act", "activation_function")
"""Names that configs have for the feed-forward's non-linearity."""

DROPOUTS = {
    "hidden": ("resid_pdrop", "resid_dropout", "residual_dropout", "hidden_dropout", "dropout"),
    "scores": ("attn_pdrop", "attention_dropout"),
    "embedding": ("embd_pdrop", "embed_dropout", "embedding_dropout"),
}
"""Names that configs have for dropouts."""


def _share(value: Any) -> float:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else 0.0


def _window(config: Any) -> int:
    """The sliding window's length; 0 where no layer has one, or its use is switched off."""
    kinds = getattr(config, "layer_types", None)
    if kinds and "sliding_attention" not in kinds:
        return 0
    return _number(config, "sliding_window") if getattr(config, "use_sliding_window", True) else 0


def _windowed(config: Any) -> tuple[int, ...]:
    """The layers with a sliding window, where only some have it."""
    kinds = getattr(config, "layer_types", None) or ()
    found = tuple(number for number, kind in enumerate(kinds) if kind == "sliding_attention")
    return found if len(found) < len(kinds) else ()


def _kind(module: nn.Module) -> tuple[str, int, int]:
    """Kind, inputs and outputs of one module."""
    if isinstance(module, nn.Linear) and "Router" not in type(module).__name__:  # a router gives more than a product
        return LINEAR, module.in_features, module.out_features
    if isinstance(module, Conv1D):
        return CONV1D, module.weight.shape[0], module.weight.shape[1]
    if isinstance(module, nn.Embedding):
        return EMBEDDING, 0, 0
    name = type(module).__name__
    return (NORM if "Norm" in name and "Router" not in name else name), 0, 0


def _number(config: Any, *names: str) -> int:
    """The first of these settings that is a number; the largest where there is one per layer; 0 where none is."""
    for name in names:
        value = getattr(config, name, None)
        if isinstance(value, (list, tuple)) and value and all(isinstance(item, int) for item in value):
            value = max(value)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    return 0


def _key_value_heads(config: Any, heads: int) -> int:
    """Heads that keys and values have: fewer than queries where several query heads share one (GQA, MQA)."""
    if config.model_type == "falcon" and not config.new_decoder_architecture:
        return 1 if config.multi_query else heads
    return _number(config, "num_key_value_heads", "num_kv_heads") or heads


def _widest(modules: list[Module], hidden: int) -> int:
    """Width of the feed-forward layers, where the config does not say: the most inputs of a linear layer in a block."""
    return max((module.in_features for module in modules if module.layer is not None), default=4 * hidden)


def main(arguments: list[str]) -> int:
    """`python -m workbench.engine.skeletons FOLDER`: write FOLDER/skeleton.json."""
    if len(arguments) != 1:
        sys.stderr.write("Name one model folder: python -m workbench.engine.skeletons FOLDER\n")
        return 2
    folder = Path(arguments[0])
    try:
        skeleton = build_skeleton(folder)
    except UserError as error:
        sys.stderr.write(f"{error.sentence}\n")
        return 2
    write_json_atomically(folder / "skeleton.json", skeleton.to_json())
    sys.stdout.write(f"{folder / 'skeleton.json'}: {skeleton.total_parameters:,} parameters\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
