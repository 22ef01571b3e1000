"""Where every row goes, and which rows each finding is about: all their numbers, by name."""

from __future__ import annotations

import base64
import zlib
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, pairwise
from typing import Any

USES = {
    "train": "rows that are trained on",
    "held_out": "rows that are held out",
    "cut": "rows longer than data.max_length, whatever becomes of them",
    "left_out": "rows that are neither trained on nor held out",
    "findings": "rows that a finding is about",
}
"""Sets that all data has; beside them stands one for each kind of finding."""

ALL = "findings"


@dataclass(frozen=True, slots=True)
class RowSet:
    """Numbers of rows from 0, ascending, each once."""

    rows: Sequence[int]
    of: str = "source"
    """Which rows they count: those of the `source`, or of the `held_out` file where it is one of its own."""


def row_set(rows: Iterable[int], of: str = "source") -> RowSet:
    """The set of these rows."""
    return RowSet(array("I", sorted(set(rows))), of)


def sets_of_rows(
    total: int,
    train: Iterable[int],
    held_out: Iterable[int],
    held_file: bool,
    cut: Iterable[int],
    findings: Sequence[Mapping[str, Any]],
) -> dict[str, RowSet]:
    """Every set by name: `total` rows were looked at; the findings are those of `find_problems`."""
    found = {"train": row_set(train), "held_out": row_set(held_out, "held_out" if held_file else "source")}
    used = bytearray(total)
    for row in chain(found["train"].rows, () if held_file else found["held_out"].rows):
        used[row] = 1
    found["cut"] = row_set(cut)
    found["left_out"] = RowSet(array("I", (row for row, taken in enumerate(used) if not taken)))
    single = [item for item in findings if not item["about_all"]]
    found[ALL] = row_set(chain.from_iterable(item["rows"] for item in single if item["of"] == "source"))
    found.update({item["kind"]: row_set(item["rows"], item["of"]) for item in single})
    return found


def pack_rows(rows: Sequence[int]) -> str:
    """Row numbers in few letters, for another process: their steps, deflated; a million rows are some 100 KB."""
    steps = array("I", (now - before for before, now in pairwise(chain((0,), rows))))
    return base64.b64encode(zlib.compress(steps.tobytes(), 1)).decode("ascii")


def unpack_rows(packed: str) -> array[int]:
    """What `pack_rows` packed."""
    steps = array("I")
    steps.frombytes(zlib.decompress(base64.b64decode(packed)))
    return array("I", accumulate(steps))


def pack_sets(sets: Mapping[str, RowSet]) -> dict[str, dict[str, str]]:
    """Sets as JSON: {name: {"of", "rows": packed}}."""
    return {name: {"of": item.of, "rows": pack_rows(item.rows)} for name, item in sets.items()}


def unpack_sets(packed: Mapping[str, Mapping[str, str]]) -> dict[str, RowSet]:
    """What `pack_sets` packed."""
    return {name: RowSet(unpack_rows(item["rows"]), item["of"]) for name, item in packed.items()}
