"""Files as bytes that can be mapped: compressed ones are unpacked to a file without a name, UTF-16 becomes UTF-8."""

from __future__ import annotations

import codecs
import gzip
import io
import shutil
import stat
import tempfile
from pathlib import Path
from typing import Any, BinaryIO

from workbench.core.errors import UserError

PACKED = (".gz", ".zst", ".zstd")
"""Endings of compressed files."""

CHUNK = 1 << 20
SPARE = 1 << 30
"""Bytes of the disk that unpacking leaves free."""


def open_plain(path: Path) -> BinaryIO:
    """The file, open for reading as UTF-8 bytes (whatever it holds), not compressed. UserError says what is wrong."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise UserError(f"{path} is no plain file; give a file or a folder of files.")
        if status.st_size == 0:
            raise UserError(f"{path} is empty; give a file with at least one instruction and its answer.")
        file: BinaryIO = path.open("rb")
        if path.suffix.lower() in PACKED:
            file = _unpacked(file, path)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror or error}).") from None
    start = file.read(4)
    file.seek(0)
    if start == b"PAR1":
        raise UserError(f"{path} is a Parquet file, though its name does not say so; rename it to end in .parquet.")
    if start[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return _as_utf8(file, path)
    return file


def _unpacked(file: BinaryIO, path: Path) -> BinaryIO:
    name = "gzip" if path.suffix.lower() == ".gz" else "zstd"
    room = shutil.disk_usage(tempfile.gettempdir()).free - SPARE
    plain: Any = tempfile.TemporaryFile()  # noqa: SIM115 - the rows stay in it
    try:
        source: Any
        if name == "gzip":
            source = gzip.GzipFile(fileobj=file)
        else:
            import pyarrow as arrow

            source = arrow.CompressedInputStream(arrow.PythonFile(file, mode="r"), "zstd")
        written = 0
        while chunk := source.read(CHUNK):
            written += len(chunk)
            if written > room:
                raise UserError(
                    f"{path} does not fit on the disk when it is unpacked; make room, or give a part of it."
                )
            plain.write(chunk)
    except (OSError, EOFError, ValueError, MemoryError) as error:
        plain.close()
        raise UserError(
            f"{path} is not a whole {name} file, though its name says so; copy it again.", str(error)
        ) from None
    except Exception as error:  # zlib.error has no base of its own
        plain.close()
        if isinstance(error, UserError):
            raise
        raise UserError(f"{path} is not a whole {name} file; copy it again.", str(error)) from None
    if not plain.tell():
        raise UserError(f"{path} is empty; give a file with at least one instruction and its answer.")
    plain.seek(0)
    return plain  # type: ignore[no-any-return]


def _as_utf8(file: BinaryIO, path: Path) -> BinaryIO:
    plain: Any = tempfile.TemporaryFile()  # noqa: SIM115 - the rows stay in it
    reader = io.TextIOWrapper(file, encoding="utf-16", newline="")
    try:
        while chunk := reader.read(CHUNK):
            plain.write(chunk.encode("utf-8"))
    except (UnicodeError, ValueError):
        raise UserError(f"{path} begins as UTF-16 text, and is none further on; save it as UTF-8.") from None
    if not plain.tell():
        raise UserError(f"{path} is empty; give a file with at least one instruction and its answer.")
    plain.seek(0)
    return plain  # type: ignore[no-any-return]
