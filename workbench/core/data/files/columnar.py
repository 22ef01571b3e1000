"""Rows of Parquet and Arrow files, read batch by batch through pyarrow."""

from __future__ import annotations

import json
import threading
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from typing import Any

from workbench.core.errors import UserError

Row = dict[str, Any]

BATCH = 2048


class TableRows(Sequence[Row]):
    """The rows of an Arrow table, which may be a memory map of a file; each is made when it is asked for."""

    def __init__(self, table: Any, path: Path) -> None:
        self._table, self._path = table, path
        self._labels = _labels_of(table.schema)

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(map(str, self._table.column_names))

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            return _rows(self._table.slice(start, max(0, stop - start)), self._path, self._labels)[::step]
        number = index + len(self) if index < 0 else index
        if not 0 <= number < len(self):
            raise IndexError(index)
        return _rows(self._table.slice(number, 1), self._path, self._labels)[0]

    def __iter__(self) -> Iterator[Row]:
        for start in range(0, len(self), BATCH):
            yield from _rows(self._table.slice(start, BATCH), self._path, self._labels)

    def rows_with(self, text: str) -> Iterator[Row | None]:
        """Every row that may hold `text` (in small letters), None for one that cannot."""
        for start in range(0, len(self), BATCH):
            yield from _rows_with(self._table.slice(start, BATCH), text, self._path, self._labels)


class ParquetRows(Sequence[Row]):
    """The rows of a Parquet file; at most one row group is held."""

    def __init__(self, path: Path) -> None:
        from pyarrow import parquet

        self._path = path
        with _told(path, "Parquet"):
            self._file = parquet.ParquetFile(path, memory_map=True)
            counts = [self._file.metadata.row_group(number).num_rows for number in range(self._file.num_row_groups)]
            self.columns = tuple(map(str, self._file.schema_arrow.names))
            self._labels = _labels_of(self._file.schema_arrow)
        self._ends = list(accumulate(counts))
        self._held: tuple[int, Any] = (-1, None)
        self._lock = threading.Lock()
        self._first: Any = None

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            if stop <= BATCH and step > 0:
                with self._lock:
                    if self._first is None:
                        with _told(self._path, "Parquet"):
                            self._first = next(self._file.iter_batches(BATCH), None)
                    first = self._first
                return (
                    []
                    if first is None
                    else _rows(first.slice(start, max(0, stop - start)), self._path, self._labels)[::step]
                )
            return [self[number] for number in range(start, stop, step)]
        number = index + len(self) if index < 0 else index
        if not 0 <= number < len(self):
            raise IndexError(index)
        group = bisect_right(self._ends, number)
        with self._lock:
            if self._held[0] != group:
                with _told(self._path, "Parquet"):
                    self._held = (group, self._file.read_row_group(group))
            held = self._held[1]
        before = self._ends[group - 1] if group else 0
        return _rows(held.slice(number - before, 1), self._path, self._labels)[0]

    def __iter__(self) -> Iterator[Row]:
        for batch in self._batches():
            yield from _rows(batch, self._path, self._labels)

    def rows_with(self, text: str) -> Iterator[Row | None]:
        """Every row that may hold `text` (in small letters), None for one that cannot."""
        for batch in self._batches():
            yield from _rows_with(batch, text, self._path, self._labels)

    def _batches(self) -> Iterator[Any]:
        """Batches of the file, which is opened again: somebody else may be reading other rows."""
        from pyarrow import parquet

        with _told(self._path, "Parquet"), parquet.ParquetFile(self._path, memory_map=True) as file:
            yield from file.iter_batches(BATCH)


def open_arrow(path: Path) -> TableRows:
    """An Arrow file, or an Arrow stream as `datasets` saves it, by memory map."""
    import pyarrow as arrow
    from pyarrow import ipc

    with _told(path, "Arrow"):
        source = arrow.memory_map(str(path))
        try:
            table = ipc.open_file(source).read_all()
        except arrow.ArrowInvalid:
            source.seek(0)
            table = ipc.open_stream(source).read_all()
        table.validate()
        return TableRows(table, path)


Labels = dict[str, list[str]]


def _labels_of(schema: Any) -> Labels:
    """The names behind the numbers of a column that `datasets` saved as one of labels."""
    try:
        features = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))["info"]["features"]
        found = {
            str(column): feature["names"]
            for column, feature in features.items()
            if isinstance(feature, dict) and feature.get("_type") == "ClassLabel"
        }
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}
    return {
        column: names
        for column, names in found.items()
        if isinstance(names, list) and all(isinstance(name, str) for name in names)
    }


def _rows(part: Any, path: Path, labels: Labels) -> list[Row]:
    """A slice of a table as rows; a broken one is refused before it is read, for pyarrow would follow wild offsets."""
    with _told(path, "columnar"):
        part.validate(full=True)
        found: list[Row] = part.to_pylist()
    for column, names in labels.items():
        for row in found:
            number = row.get(column)
            if isinstance(number, int) and 0 <= number < len(names):
                row[column] = names[number]
    return found


def _rows_with(part: Any, text: str, path: Path, labels: Labels) -> Iterator[Row | None]:
    """The rows of a slice that may hold `text`; only columns of texts can say so, and only for ASCII."""
    import pyarrow as arrow
    from pyarrow import compute

    plain = text.isascii() and all(
        arrow.types.is_string(field.type) or arrow.types.is_large_string(field.type) for field in part.schema
    )
    if not plain:
        yield from _rows(part, path, labels)
        return
    with _told(path, "columnar"):
        part.validate(full=True)
        may = [False] * part.num_rows
        for name in range(part.num_columns):
            column = part.column(name)
            found = compute.match_substring(column, text, ignore_case=True).to_pylist()
            other = compute.invert(compute.string_is_ascii(column)).to_pylist()
            may = [one or bool(two) or bool(three) for one, two, three in zip(may, found, other, strict=True)]
        chosen = part.filter(arrow.array(may))
        rows = iter(chosen.to_pylist())
    yield from (next(rows) if held else None for held in may)


@contextmanager
def _told(path: Path, kind: str) -> Iterator[None]:
    import pyarrow as arrow

    try:
        yield
    except (arrow.ArrowException, OSError, ValueError, TypeError, OverflowError, MemoryError, RecursionError) as error:
        suffix = f"{path.suffix} " if path.suffix else ""
        raise UserError(
            f"{path} is not a whole {suffix}file, though its name says so; copy it again.", f"{kind}: {error}"
        ) from None


Opener = Callable[[Path], Sequence[Row]]
OPENERS: dict[str, Opener] = {".parquet": ParquetRows, ".arrow": open_arrow, ".feather": open_arrow}
"""How each kind of columnar file is opened."""
