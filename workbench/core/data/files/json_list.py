"""Rows of a JSON list, decoded one by one where they stand."""

from __future__ import annotations

import codecs
import json
import re
from bisect import bisect_right
from pathlib import Path

from workbench.core.data.files.lines import TOLD, LineRows, Row, kind_name
from workbench.core.data.files.unpacking import PlainFile
from workbench.core.data.watch import tell
from workbench.core.errors import UserError

WINDOW = 1 << 18
"""Bytes that are decoded at once; a row that is longer gets four times as many, and so on."""

WIDEST = 1 << 28
"""Bytes behind which a row that has no end is taken for none."""

BLANK = re.compile(r"[ \t\r\n]*")


class ListRows(LineRows):
    """The objects in a JSON list; eight bytes a row are held. A list cannot be read on behind what is no JSON in it."""

    def __init__(self, file: PlainFile, path: Path) -> None:
        super().__init__(file, path)
        start = self._map.find(b"[", self._next)
        if start < 0 or self._map[self._next : start].strip():
            raise UserError(f"{path} is not a list of rows.")
        self._next = start + 1
        self._decoder = json.JSONDecoder()

    def _index_more(self, count: int | None) -> None:
        told = self._next
        while self._is_at(self._next) and (count is None or len(self._starts) < count):
            self._index_window(count)
            if self._next - told > TOLD:
                told = self._next
                tell(len(self._starts), self.guess)

    def _index_window(self, count: int | None) -> None:
        """Find the rows in the bytes from the last one on; at least one, or the end of the list."""
        width, found = WINDOW, 0
        while not found:
            here = self._next
            text, whole = self._window(here, width)
            ascii = text.isascii()
            known = at = 0
            while count is None or len(self._starts) < count:
                at = _skip_blank(text, at)
                if not self._starts and text[at : at + 1] == "]":
                    self._finish(here + at)
                    return
                try:
                    _, end = self._decoder.raw_decode(text, at)
                except RecursionError:
                    raise UserError(f"{self._path} is nested too deeply to be read as rows.") from None
                except ValueError as error:
                    if whole or width > WIDEST:
                        raise self._broken(here + len(text[known:at].encode()), error) from None
                    break
                after = _skip_blank(text, end)
                mark = text[after : after + 1]
                if not mark and not whole:
                    break
                self._starts.append(here + (at - known if ascii else len(text[known:at].encode())))
                here += after + 1 - known if ascii else len(text[known : after + 1].encode())
                if mark not in (",", "]"):
                    self._starts.pop()
                    raise self._broken(min(here, len(self._map)), None)
                self._next = here
                known = at = after + 1
                found += 1
                if mark == "]":
                    self._finish(here - 1)
                    return
            width *= 4

    def _window(self, here: int, width: int) -> tuple[str, bool]:
        """The text of the bytes from `here` on, and whether it reaches the end of the file."""
        self._file.reach(here + width)
        whole = here + width >= len(self._map)
        try:
            return codecs.getincrementaldecoder("utf-8")().decode(self._map[here : here + width], final=whole), whole
        except UnicodeDecodeError as error:
            line = self._line(here + error.start)
            raise UserError(
                f"{self._path} is not UTF-8 text (line {line:,}); save it as UTF-8, or name its real kind."
            ) from None

    def _finish(self, at: int) -> None:
        """The list ends at a byte; nothing but white space may follow."""
        while self._file.grow(len(self._map)):
            tell(len(self._starts), self.guess)
        if self._map[at + 1 :].strip():
            raise self._broken(at + 1, None)
        self._next = len(self._map)

    def _broken(self, at: int, error: ValueError | None) -> UserError:
        line = self._line(min(at, len(self._map)))
        return UserError(f"{self._path} is not valid JSON (line {line:,}); correct it there.", str(error or ""))

    def _read(self, at: int) -> Row:
        value, _ = self._decoder.raw_decode(self._map[at : self._end_of_row(at)].decode("utf-8"))
        if isinstance(value, dict):
            return value
        raise UserError(
            f"{self._path}, row {bisect_right(self._starts, at):,}: a row is an object with named fields, and this is "
            f"{kind_name(value)}."
        )

    def _end_of_row(self, at: int) -> int:
        """Where the next row begins, or what is known of the file ends."""
        number = bisect_right(self._starts, at)
        return self._starts[number] if number < len(self._starts) else self._next


def _skip_blank(text: str, at: int) -> int:
    found = BLANK.match(text, at)
    return found.end() if found else at
