"""How a checkpoint's matrices are stored where they are quantised already, as its config.json says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workbench.core.errors import UserError

BLOCK = 64
"""Weights that share a scale in bitsandbytes' 4-bit numbers (QLoRA, arXiv 2305.14314, section 3)."""
OUTER_BLOCK = 256
"""Scales that share a scale of their own under double quantisation."""
GROUP = 128
"""Weights that share a scale in GPTQ and AWQ, where the config does not say."""

BITSANDBYTES = ("nf4", "fp4", "int8")

UNTRAINED = (
    "mxfp4", "nvfp4", "mxfp8", "fbgemm_fp8", "auto-round", "higgs", "quark", "spqr", "vptq", "gemma", "metal",
)  # fmt: skip
"""Kinds through which Transformers 5.23 does not train (`is_trainable` of their quantizers)."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What the matrices of a base are held in."""

    kind: str
    """nf4, fp4 or int8, as bitsandbytes has them, or another library's name: gptq, awq, fp8 and more."""
    each: float
    """Bytes a weight, its share of the scales included; scales a row apart."""
    double: bool = False
    """Whether the scales of 4-bit numbers are quantised as well."""
    kept: tuple[str, ...] | None = None
    """Modules that stay whole, by full names or parts of them; None: the output layer."""

    @property
    def by_bitsandbytes(self) -> bool:
        return self.kind in BITSANDBYTES

    def reaches(self, name: str, output_layer: str) -> bool:
        """Whether a linear layer of that name is quantised."""
        if name == output_layer and (self.kept is None or not self.by_bitsandbytes):
            return False  # other libraries leave it whole whatever else is named
        return not any(_names(pattern, name) for pattern in self.kept or ())


def _names(pattern: str, name: str) -> bool:
    """Whether an entry of a config's list means a module, as Transformers reads it (quantizers_utils.py)."""
    if name == pattern or name.startswith(f"{pattern}.") or name.endswith(f".{pattern}") or f".{pattern}." in name:
        return True
    try:
        return re.match(pattern, name) is not None
    except re.error:
        return False


def of_bitsandbytes(kind: str, double: bool, kept: tuple[str, ...] | None = None) -> Stored:
    """bitsandbytes' numbers: 0.5 bytes a weight and its scales for 4-bit, 1 for 8-bit (QLoRA, section 3).

    NF4 in blocks of 64 with double quantisation is 0.5 + 1/64 + 4/(64·256) = 0.5159.
    """
    if kind == "int8":
        return Stored(kind, 1.0, False, kept)
    scales = 1 / BLOCK + 4 / (BLOCK * OUTER_BLOCK) if double else 4 / BLOCK
    return Stored(kind, 0.5 + scales, double, kept)


def read_stored(config: Mapping[str, Any]) -> Stored | None:
    """What `quantization_config` in a model's config.json says; None where there is none.

    UserError, in one sentence, for kinds that cannot be trained through, and for those whose size is not known.
    """
    given = config.get("quantization_config")
    if not isinstance(given, Mapping) or not given:
        return None
    kind = str(given.get("quant_method") or "").lower().replace("_", "-")
    kind = {"bitsandbytes-4bit": "bitsandbytes", "bitsandbytes-8bit": "bitsandbytes", "fbgemm-fp8": "fbgemm_fp8"}.get(
        kind, kind
    )
    if not kind and any(given.get(key) for key in ("load_in_4bit", "load_in_8bit", "_load_in_4bit", "_load_in_8bit")):
        kind = "bitsandbytes"
    kept = _kept(given)
    if kind == "bitsandbytes":
        if given.get("load_in_8bit") or given.get("_load_in_8bit"):
            return of_bitsandbytes("int8", False, kept)
        return of_bitsandbytes(
            str(given.get("bnb_4bit_quant_type", "fp4")), bool(given.get("bnb_4bit_use_double_quant", False)), kept
        )
    if kind in UNTRAINED:
        raise UserError(
            f"This checkpoint is stored as {kind}, through which Transformers does not train; "
            "give the model in 16-bit numbers, or in 4 or 8 bits by bitsandbytes, GPTQ or AWQ."
        )
    bits, group = _bits(kind, given)
    if bits is None:
        raise UserError(
            f"This checkpoint is stored as {kind or 'something without a name'}, whose size is not known here; "
            "give the model in 16-bit numbers."
        )
    zeros = bits / 8 if kind in ("gptq", "awq", "hqq") else 0.0
    scale = 4.0 if kind == "fp8" else 2.0
    return Stored(kind, bits / 8 + ((scale + zeros) / group if group else 0.0), False, kept or ())


def _kept(given: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Modules that the config leaves whole."""
    for key in ("llm_int8_skip_modules", "modules_to_not_convert", "ignore", "skip_modules"):
        listed = given.get(key)
        if isinstance(listed, (list, tuple)):
            return tuple(str(one).removeprefix("re:") for one in listed)
    return None


def _bits(kind: str, given: Mapping[str, Any]) -> tuple[float | None, int]:
    """Bits a weight, and weights that share a scale (0: so many that scales do not count)."""
    if kind in ("gptq", "awq"):
        bits = _number(given, "bits", "w_bit") or 4
        return bits, max(0, int(_number(given, "group_size", "q_group_size") or GROUP))
    if kind == "fp8":
        block = given.get("weight_block_size")
        shares = block[0] * block[1] if isinstance(block, (list, tuple)) and len(block) == 2 else 0
        return 8, int(shares)
    if kind == "hqq":
        inner = given.get("quant_config")
        found = inner.get("weight_quant_params") if isinstance(inner, Mapping) else None
        values = found if isinstance(found, Mapping) else {}
        return _number(values, "nbits") or 4, int(_number(values, "group_size") or 64)
    if kind == "eetq":
        return 8, 0
    if kind == "quanto":
        return {"int8": 8, "float8": 8, "int4": 4, "int2": 2}.get(str(given.get("weights", "int8"))), 0
    if kind == "compressed-tensors":
        groups = given.get("config_groups")
        first = next(iter(groups.values()), None) if isinstance(groups, Mapping) else None
        weights = first.get("weights") if isinstance(first, Mapping) else None
        if isinstance(weights, Mapping):
            return _number(weights, "num_bits"), int(_number(weights, "group_size") or 0)
    return None, 0


def _number(values: Mapping[str, Any], *names: str) -> float | None:
    for name in names:
        value = values.get(name)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return float(value)
    return None
