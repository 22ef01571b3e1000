"""Rows from a bundled sample, a file, or a folder of files. The source is only ever read."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.core.errors import UserError
from workbench.core.places import sample_folder

Row = dict[str, Any]

SUFFIXES = (".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".parquet", ".arrow", ".feather", ".txt", ".md")
"""File endings that are read; each may be followed by .gz but the columnar ones."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows as they stand in the source."""

    source: str
    path: Path
    rows: list[Row]
    columns: tuple[str, ...]
    """Names of the columns of all rows, in order of first appearance."""


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
        if place.exists():
            return place.absolute()
    for suffix in SUFFIXES:
        place = sample_folder() / f"{source}{suffix}"
        if place.is_file():
            return place
    if Path(source).exists():
        return Path(source).absolute()
    raise UserError(f"There is no data at {source}; give a file, a folder, or a sample: {', '.join(sample_names())}.")


def read_table(source: str, beside: Path | None = None) -> Table:
    """Every row of a source. UserError names the file, and the line where one cannot be read."""
    place = find_source(source, beside)
    files = _files_in(place) if place.is_dir() else [place]
    rows = [row for file in files for row in _read_file(file)]
    if not rows:
        raise UserError(f"{place} holds no rows; give a file with at least one instruction and its answer.")
    columns = tuple(dict.fromkeys(column for row in rows for column in row))
    return Table(source, place, rows, columns)


def _files_in(folder: Path) -> list[Path]:
    files = sorted(file for file in folder.rglob("*") if file.is_file() and _kind_of(file))
    if not files:
        raise UserError(f"{folder} holds no data file; it takes {', '.join(SUFFIXES)}.")
    return files


def _kind_of(file: Path) -> str:
    name = file.name.lower().removesuffix(".gz")
    return next((suffix for suffix in SUFFIXES if name.endswith(suffix)), "")


def _read_file(file: Path) -> list[Row]:
    kind = _kind_of(file)
    if not kind:
        raise UserError(f"{file.name} is not a kind of file that is read; it takes {', '.join(SUFFIXES)}.")
    try:
        if file.stat().st_size == 0:
            raise UserError(f"{file} is empty; give a file with at least one instruction and its answer.")
        if kind in (".parquet", ".arrow", ".feather"):
            return _read_columnar(file, kind)
        content = file.read_bytes()
    except OSError as error:
        raise UserError(f"{file} cannot be read ({error.strerror}).") from None
    text = _text_of(_unzipped(content, file), file)
    return _READERS[kind](text, file)


def _unzipped(content: bytes, file: Path) -> bytes:
    if not file.name.lower().endswith(".gz"):
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError):
        raise UserError(f"{file} is not a whole gzip file, though its name says so; copy it again.") from None


def _text_of(content: bytes, file: Path) -> str:
    if content[:4] == b"PAR1":
        raise UserError(f"{file} is a Parquet file, though its name does not say so; rename it to end in .parquet.")
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise UserError(f"{file} is not UTF-8 text (line {line}); save it as UTF-8, or name its real kind.") from None


def _as_row(value: Any, file: Path, where: str) -> Row:
    if isinstance(value, dict):
        return {str(key): content for key, content in value.items()}
    raise UserError(f"{file}, {where}: a row is an object with named fields, and this is {_kind_name(value)}.")


def _kind_name(value: Any) -> str:
    names = {list: "a list", str: "a text", bool: "true or false", int: "a number", float: "a number"}
    return names.get(type(value), "nothing")


def _read_json(text: str, file: Path) -> list[Row]:
    try:
        value = json.loads(text)
    except ValueError as error:
        lines = [line for line in text.splitlines() if line.strip()]
        if len(lines) > 1 and lines[0].lstrip().startswith("{") and lines[0].rstrip().endswith("}"):
            return _read_jsonl(text, file)
        line = getattr(error, "lineno", 0)
        raise UserError(f"{file} is not valid JSON (line {line}); correct it there.", str(error)) from None
    except RecursionError:
        raise UserError(f"{file} is nested too deeply to be read as rows.") from None
    if isinstance(value, dict):
        lists = [content for content in value.values() if isinstance(content, list) and content]
        if len(lists) == 1 and all(isinstance(item, dict) for item in lists[0]):
            value = lists[0]
        else:
            value = [value]
    if not isinstance(value, list):
        raise UserError(f"{file} is not a list of rows, but {_kind_name(value)}.")
    return [_as_row(item, file, f"row {number}") for number, item in enumerate(value, 1)]


def _read_jsonl(text: str, file: Path) -> list[Row]:
    rows = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except ValueError as error:
            if number == 1 and line.lstrip()[:1] == "[":
                return _read_json(text, file)
            raise UserError(f"{file}, line {number} is not valid JSON; correct or remove it.", str(error)) from None
        except RecursionError:
            raise UserError(f"{file}, line {number} is nested too deeply to be read.") from None
        if number == 1 and isinstance(value, list):
            return _read_json(text, file)
        rows.append(_as_row(value, file, f"line {number}"))
    return rows


def _read_separated(text: str, file: Path, separator: str) -> list[Row]:
    if "\0" in text:
        raise UserError(f"{file} holds NUL bytes, so it is no {file.suffix} file; save it as text.")
    csv.field_size_limit(2**31 - 1)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    rows: list[Row] = []
    try:
        head = next(reader, [])
        if len(head) < 2:
            raise UserError(
                f"{file} has only one column; its first line names the columns, separated by {separator!r}."
            )
        for fields in reader:
            if not fields:
                continue
            if len(fields) != len(head):
                raise UserError(f"{file}, line {reader.line_num} has {len(fields)} fields instead of {len(head)}.")
            rows.append(dict(zip(head, fields, strict=True)))
    except csv.Error as error:
        raise UserError(f"{file}, line {reader.line_num} cannot be read: {error}.") from None
    return rows


def _read_columnar(file: Path, kind: str) -> list[Row]:
    import pyarrow as arrow

    try:
        if kind == ".parquet":
            from pyarrow import parquet

            table = parquet.read_table(file)
        else:
            table = _read_arrow(file)
    except (arrow.ArrowException, OSError) as error:
        raise UserError(
            f"{file} is not a whole {kind} file, though its name says so; copy it again.", str(error)
        ) from None
    return list(table.to_pylist())


def _read_arrow(file: Path) -> Any:
    """An Arrow file, or an Arrow stream as `datasets` saves it."""
    import pyarrow as arrow
    from pyarrow import ipc

    with arrow.memory_map(str(file)) as source:
        try:
            return ipc.open_file(source).read_all()
        except arrow.ArrowInvalid:
            source.seek(0)
            return ipc.open_stream(source).read_all()


def _read_text(text: str, file: Path) -> list[Row]:  # noqa: ARG001
    """Plain text: paragraphs, parted by empty lines, are rows."""
    parts = (part.strip("\n") for part in text.replace("\r\n", "\n").split("\n\n"))
    return [{"text": part} for part in parts if part.strip()]


_READERS: dict[str, Callable[[str, Path], list[Row]]] = {
    ".json": _read_json,
    ".jsonl": _read_jsonl,
    ".ndjson": _read_jsonl,
    ".csv": lambda text, file: _read_separated(text, file, ","),
    ".tsv": lambda text, file: _read_separated(text, file, "\t"),
    ".txt": _read_text,
    ".md": _read_text,
}
