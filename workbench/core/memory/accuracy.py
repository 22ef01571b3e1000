"""How far the estimate has been from measured runs: the tables that the benches wrote, each with its device and date.

`tests/bench/measured_memory.py` measures real steps on the device that is there; `tests/bench/public_memory.py` takes
measurements that others have published. This machine's own runs are in `workbench.core.memory.experience`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from statistics import median
from typing import Any

from workbench.core.words import share_text

FOLDER = Path(__file__).with_name("held")
"""A JSON file for each table."""

MEANINGS = {"reserved": "reserved by CUDA's allocator", "allocated": "allocated by tensors"}
"""What was measured: the peak in bytes of one of these."""


@dataclass(frozen=True, slots=True)
class Held:
    """One measured configuration; sizes in bytes."""

    what: str
    """Model, method and settings."""
    measured: int
    traced: int
    formula: int
    """The closed form's figure for the same."""

    @property
    def error(self) -> float:
        """How far the traced figure is off, as a share of what was measured."""
        return self.traced / self.measured - 1


@dataclass(frozen=True, slots=True)
class Table:
    """Configurations that were measured on one device."""

    title: str
    of: str
    """Which peak: a key of MEANINGS."""
    device: str
    date: str
    versions: Mapping[str, str]
    source: str
    """Who measured, and how."""
    rows: tuple[Held, ...]

    @property
    def middle(self) -> float:
        """Median error of the trace, a share."""
        return median(abs(row.error) for row in self.rows)

    @property
    def worst(self) -> float:
        """The trace's largest error, a share with its sign."""
        return max((row.error for row in self.rows), key=abs)

    @property
    def sentence(self) -> str:
        """What the table says, in a sentence."""
        side = "high" if self.worst > 0 else "low"
        return (
            f"{self.title}: {len(self.rows)} configurations on {self.device}, {MEANINGS[self.of]}; the trace is "
            f"{share_text(self.middle)} off in the middle, {share_text(abs(self.worst))} too {side} at worst."
        )

    def to_json(self) -> dict[str, Any]:
        """The figures of the sentence."""
        return {
            "title": self.title, "of": self.of, "device": self.device, "date": self.date,
            "configurations": len(self.rows), "median_error": self.middle, "worst_error": self.worst,
            "source": self.source,
        }  # fmt: skip


@lru_cache(maxsize=1)
def accuracy_tables() -> tuple[Table, ...]:
    """Every table there is, measurements on a GPU first."""
    found = [table_from_json(json.loads(file.read_text("utf-8"))) for file in sorted(FOLDER.glob("*.json"))]
    return tuple(sorted(found, key=lambda table: (table.of != "reserved", table.title)))


def table_from_json(values: Mapping[str, Any]) -> Table:
    """A table from the form that `keep_table` writes."""
    rows = tuple(Held(**row) for row in values["rows"])
    return Table(**{**{key: values[key] for key in values if key != "rows"}, "rows": rows})


def keep_table(
    file: Path, title: str, of: str, device: str, versions: Mapping[str, str], source: str, rows: Sequence[Held]
) -> Table:
    """Write a table of today, a row a line, and give it back."""
    from dataclasses import asdict
    from datetime import date

    head = {
        "title": title, "of": of, "device": device, "date": date.today().isoformat(), "versions": dict(versions),
        "source": source,
    }  # fmt: skip
    lines = ",\n".join("  " + json.dumps(asdict(row)) for row in rows)
    text = json.dumps(head, indent=1)[:-2] + f',\n "rows": [\n{lines}\n ]\n}}\n'
    file.write_text(text, encoding="utf-8")
    return table_from_json(json.loads(text))
