"""Data that stays open between two looks at it, so that the index of a large file is made once."""

from __future__ import annotations

import threading
from pathlib import Path

from workbench.core.data.reading import ReadData, read_data
from workbench.core.places import Workspace
from workbench.core.recipe import DataSection

KEPT = 2
"""Data that stay open: a recipe's own and its held-out file."""

Key = tuple[object, ...]
Stamp = tuple[tuple[str, int, int], ...]

_lock = threading.Lock()
_opened: list[tuple[Key, Stamp, ReadData]] = []


def open_data(
    section: DataSection,
    source: str | None = None,
    beside: Path | None = None,
    workspace: Workspace | None = None,
) -> ReadData:
    """What `read_data` gives, the last one again where neither the recipe's way of reading nor a file has changed."""
    key = (
        source or section.source, source is None, beside, workspace, section.subset, section.split, section.revision,
        repr(section.mix), section.on_bad_row, section.format, repr(section.mapping), section.paths, Path.cwd(),
    )  # fmt: skip
    with _lock:
        for number, (known, stamp, data) in enumerate(_opened):
            if known == key:
                _opened.pop(number)
                if stamp == _stamp(data):
                    _opened.append((known, stamp, data))
                    return data
                break
    data = read_data(section, source, beside, workspace)
    with _lock:
        _opened.append((key, _stamp(data), data))
        del _opened[:-KEPT]
    return data


def _stamp(data: ReadData) -> Stamp:
    """What changes where a file or a folder of the data does."""
    found = []
    for part in data.parts:
        for path in (part.table.path, *part.table.files):
            try:
                status = path.stat()
                found.append((str(path), status.st_mtime_ns, status.st_size))
            except OSError:
                found.append((str(path), 0, -1))
    return tuple(found)
