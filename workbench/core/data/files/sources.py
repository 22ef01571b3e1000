"""Rows from a bundled sample, a file, or a folder of files. The source is only ever read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any

from workbench.core.data.files.folders import COLUMNAR, SUFFIXES, FolderFiles, choose_files, kind_of
from workbench.core.data.files.lines import BAD_ROW, LineRows, Row
from workbench.core.data.files.unpacking import PACKED, open_plain
from workbench.core.errors import UserError
from workbench.core.places import sample_folder

__all__ = ["BAD_ROW", "SUFFIXES", "Row", "Table", "find_source", "read_table", "sample_names"]

LOOKED_AT = 1000
"""First rows that say which columns there are."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows as they stand in the source; large files are read row by row when they are asked for."""

    source: str
    path: Path
    rows: Sequence[Row]
    columns: tuple[str, ...]
    """Names of the columns of the first thousand rows, in order of first appearance."""
    first: Sequence[Row] = field(default=(), compare=False)
    """Those rows."""
    split: str | None = None
    """The split that the rows belong to, where the source has several."""
    splits: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    """The files that hold the rows."""

    @property
    def size(self) -> tuple[int, bool]:
        """How many rows there are, and whether that is counted (else it is an estimate from the first ones)."""
        rows = self.rows
        return rows.size() if isinstance(rows, (LineRows, _Joined)) else (len(rows), True)


def sample_names() -> tuple[str, ...]:
    """Names of the bundled samples that have a recipe of their own."""
    return tuple(sorted(file.stem for file in sample_folder().glob("*.yaml")))


def find_source(source: str, beside: Path | None = None) -> Path:
    """The file or folder that a recipe's `data.source` or `data.held_out` means; UserError where there is none.

    A bundled sample's name, a path, or a path relative to the folder `beside`.
    """
    if not source.strip():
        raise UserError(f"No data is named; give a file, a folder, or a bundled sample: {', '.join(sample_names())}.")
    for folder in (None, beside, sample_folder()):
        place = Path(source).expanduser() if folder is None else folder / source
        if folder is None and "/" not in source and "." not in source:
            continue  # a bare word is a sample's name before it is a folder in the working directory
        if _exists(place):
            return place.absolute()
    for suffix in SUFFIXES:
        place = sample_folder() / f"{source}{suffix}"
        if _exists(place):
            return place
    if _exists(Path(source)):
        return Path(source).absolute()
    raise UserError(
        f"There is no data at {source}; give a file, a folder, a Hub id such as owner/name, or a sample: "
        f"{', '.join(sample_names())}."
    )


def _exists(place: Path) -> bool:
    try:
        return place.exists()
    except (OSError, ValueError):  # a name that is too long, or holds a NUL
        return False


def read_table(
    source: str,
    beside: Path | None = None,
    skip_bad: bool = False,
    subset: str | None = None,
    split: str | None = None,
) -> Table:
    """The rows of a source. UserError names the file, and the line where one cannot be read.

    With `skip_bad` such a row is there under the one key BAD_ROW, so that those after it keep their numbers. Of a
    folder `subset` and `split` choose the files.
    """
    place = find_source(source, beside)
    if place.is_dir():
        chosen = choose_files(place, subset, split)
    elif subset is not None or split is not None:
        key, value = ("data.subset", subset) if subset is not None else ("data.split", split)
        raise UserError(f"{place} is one file, which has no {key.removeprefix('data.')} {value!r}; set {key} to null.")
    else:
        chosen = FolderFiles((place,), None, ())
    parts = [_open_file(file, skip_bad) for file in chosen.files]
    rows = parts[0] if len(parts) == 1 else _Joined(parts)
    first = rows[:LOOKED_AT]
    if not first:
        raise UserError(f"{place} holds no rows; give a file with at least one instruction and its answer.")
    good = [row for row in first if BAD_ROW not in row]
    if not good:
        raise UserError(f"{place}: none of the first {len(first):,} rows can be read; is it what its name says?")
    columns = tuple(dict.fromkeys(str(column) for row in good for column in row))
    return Table(source, place, rows, columns, first, chosen.split, chosen.splits, chosen.files)


LOOKED_INTO = 4
"""Files of a folder from which it is estimated how many rows the others have."""


class _Joined(Sequence[Row]):
    """The rows of several files, one after the other."""

    def __init__(self, parts: Sequence[Sequence[Row]]) -> None:
        self._parts = parts
        self._ends: list[int] | None = None

    def _counted(self) -> list[int]:
        if self._ends is None:
            self._ends = list(accumulate(len(part) for part in self._parts))
        return self._ends

    def __len__(self) -> int:
        return self._counted()[-1]

    def size(self) -> tuple[int, bool]:
        """About how many rows there are, and whether that is counted; only the first few files are looked into."""
        if self._ends is not None:
            return self._ends[-1], True
        sizes = [part.size() if isinstance(part, LineRows) else (len(part), True) for part in self._parts[:LOOKED_INTO]]
        rest = self._parts[LOOKED_INTO:]
        lines = [part for part in self._parts[:LOOKED_INTO] if isinstance(part, LineRows)]
        rate = sum(part.guess for part in lines) / max(1, sum(part.byte_guess for part in lines))
        for part in rest:
            if isinstance(part, LineRows) and not part.is_counted:
                sizes.append((round(part.byte_guess * rate), False))
            else:
                sizes.append((len(part), True))
        return sum(count for count, _ in sizes), all(counted for _, counted in sizes)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            if (index.start or 0) >= 0 and index.stop is not None and index.stop >= 0 and index.step in (None, 1):
                return self._first(index.start or 0, index.stop)
            return [self[number] for number in range(*index.indices(len(self)))]
        number = index + len(self) if index < 0 else index
        before = 0
        for part, end in zip(self._parts, self._counted(), strict=True):
            if 0 <= number < end:
                return part[number - before]
            before = end
        raise IndexError(index)

    def _first(self, start: int, stop: int) -> list[Row]:
        """Rows from `start` to `stop`, without counting the files behind them."""
        found: list[Row] = []
        before = 0
        for part in self._parts:
            if before >= stop:
                break
            found += part[max(0, start - before) : stop - before]
            before += len(part)
        return found

    def __iter__(self) -> Iterator[Row]:
        for part in self._parts:
            yield from part


def _open_file(file: Path, skip_bad: bool) -> Sequence[Row]:
    kind = kind_of(file)
    if not kind:
        raise UserError(f"{file.name} is not a kind of file that is read; it takes {', '.join(SUFFIXES)}.")
    if kind in COLUMNAR:
        from workbench.core.data.files.columnar import OPENERS

        if file.suffix.lower() in PACKED:
            raise UserError(f"{file} is compressed as a whole; unpack it first, Parquet and Arrow compress themselves.")
        try:
            if not file.is_file() or file.stat().st_size == 0:
                raise UserError(f"{file} is empty; give a file with at least one instruction and its answer.")
        except OSError as error:
            raise UserError(f"{file} cannot be read ({error.strerror}).") from None
        return OPENERS[kind](file)
    from workbench.core.data.files.text_files import READERS

    return READERS[kind](open_plain(file), file, skip_bad)
