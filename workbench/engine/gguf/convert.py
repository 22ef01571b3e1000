"""Turning a GGUF file into a Transformers model folder that computes the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from workbench.core.errors import UserError
from workbench.engine.gguf.config import gguf_config
from workbench.engine.gguf.header import GgufHeader, read_header
from workbench.engine.gguf.tokenizer import convert_tokenizer

LARGE = 2_000_000_000
"""Parameters above which the converted weights are kept in float16 instead of float32."""


def convert_gguf(file: Path, into: Path, progress: Callable[[str], None]) -> None:
    """Write the model in a GGUF file as a Transformers folder: safetensors, config, tokenizer and chat template.

    The weights are dequantised, to float32 (float16 for models above 2 billion parameters). UserError where this
    version of Transformers does not know the architecture, or where the result would not compute the same.
    """
    header = read_header(file)
    progress("Reading the architecture")
    config = gguf_config(file, header)
    progress("Reading the tokenizer")
    convert_tokenizer(file, header, into)
    progress(f"Reading {header.parameters / 1e6:,.0f} million weights; this is done once")
    _convert_weights(file, header, config, into, progress)


def _convert_weights(file: Path, header: GgufHeader, config: Any, into: Path, progress: Callable[[str], None]) -> None:
    import torch
    from transformers import AutoModelForCausalLM, GenerationConfig, GgufConfig

    try:
        model, report = AutoModelForCausalLM.from_pretrained(
            file.parent,
            gguf_file=file.name,
            config=config,
            # Without `dequantize` the model cannot be saved: "quantized with gguf and is not serializable".
            quantization_config=GgufConfig(dequantize=True),
            dtype=torch.float16 if header.parameters > LARGE else torch.float32,
            attn_implementation="eager",
            output_loading_info=True,
            trust_remote_code=False,
        )
    except (ValueError, KeyError, NotImplementedError, RuntimeError) as error:
        raise UserError(
            f"{file.name} is a GGUF file that this version of Transformers cannot convert; "
            "use the model's safetensors folder instead.",
            f"{type(error).__name__}: {error}",
        ) from error
    missing = sorted(report["missing_keys"])
    if missing:
        raise UserError(
            f"{file.name} lacks weights that its architecture needs ({missing[0]} and {len(missing) - 1} more); "
            "use the model's safetensors folder instead."
        )
    ends = end_tokens(header)
    if ends:
        model.generation_config = GenerationConfig.from_model_config(model.config)
        model.generation_config.eos_token_id = ends if len(ends) > 1 else ends[0]
    progress("Writing the weights")
    model.save_pretrained(into)


def end_tokens(header: GgufHeader) -> list[int]:
    """The tokens that end an answer: of the text, of the turn, of the message."""
    found = (header.metadata.get(f"tokenizer.ggml.{name}_token_id") for name in ("eos", "eot", "eom"))
    return list(dict.fromkeys(token for token in found if isinstance(token, int)))
