"""Rows of a file with one JSON object a line: read where they stand, by memory map, never all at once."""

from __future__ import annotations

import json
import threading
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

from workbench.core.data.files.unpacking import PlainFile
from workbench.core.data.watch import tell
from workbench.core.errors import UserError

Row = dict[str, Any]

BAD_ROW = "\0bad row"
"""The one key of a row that could not be read, where such rows are skipped; its value says why."""

CHUNK = 1 << 22

TOLD = 1 << 26
"""Bytes behind which whoever waits for a row far behind is told."""


class LineRows(Sequence[Row]):
    """The non-empty lines of a JSONL file as rows; eight bytes a row are held.

    The index grows as rows are asked for, so that the first row of a huge file comes at once. UserError names the line
    of a bad row, or the row says so itself with `skip_bad`.
    """

    COUNTED: ClassVar[int] = 100_000
    """Rows that are counted when the file is opened; how many more there are is then estimated."""

    AHEAD: ClassVar[int] = 1 << 26
    """Bytes that are looked at for it."""

    def __init__(self, file: PlainFile, path: Path, skip_bad: bool = False) -> None:
        self._path, self._skip = path, skip_bad
        self._file = file
        file.reach(CHUNK)
        self._next = 3 if self._map[:3] == b"\xef\xbb\xbf" else 0
        self._starts = array("Q")
        self._lock = threading.Lock()
        self._known_line = (0, 1)

    @property
    def _map(self) -> Any:
        """The bytes that are known; there may be more behind them."""
        return self._file.bytes

    def _is_at(self, here: int) -> bool:
        """Whether there is a byte at `here`."""
        return here < len(self._map) or self._file.grow(here)

    def _index(self, count: int | None = None) -> None:
        """Find the starts of `count` rows, or of all."""
        if count is not None and len(self._starts) >= count:
            return
        with self._lock:
            self._index_more(count)

    def _index_more(self, count: int | None) -> None:
        starts = self._starts
        here = told = self._next
        while self._is_at(here) and (count is None or len(starts) < count):
            known = self._map
            end = known.find(b"\n", here)
            if end < 0:
                end = self._end(here)
                known = self._map
            if known[here] > 32 or known[here:end].strip():
                starts.append(here)
            self._next = here = end + 1
            if here - told > TOLD:
                told = here
                self._file.let_go()
                tell(len(starts), self.guess)

    def __len__(self) -> int:
        self._index()
        return len(self._starts)

    def has(self, count: int) -> bool:
        """Whether there are at least `count` rows; no more than that is read."""
        self._index(count)
        return len(self._starts) >= count

    def size(self) -> tuple[int, bool]:
        """How many rows there are, and whether that is counted (else it is an estimate from the first ones)."""
        while not self.is_counted and len(self._starts) < self.COUNTED and self._next < self.AHEAD:
            self._index(len(self._starts) + 512)
        return self.guess, self.is_counted

    @property
    def is_counted(self) -> bool:
        """Whether every row has been found."""
        return self._file.is_whole and self._next >= len(self._map)

    @property
    def byte_guess(self) -> int:
        """About how many bytes the file has, unpacked."""
        return self._file.guess

    @property
    def guess(self) -> int:
        """About how many rows there are, from the mean length of those seen so far; exact once all are."""
        if self.is_counted or not self._starts:
            return len(self._starts)
        return max(len(self._starts), round(len(self._starts) * self._file.guess / max(1, self._next)))

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            if index.stop is not None and index.stop >= 0 and (index.start or 0) >= 0:
                self._index(index.stop)
                return [self._read(at) for at in self._starts[index]]
            self._index()
            return [self._read(at) for at in self._starts[index]]
        if index < 0:
            index += len(self)
        self._index(index + 1)
        return self._read(self._starts[index])

    def __iter__(self) -> Iterator[Row]:
        number = passed = 0
        while self.has(number + 1):
            self._index(number + 1024)
            starts = self._starts[number : number + 1024]
            for at in starts:
                yield self._read(at)
            number += len(starts)
            passed = self._pass(passed, starts[-1])

    def _pass(self, passed: int, at: int) -> int:
        """Let go of the memory of rows that have been read, once they are many megabytes."""
        if at - passed < TOLD:
            return passed
        self._file.let_go()
        return at

    def rows_with(self, text: str) -> Iterator[Row | None]:
        """Every row that may hold `text` (in small letters), None for one that cannot; most are never parsed.

        What is ASCII without an escape holds no text that is not in its letters.
        """
        plain = text.encode() if text.isascii() else None
        number = passed = 0
        while self.has(number + 1):
            self._index(number + 1024)
            starts = self._starts[number : number + 1024]
            number += len(starts)
            passed = self._pass(passed, starts[-1])
            if plain is not None and self._is_without(starts[0], self._end_of_row(starts[-1]), plain):
                yield from (None for _ in starts)
                continue
            for at in starts:
                holds_none = plain is not None and self._is_without(at, self._end_of_row(at), plain)
                yield None if holds_none else self._read(at)

    def _end(self, at: int) -> int:
        """Where the line that begins at a byte ends."""
        known = self._map
        end = known.find(b"\n", at)
        while end < 0 and self._file.grow(len(known)):
            looked, known = len(known), self._map
            end = known.find(b"\n", looked)
            tell(len(self._starts), self.guess)
        return len(known) if end < 0 else end

    def _end_of_row(self, at: int) -> int:
        return self._end(at)

    def _is_without(self, start: int, end: int, plain: bytes) -> bool:
        """Whether rows between two bytes surely do not hold a text, given in small letters."""
        lines = self._map[start:end]
        return b"\\" not in lines and lines.isascii() and plain not in lines.lower()

    def _read(self, at: int) -> Row:
        line = self._map[at : self._end(at)]
        try:
            value = json.loads(line.decode("utf-8"))
            if type(value) is dict:
                return value
            why, details = f"a row is an object with named fields, and this is {kind_name(value)}", ""
        except UnicodeDecodeError:
            why, details = "it is not UTF-8 text; save the file as UTF-8", ""
        except RecursionError:
            why, details = "it is nested too deeply to be read", ""
        except ValueError as error:
            why, details = "it is not valid JSON; correct or remove it", str(error)
        place = f"line {self._line(at):,}"
        if self._skip:
            return {BAD_ROW: f"{place} cannot be read"}
        hint = ", or set data.on_bad_row to skip" if details else ""
        raise UserError(f"{self._path}, {place}: {why}{hint}.", details)

    def _line(self, at: int) -> int:
        """The number of the line that holds a byte, from 1. Rows in order cost no more than one walk over the file."""
        known, line = self._known_line
        if at < known:
            known, line = 0, 1
        for start in range(known, at, CHUNK):
            line += self._map[start : min(at, start + CHUNK)].count(b"\n")
        self._known_line = (at, line)
        return line


def kind_name(value: Any) -> str:
    """What a JSON value is, in words."""
    names = {
        list: "a list",
        str: "a text",
        bool: "true or false",
        int: "a number",
        float: "a number",
        dict: "an object",
    }
    return names.get(type(value), "nothing")
