"""What data costs: tokenising against `datasets.map`, opening large files, moving the longest length.

`python tests/bench/data.py [work map open move …]` prints one JSON line for each figure; each is taken in a fresh process.
"""

from __future__ import annotations

import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROWS = 100_000
MILLION = 1_000_000


def write_rows(file: Path, count: int, words: int = 60) -> None:
    """Instruction rows of about twice `words` words, the same every time, none like another."""
    chance = random.Random(0)
    vocabulary = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=chance.randint(2, 9))) for _ in range(5000)]
    with file.open("w", encoding="utf-8") as out:
        for number in range(count):
            asked = " ".join(chance.choices(vocabulary, k=chance.randint(5, words)))
            answer = " ".join(chance.choices(vocabulary, k=chance.randint(5, words)))
            out.write(json.dumps({"instruction": f"{number}: {asked}?", "output": answer}) + "\n")


def write_parquet(lines: Path, file: Path) -> None:
    from pyarrow import json as arrow_json
    from pyarrow import parquet

    parquet.write_table(arrow_json.read_json(lines), file)


def work(file: str) -> dict[str, float]:
    """Reading, rendering, masking, tokenising, statistics and the doctor over every row."""
    from workbench.core.data.inspect import inspect_data
    from workbench.core.places import tiny_folder
    from workbench.core.recipe import Recipe, change_recipe

    recipe = change_recipe(Recipe(), {"data.source": file})
    started = time.perf_counter()
    report = inspect_data(recipe, tiny_folder())
    return {
        "seconds": time.perf_counter() - started,
        "rows": report["rows"],
        "tokens": report["lengths"]["total"]["sum"],
    }


def tokens(file: str) -> dict[str, float]:
    """The same without the doctor: tokens, masks and lengths."""
    from workbench.core.data.reading import read_data
    from workbench.core.data.templates.render import choose_template
    from workbench.core.data.tokens.batches import Job
    from workbench.core.data.tokens.encode import encode_stream
    from workbench.core.data.tokens.lengths import count_lengths, length_figures
    from workbench.core.data.tokens.tokenizer import open_tokenizer
    from workbench.core.places import tiny_folder
    from workbench.core.recipe import DataSection

    started = time.perf_counter()
    template = choose_template(open_tokenizer(tiny_folder()))
    data = read_data(DataSection(source=file))
    encoded = [
        done.example for _, done in encode_stream((item for _, item in data.pairs()), Job(template)) if done.example
    ]
    figures = length_figures(encoded)
    count_lengths(encoded)
    return {"seconds": time.perf_counter() - started, "rows": len(encoded), "tokens": figures["total"]["sum"]}


def by_map(file: str, processes: int) -> dict[str, float]:
    """`datasets.map` over the same rows: chat template, tokens, assistant mask, and the lengths."""
    import datasets
    from transformers import AutoTokenizer

    from workbench.core.places import tiny_folder

    datasets.disable_progress_bars()
    tokenizer = AutoTokenizer.from_pretrained(str(tiny_folder()))
    with tempfile.TemporaryDirectory() as cache:
        started = time.perf_counter()
        rows = datasets.load_dataset("json", data_files=file, split="train", cache_dir=cache)

        def encode(batch: dict[str, list[str]]) -> dict[str, list[list[int]]]:
            chats = [
                [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}]
                for asked, answer in zip(batch["instruction"], batch["output"], strict=True)
            ]
            found = tokenizer.apply_chat_template(chats, return_dict=True, return_assistant_tokens_mask=True)
            return {
                "ids": found["input_ids"],
                "mask": found["assistant_masks"],
                "n": [len(ids) for ids in found["input_ids"]],
            }

        made = rows.map(
            encode, batched=True, num_proc=processes if processes > 1 else None, remove_columns=rows.column_names
        )
        lengths = made["n"][:]
        sorted(lengths)
        return {"seconds": time.perf_counter() - started, "rows": len(lengths), "tokens": sum(lengths)}


def opening(file: str) -> dict[str, float]:
    """From nothing to the first twenty rows with their tokens."""
    started = time.perf_counter()
    from workbench.core.data.inspect import page_rows
    from workbench.core.places import tiny_folder
    from workbench.core.recipe import Recipe, change_recipe

    found = page_rows(change_recipe(Recipe(), {"data.source": file}), tiny_folder(), 0, 20)
    assert len(found["rows"]) == 20
    return {"seconds": time.perf_counter() - started, "rows": found["total"]}


def moving(file: str) -> dict[str, float]:
    """The figures for another longest length over the lengths of a million rows."""
    from workbench.core.data.tokens.lengths import figures_at

    chance = random.Random(0)
    counts: dict[int, int] = {}
    for _ in range(MILLION):
        length = min(8000, int(chance.lognormvariate(5.5, 0.8)) + 1)
        counts[length] = counts.get(length, 0) + 1
    both = [[length, counts[length]] for length in sorted(counts)]
    worst = 0.0
    for limit in (64, 256, 512, 2048, 8192):
        started = time.perf_counter()
        figures_at({"total": both, "answer_end": both, "answer_start": both}, limit)
        worst = max(worst, time.perf_counter() - started)
    return {"seconds": worst, "rows": MILLION}


def measure(name: str, file: Path) -> dict[str, float]:
    """One figure, from a process of its own."""
    code = [sys.executable, str(Path(__file__).absolute()), "--inside", name, str(file)]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    answer = subprocess.run(code, capture_output=True, text=True, check=True, env=environment)
    return json.loads(answer.stdout.splitlines()[-1])


INSIDE = {
    "work": work,
    "tokens": tokens,
    "map": lambda file: by_map(file, 1),
    "map with two processes": lambda file: by_map(file, 2),
    "open": opening,
    "move": moving,
}


def main(wanted: list[str]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows, lines, columns = folder / "rows.jsonl", folder / "million.jsonl", folder / "million.parquet"
        if not wanted or {"work", "tokens", "map"} & set(wanted):
            write_rows(rows, ROWS)
            ours, all_of_it = measure("tokens", rows), measure("work", rows)
            theirs = [measure("map", rows), measure("map with two processes", rows)]
            best = min(item["seconds"] for item in theirs)
            print(json.dumps({"figure": "tokens and lengths", **ours, "ratio": round(ours["seconds"] / best, 3)}))
            print(
                json.dumps({"figure": "with the doctor", **all_of_it, "ratio": round(all_of_it["seconds"] / best, 3)})
            )
            for item, what in zip(theirs, ("one process", "two processes"), strict=True):
                print(json.dumps({"figure": f"datasets.map, {what}", **item}))
        if not wanted or "open" in wanted:
            write_rows(lines, MILLION, 30)
            write_parquet(lines, columns)
            print(json.dumps({"figure": "open JSONL", "bytes": lines.stat().st_size, **measure("open", lines)}))
            print(json.dumps({"figure": "open Parquet", "bytes": columns.stat().st_size, **measure("open", columns)}))
        if not wanted or "move" in wanted:
            print(json.dumps({"figure": "move the longest length", **measure("move", rows)}))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        result = INSIDE[sys.argv[2]](sys.argv[3])
        status = Path("/proc/self/status").read_text()  # ru_maxrss would be the parent's
        result["peak_mb"] = int(status.split("VmHWM:")[1].split()[0]) // 1024
        everyone = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        result["cpu_seconds"] = round(sum(sum(resource.getrusage(who)[:2]) for who in everyone), 1)
        print(json.dumps(result))
    else:
        main(sys.argv[1:])
