"""What has been proved of each method: the table that the test of methods by architectures and precisions wrote."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

PROVED_FILE = Path(__file__).with_name("proved.json")
"""`versions`, `architectures`, `precisions`, and `rows` of `title`, `method` and `cells`.

A cell stands under its architecture and precision: `parameters` (trained) and `merges`, or `refuses`, a sentence.
"""

REFUSED, MERGED, KEPT, UNTRIED = "–", "m", "✓", "?"
"""Marks of a cell: the method refuses the model; it holds and merges; it holds and is kept as an adapter; not tried."""

WORDS = {"llama": "Llama", "qwen2": "Qwen2", "qwen3": "Qwen3", "mistral": "Mistral", "gemma": "Gemma", "phi": "Phi",
         "gpt2": "GPT-2", "gpt_neox": "GPT-NeoX", "opt": "OPT"}  # fmt: skip
"""The architectures as their papers write them."""


@lru_cache(maxsize=1)
def read_proved() -> dict[str, Any]:
    """The table; without rows where there is none yet."""
    try:
        found = json.loads(PROVED_FILE.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {"versions": {}, "architectures": [], "precisions": [], "rows": []}
    return dict(found)


def proved_of(method: str) -> list[dict[str, Any]]:
    """The rows of one method, by the name that a recipe uses; QLoRA's are LoRA's over a quantised base."""
    rows = read_proved()["rows"]
    return [row for row in rows if row["method"] == method or (method == "qlora" and row["method"] == "lora")]


def proved_words(method: str, model_type: str) -> str:
    """Over which bases of an architecture the method has been proved, in words; empty where nothing was tried."""
    found: dict[str, bool] = {}
    for row in proved_of(method)[:1]:
        for precision, cell in row["cells"].get(model_type, {}).items():
            if method == "qlora" and precision == "full precision":
                continue
            found[precision] = "refuses" not in cell
    held = [precision for precision, holds in found.items() if holds]
    return ", ".join(held)


def proved_markdown(table: Mapping[str, Any]) -> str:
    """The table as Markdown: a row a method, a column an architecture, a mark a precision."""
    versions = ", ".join(f"{name} {version}" for name, version in table["versions"].items())
    precisions, architectures = table["precisions"], table["architectures"]
    lines = [
        "# Methods, proved",
        "",
        "Written by `tests/methods/test_matrix.py`, which trains each method on a tiny model of each architecture "
        f"({versions}). A mark stands for each precision of the base, in this order: {', '.join(precisions)}.",
        "",
        f"- `{KEPT}` the loss falls; the trained parameters are as many as the formula counts; a fresh process opens "
        "the saved result and gives the same logits; with the adapter off it gives the base's; it generates with the "
        "cache as without; taken up half-way by a fresh process, the losses are the same to the last bit.",
        f"- `{MERGED}` all of that, and merged into the whole base it gives the same logits, also loaded as a plain "
        "model. Without it, merging is refused with a sentence.",
        f"- `{REFUSED}` the method refuses before it starts, with the sentence below.",
        "",
        "| method | " + " | ".join(WORDS.get(one, one) for one in architectures) + " |",
        "|---|" + "---|" * len(architectures),
    ]
    for row in table["rows"]:
        found = [row["cells"].get(one, {}) for one in architectures]
        marks = ["".join(_mark(cells.get(each)) for each in precisions) for cells in found]
        lines.append(f"| {row['title']} | " + " | ".join(f"`{one}`" for one in marks) + " |")
    lines += ["", "## Refusals", "", *_refusals(table)]
    return "\n".join(lines) + "\n"


def _mark(cell: Mapping[str, Any] | None) -> str:
    if cell is None:
        return UNTRIED
    if "refuses" in cell:
        return REFUSED
    return MERGED if cell["merges"] else KEPT


def _refusals(table: Mapping[str, Any]) -> list[str]:
    """Each sentence once, with the methods that say it."""
    said: dict[str, list[str]] = {}
    for row in table["rows"]:
        for cells in row["cells"].values():
            for cell in cells.values():
                titles = said.setdefault(cell["refuses"], []) if "refuses" in cell else [row["title"]]
                if row["title"] not in titles:
                    titles.append(row["title"])
    return [f"- {', '.join(titles)}: {sentence}" for sentence, titles in said.items()]
