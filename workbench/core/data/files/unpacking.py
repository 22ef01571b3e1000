"""Files as bytes that can be mapped. Compressed ones are unpacked as far as they are read, to a file without a name.

UTF-16 becomes UTF-8 on the same way.
"""

from __future__ import annotations

import codecs
import gzip
import mmap
import shutil
import stat
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from workbench.core.errors import UserError

PACKED = (".gz", ".zst", ".zstd")
"""Endings of compressed files."""

CHUNK = 1 << 20
LARGEST_STEP = 1 << 25
"""Most bytes that are unpacked before somebody is told."""

SPARE = 1 << 30
"""Bytes of the disk that unpacking leaves free."""


class PlainFile:
    """The bytes of a file, mapped as far as they are known."""

    def __init__(self, path: Path, file: BinaryIO, chunks: Iterator[bytes] | None = None) -> None:
        self.path = path
        self._packed, self._chunks = file, chunks
        self._packed_size = max(1, path.stat().st_size)
        self._plain: Any = file if chunks is None else tempfile.TemporaryFile(buffering=0)  # noqa: SIM115
        self._written = 0
        self._lock = threading.Lock()
        self.bytes: Any = b""
        """All that is known: a map, or nothing."""
        self.is_whole = chunks is None
        """Whether that is all there is."""
        if chunks is None:
            self._map()

    @property
    def guess(self) -> int:
        """About how many bytes there are; exact once all are known."""
        if self.is_whole:
            return len(self.bytes)
        try:
            read = self._packed.tell()
        except (OSError, ValueError):
            read = self._packed_size
        return max(len(self.bytes), round(len(self.bytes) * self._packed_size / max(1, read)))

    def grow(self, known: int) -> bool:
        """Have more than `known` bytes; whether there are more. UserError where the file is broken or the disk full."""
        with self._lock:
            while len(self.bytes) <= known and not self.is_whole:
                self._unpack(min(LARGEST_STEP, max(CHUNK, self._written // 2)))
            return len(self.bytes) > known

    def reach(self, count: int) -> None:
        """Have at least `count` bytes, or all."""
        while len(self.bytes) < count and self.grow(len(self.bytes)):
            pass

    def let_go(self) -> None:
        """Give back the memory that the map takes; it is filled again where it is looked at."""
        if isinstance(self.bytes, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
            self.bytes.madvise(mmap.MADV_DONTNEED)

    def lines(self, longest: int) -> Iterator[bytes]:
        """The first lines, each cut after `longest` bytes."""
        at = 0
        while True:
            self.reach(at + CHUNK)
            end = self.bytes.find(b"\n", at)
            while end < 0 and len(self.bytes) - at < longest and self.grow(len(self.bytes)):
                end = self.bytes.find(b"\n", at)
            if at >= len(self.bytes):
                return
            stop = len(self.bytes) if end < 0 else end + 1
            yield self.bytes[at : min(stop, at + longest)]
            at = stop

    def _unpack(self, count: int) -> None:
        assert self._chunks is not None
        goal = self._written + count
        room = shutil.disk_usage(tempfile.gettempdir()).free - SPARE
        while self._written < goal:
            chunk = next(self._chunks, None)
            if chunk is None:
                self.is_whole = True
                break
            room -= len(chunk)
            if room < 0:
                raise self._no_room()
            try:
                while chunk:
                    sent = self._plain.write(chunk)
                    self._written += sent
                    chunk = chunk[sent:]
            except OSError as error:
                raise self._no_room() from error
        self._map()

    def _no_room(self) -> UserError:
        return UserError(
            f"{self.path} does not fit into {tempfile.gettempdir()} when it is unpacked; make room there, or give a "
            "part of it."
        )

    def _map(self) -> None:
        try:
            self.bytes = mmap.mmap(self._plain.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError:  # nothing in it
            self.bytes = b""


def open_plain(path: Path) -> PlainFile:
    """The file as UTF-8 bytes (whatever it holds), not compressed. UserError says what is wrong."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise UserError(f"{path} is no plain file; give a file or a folder of files.")
        if status.st_size == 0:
            raise UserError(f"{path} is empty; give a file with at least one instruction and its answer.")
        file: BinaryIO = path.open("rb")
        if path.suffix.lower() in PACKED:
            chunks = _unpacked(file, path)
            first = next(chunks, b"")
        else:
            chunks = None
            first = file.read(4)
            file.seek(0)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror or error}).") from None
    if not first:
        raise UserError(f"{path} is empty; give a file with at least one instruction and its answer.")
    if first[:4] == b"PAR1":
        raise UserError(f"{path} is a Parquet file, though its name does not say so; rename it to end in .parquet.")
    if first[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return _checked(PlainFile(path, file, _as_utf8(_with(first, chunks) if chunks else _read(file), path)))
    return PlainFile(path, file, None if chunks is None else _with(first, chunks))


def _checked(plain: PlainFile) -> PlainFile:
    if not plain.grow(0):
        raise UserError(f"{plain.path} is empty; give a file with at least one instruction and its answer.")
    return plain


def _with(first: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from chunks


def _read(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(CHUNK):
        yield chunk


def _unpacked(file: BinaryIO, path: Path) -> Iterator[bytes]:
    name = "gzip" if path.suffix.lower() == ".gz" else "zstd"
    try:
        source: Any
        if name == "gzip":
            source = gzip.GzipFile(fileobj=file)
        else:
            import pyarrow as arrow

            source = arrow.CompressedInputStream(arrow.PythonFile(file, mode="r"), "zstd")
        while chunk := source.read(CHUNK):
            yield chunk
    except Exception as error:  # zlib.error has no base of its own
        raise UserError(
            f"{path} is not a whole {name} file, though its name says so; copy it again.", str(error)
        ) from None


def _as_utf8(chunks: Iterator[bytes], path: Path) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder("utf-16")()
    try:
        for chunk in chunks:
            yield decoder.decode(chunk).encode("utf-8")
        yield decoder.decode(b"", True).encode("utf-8")
    except UnicodeError:
        raise UserError(f"{path} begins as UTF-16 text, and is none further on; save it as UTF-8.") from None
