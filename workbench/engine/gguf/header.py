"""The header of a GGUF file: metadata and the table of weights, read without the weights."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from workbench.core.errors import UserError

SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
"""GGUF's value types by number, as struct formats; 8 is text, 9 a list."""


@dataclass(frozen=True)
class GgufHeader:
    """What stands before the weights."""

    metadata: dict[str, Any]
    tensors: dict[str, tuple[tuple[int, ...], int, int]]
    """Shape, GGML type and offset from the start of the file, by name."""

    @property
    def parameters(self) -> int:
        return sum(math.prod(shape) for shape, _, _ in self.tensors.values())

    def of_architecture(self, key: str) -> Any:
        """A value that is kept under the architecture's name, such as `llama.context_length`; None where missing."""
        return self.metadata.get(f"{self.metadata.get('general.architecture')}.{key}")


def read_header(file: Path) -> GgufHeader:
    """The header of a GGUF file (versions 2 and 3, little-endian), and a check that no weight is cut off.

    UserError where the file is damaged, cut short, or one part of several. Source: the GGUF specification in ggml's
    docs/gguf.md.
    """
    try:
        with file.open("rb") as opened:
            header = _read(opened)
    except (struct.error, UnicodeDecodeError, MemoryError, OverflowError, KeyError):
        raise UserError(f"{file} is damaged or of an unknown GGUF version; download it again.") from None
    except OSError as error:
        raise UserError(f"{file} cannot be read ({error.strerror}).") from None
    parts = header.metadata.get("split.count", 0)
    if isinstance(parts, int) and parts > 1:
        raise UserError(f"{file} is one of {parts} parts; join them first with llama.cpp's llama-gguf-split --merge.")
    if _end_of_weights(header) > file.stat().st_size:
        raise UserError(f"{file} is cut short: its last weights are missing; download it again.")
    return header


def _read(file: BinaryIO) -> GgufHeader:
    magic, version, tensors, values = struct.unpack("<4sIQQ", _take(file, 24))
    if magic != b"GGUF" or version not in (2, 3):
        raise KeyError(version)
    metadata = {}
    for _ in range(values):
        key = _text(file)
        metadata[key] = _value(file, *struct.unpack("<I", _take(file, 4)))
    table: dict[str, tuple[tuple[int, ...], int, int]] = {}
    for _ in range(tensors):
        name = _text(file)
        (dimensions,) = struct.unpack("<I", _take(file, 4))
        shape = struct.unpack(f"<{dimensions}Q", _take(file, 8 * dimensions))
        kind, offset = struct.unpack("<IQ", _take(file, 12))
        table[name] = (tuple(reversed(shape)), kind, offset)
    alignment = metadata.get("general.alignment", 32)
    start = -(-file.tell() // alignment) * alignment
    return GgufHeader(metadata, {name: (shape, kind, start + at) for name, (shape, kind, at) in table.items()})


def _take(file: BinaryIO, size: int) -> bytes:
    content = file.read(size)
    if len(content) != size:
        raise struct.error
    return content


def _text(file: BinaryIO) -> str:
    (length,) = struct.unpack("<Q", _take(file, 8))
    return _take(file, length).decode("utf-8")


def _value(file: BinaryIO, kind: int) -> Any:
    if kind == 8:
        return _text(file)
    if kind == 9:
        inner, count = struct.unpack("<IQ", _take(file, 12))
        if inner in SCALARS:
            form = f"<{count}{SCALARS[inner]}"
            return list(struct.unpack(form, _take(file, struct.calcsize(form))))
        return [_value(file, inner) for _ in range(count)]
    form = "<" + SCALARS[kind]
    return struct.unpack(form, _take(file, struct.calcsize(form)))[0]


def _end_of_weights(header: GgufHeader) -> int:
    from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

    end = 0
    for shape, kind, offset in header.tensors.values():
        try:
            block, size = GGML_QUANT_SIZES[GGMLQuantizationType(kind)]
        except (KeyError, ValueError):
            continue
        end = max(end, offset + math.prod(shape) // block * size)
    return end
