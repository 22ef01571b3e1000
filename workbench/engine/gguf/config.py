"""The Transformers config of a GGUF file, with what Transformers' own reading leaves out put back."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from workbench.core.errors import UserError
from workbench.engine.gguf.header import GgufHeader


def gguf_config(file: Path, header: GgufHeader) -> Any:
    """The Transformers config of a GGUF file, with what Transformers' own reading leaves out put back.

    It leaves out: Qwen3's head size and GPT-2's context length (loading then fails), and every scaling of rotary
    positions, Llama 3's `rope_freqs` among them (the model then computes something else, silently).
    """
    from workbench.engine.skeletons import read_config

    config = read_config(file.parent, gguf_file=file.name)
    head_dim = header.of_architecture("attention.key_length")
    if head_dim and getattr(config, "head_dim", head_dim) != head_dim:
        config.head_dim = head_dim
    length = header.of_architecture("context_length")
    if length and getattr(config, "max_position_embeddings", length) != length:
        config.max_position_embeddings = length
    _put_rope_back(file, header, config)
    return config


def _put_rope_back(file: Path, header: GgufHeader, config: Any) -> None:
    rope = getattr(config, "rope_parameters", None)
    if not isinstance(rope, dict) or rope.get("rope_type", "default") != "default":
        return
    if "rope_freqs.weight" in header.tensors:
        config.rope_parameters = {**rope, **_llama3_rope(file, header, float(rope["rope_theta"]))}
        return
    kind = header.of_architecture("rope.scaling.type") or "none"
    factor = header.of_architecture("rope.scaling.factor")
    if kind == "linear" and factor:
        config.rope_parameters = {**rope, "rope_type": "linear", "factor": float(factor)}
    elif kind == "yarn" and factor:
        original = header.of_architecture("rope.scaling.original_context_length")
        config.rope_parameters = {**rope, "rope_type": "yarn", "factor": float(factor)}
        if original:
            config.rope_parameters["original_max_position_embeddings"] = int(original)
    elif kind != "none":
        raise UserError(
            f"{file.name} scales its positions in a way that is not converted here ({kind}); "
            "use the model's safetensors folder instead."
        )


def _llama3_rope(file: Path, header: GgufHeader, theta: float) -> dict[str, Any]:
    """Llama 3's rope parameters, recovered from the divisors that the file stores; UserError where they do not fit."""
    import numpy as np

    (count,), kind, offset = header.tensors["rope_freqs.weight"]
    if kind == 0:
        with file.open("rb") as opened:
            opened.seek(offset)
            stored = np.frombuffer(opened.read(4 * count), dtype="<f4")
        factor = float(stored.max())
        for original in (8192, 4096, 16384, 32768):
            rope = {
                "rope_type": "llama3",
                "factor": factor,
                "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
                "original_max_position_embeddings": original,
            }
            if np.allclose(stored, llama3_divisors(rope, theta, count), rtol=1e-4):
                return rope
    raise UserError(
        f"{file.name} scales its positions with factors that are not Llama 3's; "
        "use the model's safetensors folder instead."
    )


def llama3_divisors(rope: dict[str, Any], theta: float, count: int) -> Any:
    """What each of `count` rotary frequencies is divided by (Llama 3.1's smoothed scaling, as llama.cpp stores it)."""
    import numpy as np

    lengths = 2 * math.pi * theta ** (np.arange(count, dtype=np.float64) / count)
    low, high = rope["low_freq_factor"], rope["high_freq_factor"]
    original, factor = rope["original_max_position_embeddings"], rope["factor"]
    smooth = (original / lengths - low) / (high - low)
    between = 1 / ((1 - smooth) / factor + smooth)
    return np.where(lengths < original / high, 1.0, np.where(lengths > original / low, factor, between))
