"""Rows of JSON, CSV, TSV and plain text files."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from workbench.core.data.files.json_list import ListRows
from workbench.core.data.files.lines import CHUNK, LineRows, Row, kind_name
from workbench.core.data.files.separated import Paragraphs, SeparatedRows
from workbench.core.data.files.unpacking import PlainFile
from workbench.core.data.watch import tell
from workbench.core.errors import UserError

LARGEST = 4 << 30
"""Bytes of a file that has to be read whole (JSON lists and plain text)."""


def read_jsonl(file: PlainFile, path: Path, skip_bad: bool) -> Sequence[Row]:
    """One JSON object a line; a file that is one JSON value after all is read as that."""
    file.reach(64)
    start = file.bytes[:64].lstrip(b"\xef\xbb\xbf \t\r\n")
    if start[:1] == b"[":
        try:
            rows = ListRows(file, path)
            if rows.has(LISTED) or len(rows):
                return rows
        except UserError:
            pass
    return LineRows(file, path, skip_bad)


def read_json(file: PlainFile, path: Path, skip_bad: bool) -> Sequence[Row]:
    """A JSON list of objects, an object that holds one, or lines of objects."""
    file.reach(CHUNK)
    if file.bytes[:CHUNK].removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"[":
        return ListRows(file, path)
    lines = file.lines(CHECKED)
    first = next(lines, b"").strip().removeprefix(b"\xef\xbb\xbf")
    second = next(lines, b"").strip()
    if (first or second)[:1] == b"[":
        return ListRows(file, path)
    if first[:1] == b"{" and first[-1:] == b"}" and second:
        return LineRows(file, path, skip_bad)
    return _read_value(file, path)


CHECKED = 1 << 24
"""Most bytes of the first lines that tell what a file holds."""

LISTED = 100
"""First rows of a list that are looked at to see whether it is one."""


def _read_value(file: PlainFile, path: Path) -> list[Row]:
    text = read_text(file, path)
    try:
        value = json.loads(text)
    except ValueError as error:
        line = getattr(error, "lineno", 0)
        raise UserError(f"{path} is not valid JSON (line {line}); correct it there.", str(error)) from None
    except RecursionError:
        raise UserError(f"{path} is nested too deeply to be read as rows.") from None
    if isinstance(value, dict):
        lists = [content for content in value.values() if isinstance(content, list) and content]
        if len(lists) == 1 and all(isinstance(item, dict) for item in lists[0]):
            value = lists[0]
        else:
            value = [value]
    if not isinstance(value, list):
        raise UserError(f"{path} is not a list of rows, but {kind_name(value)}.")
    for number, item in enumerate(value, 1):
        if not isinstance(item, dict):
            raise UserError(
                f"{path}, row {number}: a row is an object with named fields, and this is {kind_name(item)}."
            )
    return value


def read_text(file: PlainFile, path: Path) -> str:
    """The whole file as text."""
    while len(file.bytes) <= LARGEST and file.grow(len(file.bytes)):
        tell(0, 0)
    if len(file.bytes) > LARGEST:
        raise UserError(f"{path} is too large to be read whole; save it as JSON lines (.jsonl) or Parquet.")
    content: bytes = file.bytes[:]
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise UserError(f"{path} is not UTF-8 text (line {line}); save it as UTF-8, or name its real kind.") from None


Reader = Callable[[PlainFile, Path, bool], Sequence[Row]]
READERS: dict[str, Reader] = {
    ".json": read_json,
    ".jsonl": read_jsonl,
    ".ndjson": read_jsonl,
    ".csv": lambda file, path, skip: SeparatedRows(file, path, skip, ","),
    ".tsv": lambda file, path, skip: SeparatedRows(file, path, skip, "\t"),
    ".txt": Paragraphs,
    ".md": Paragraphs,
}
"""How each kind of text file is read."""
