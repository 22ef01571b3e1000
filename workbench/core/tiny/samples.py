"""Write the sample data that comes from the tables: `python -m workbench.core.tiny.samples DIR`."""

import sys
from collections.abc import Mapping
from pathlib import Path

from workbench.core.tiny.formats import FORMATS, write_json_lines, write_parquet
from workbench.core.tiny.pairs import pair_capitals, pair_facts, pair_reviews


def generate_samples() -> Mapping[str, str]:
    """Text of every generated text file by its path below the sample folder."""
    sets = {"capitals": pair_capitals(), "facts": pair_facts(), "sentiment": pair_reviews()}
    (trained, held_out), (more, more_held_out) = sets["capitals"], sets["sentiment"]
    sets["two_tasks"] = ([*trained, *more], [*held_out, *more_held_out])
    texts = {}
    for name, (trained, held_out) in sets.items():
        texts[f"{name}.jsonl"] = write_json_lines(trained)
        texts[f"{name}.held_out.jsonl"] = write_json_lines(held_out)
    return texts | {f"formats/{name}": write() for name, write in FORMATS.items()}


def write_samples(folder: Path) -> None:
    """Write every generated file below the folder."""
    (folder / "formats").mkdir(parents=True, exist_ok=True)
    for name, text in generate_samples().items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "formats" / "rows.parquet").write_bytes(write_parquet())


if __name__ == "__main__":
    write_samples(Path(sys.argv[1]))
