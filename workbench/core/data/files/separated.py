"""Rows of CSV, TSV and plain text files, read where they stand like the lines of JSONL."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path

from workbench.core.data.files.lines import BAD_ROW, CHUNK, TOLD, LineRows, Row
from workbench.core.data.files.unpacking import PlainFile
from workbench.core.data.watch import tell
from workbench.core.errors import UserError

WIDEST = 1 << 27
"""Most letters in one cell: 128 MB; a quote that is never closed is told after so many."""

ALONE = ("text", "prompt", "instruction", "question", "messages", "conversations")
"""Names of a column that may be the only one; any other is more likely a table with another separator."""

TRIED = 16
"""Lines of one record that are looked at together before they are read one by one."""

PARTING = re.compile(rb"\n[ \t\r]*\n\s*")
"""What parts paragraphs."""


class SeparatedRows(LineRows):
    """The records of a CSV or TSV file under its line of column names; a field may hold line breaks within quotes."""

    COUNTED = 20_000

    def __init__(self, file: PlainFile, path: Path, skip_bad: bool, separator: str) -> None:
        super().__init__(file, path, skip_bad)
        csv.field_size_limit(WIDEST)
        self._separator = separator
        mark = re.escape(separator.encode())
        field = b'(?:"[^"]*+(?:""[^"]*+)*+"|[^"' + mark + b"\n]*+)"
        self._whole = re.compile(field + b"(?:" + mark + field + b")*+")
        """Matches lines that surely are one record, without its line break."""
        here = self._next
        while self._is_at(here) and not self._map[here : self._end(here)].strip():
            here = self._end(here) + 1
        self._next = here
        start = self._map[here : here + CHUNK]
        if b"\r" in start and b"\n" not in start:
            raise UserError(f"{path} ends its lines as old Macintosh files do; save it with the line ends of Unix.")
        try:
            self.columns, self._next = self._record(here)
        except _BadRecordError as error:
            raise UserError(f"{path}, line {error.line:,} cannot be read: {error}.") from None
        if len(self.columns) < 2 and self.columns[0].strip().lower() not in ALONE:
            raise UserError(
                f"{path} has only one column; its first line names the columns, separated by {separator!r}."
            )

    def _index_more(self, count: int | None) -> None:
        here = told = self._next
        while self._is_at(here) and (count is None or len(self._starts) < count):
            end = self._end(here)
            line = self._map[here:end]
            if not line.strip(b"\r"):
                self._next = here = end + 1
                continue
            past = self._past(here, end) if b'"' in line else end
            self._starts.append(here)
            self._next = here = past + 1
            if here - told > TOLD:
                told = here
                tell(len(self._starts), self.guess)

    def _past(self, here: int, end: int) -> int:
        """Where a record ends that begins at a byte and whose first line, which holds a quote, ends at `end`."""
        last = end
        for _ in range(TRIED):
            text = self._map[here:last]
            if text.count(b'"') % 2 == 0 and self._whole.fullmatch(text.removesuffix(b"\r")):
                return last
            if not self._is_at(last) or len(text) > CHUNK:
                break
            last = self._end(last + 1)
        try:
            return self._record(here)[1] - 1
        except _BadRecordError:
            return end  # told when the row is read; the next line begins another

    def _read(self, at: int) -> Row:
        try:
            fields, _ = self._record(at)
            if len(fields) == len(self.columns):
                return dict(zip(self.columns, fields, strict=True))
            why = f"has {len(fields)} fields instead of {len(self.columns)}"
        except _BadRecordError as error:
            if error.is_text and not self._skip:
                raise UserError(f"{self._path}, line {error.line:,} {error}") from None
            why = f"cannot be read: {error}"
        line = self._line(at)
        if self._skip:
            return {BAD_ROW: f"line {line:,} cannot be read"}
        raise UserError(f"{self._path}, line {line:,} {why}; correct it, or set data.on_bad_row to skip.")

    def _record(self, at: int) -> tuple[list[str], int]:
        """The fields of the record that begins at a byte, and where the next one begins."""
        here = at

        def lines() -> Iterator[str]:
            nonlocal here
            while self._is_at(here):
                line = self._map[here : self._end(here) + 1]
                end = here + len(line)
                if b"\0" in line:
                    raise _BadRecordError("holds NUL bytes, so it is no text; save it as text.", self._line(here), True)
                try:
                    text = line.decode("utf-8")
                except UnicodeDecodeError:
                    said = "is not UTF-8 text; save the file as UTF-8, or name its real kind."
                    raise _BadRecordError(said, self._line(here), True) from None
                here = end
                yield text

        try:
            fields = next(csv.reader(lines(), delimiter=self._separator, strict=True), [])
        except csv.Error as error:
            raise _BadRecordError(str(error), self._line(at), False) from None
        return fields, here

    def _is_without(self, start: int, end: int, plain: bytes) -> bool:
        records = self._map[start:end]
        return b'"' not in plain and records.isascii() and plain not in records.lower()

    def _end_of_row(self, at: int) -> int:
        try:
            return self._record(at)[1]
        except _BadRecordError:
            return self._end(at)


class _BadRecordError(Exception):
    def __init__(self, said: str, line: int, is_text: bool) -> None:
        super().__init__(said)
        self.line = line
        self.is_text = is_text
        """Whether the message is about the bytes, whole as it stands."""


class Paragraphs(LineRows):
    """The paragraphs of a text, parted by empty lines, each under the column text."""

    def _index_more(self, count: int | None) -> None:
        here = told = self._next
        while self._is_at(here) and self._map[here] <= 32:
            here += 1
        while self._is_at(here) and (count is None or len(self._starts) < count):
            parting = PARTING.search(self._map, here)
            while (parting is None or parting.end() == len(self._map)) and self._file.grow(len(self._map)):
                tell(len(self._starts), self.guess)
                parting = PARTING.search(self._map, parting.start() if parting else here)
            self._starts.append(here)
            self._next = here = parting.end() if parting else len(self._map)
            if here - told > TOLD:
                told = here
                tell(len(self._starts), self.guess)
        self._next = here

    def _read(self, at: int) -> Row:
        content = self._map[at : self._end_of_row(at)]
        try:
            return {"text": content.decode("utf-8").replace("\r\n", "\n").strip("\r\n")}
        except UnicodeDecodeError as error:
            line = self._line(at + error.start)
        if self._skip:
            return {BAD_ROW: f"line {line:,} cannot be read"}
        raise UserError(f"{self._path} is not UTF-8 text (line {line:,}); save it as UTF-8, or name its real kind.")

    def _end_of_row(self, at: int) -> int:
        parting = PARTING.search(self._map, at)
        return parting.start() if parting else len(self._map)

    def _is_without(self, start: int, end: int, plain: bytes) -> bool:
        texts = self._map[start:end]
        return b"\r" not in texts and texts.isascii() and plain not in texts.lower()
