"""Traced against published measurements: `python tests/bench/public_memory.py FILE [--tokens N] [--only WORD] [--save FILE]`.

FILE has the form {"model": a Llama's sizes, "rows": [{"name", "peft", "batch", "reserved_max_bytes", …}]}, as PEFT's own
benchmark on MetaMathQA reports them: adapters in float32 over a bfloat16 base, no autocast, torch's AdamW, batches of
rows sorted from long to short in groups, the cache emptied between groups, the model's outputs, a cache of keys and values
among them, held until the next ones are there. The tokens of its longest batch are not reported; --tokens says them for
all rows.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from workbench.core.memory.row_shape import RowShape
from workbench.core.recipe import Recipe, recipe_from_mapping
from workbench.engine.environment import prepare_environment


def method_of(peft: dict[str, Any], work: Path) -> dict[str, Any]:
    """The method of a recipe that a PEFT config means."""
    if not peft:
        return {"name": "full"}
    if peft["peft_type"] == "ADALORA":  # needs to be told of every step, so it is a method of its own
        targets = ",".join(sorted(peft["target_modules"]))
        return {"name": "adalora", "start_rank": peft["init_r"], "rank": peft["target_r"], "targets": targets}
    folder = Path(tempfile.mkdtemp(dir=work))
    (folder / "adapter_config.json").write_text(json.dumps(peft))
    return {"name": "peft", "config": str(folder)}


def recipe_of(row: dict[str, Any], model: Path, tokens: int, work: Path) -> Recipe:
    """The recipe that stands for a measured run."""
    return recipe_from_mapping(
        {
            "model": {"path": str(model)},
            "data": {"max_length": max(8, tokens)},
            "method": method_of(row["peft"], work),
            "training": {
                "micro_batch": row["batch"], "effective_batch": row["batch"],
                "precision": row.get("dtype", "bfloat16"), "autocast": False, "max_grad_norm": 1.0,
            },
        }
    )  # fmt: skip


def main() -> int:
    """Trace every row and print a table; the errors' median and worst at the end."""
    parser = argparse.ArgumentParser(description="Traced against published measurements.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--tokens", type=int, default=698, help="tokens of every row of the longest batch (698)")
    parser.add_argument("--only", default="", help="rows whose name holds this")
    parser.add_argument("--equal", action="store_true", help="rows of one length: no mask, so the flash kernel")
    parser.add_argument("--save", type=Path)
    options = parser.parse_args()
    prepare_environment(1, True)
    from workbench.core.memory.loop import Loop
    from workbench.engine.skeletons import build_skeleton
    from workbench.engine.trace.tracing import trace_recipe

    published = json.loads(options.file.read_text())
    lines: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as place:
        work = Path(place)
        (work / "model").mkdir()
        (work / "model" / "config.json").write_text(json.dumps(published["model"]))
        skeleton = build_skeleton(work / "model")
        loop = Loop(
            keeps_outputs=True, every_logit=True, for_each=True, caches=True, emptied=True, masked=not options.equal
        )
        for row in published["rows"]:
            if options.only not in row["name"]:
                continue
            recipe = recipe_of(row, work / "model", options.tokens, work)
            rows = RowShape(options.tokens, options.tokens)
            peak, seconds = trace_recipe(recipe, skeleton, rows, "cuda", row.get("gpu", ""), loop)
            error = peak.reserved / row["reserved_max_bytes"] - 1
            lines.append(
                {"name": row["name"], "measured": row["reserved_max_bytes"], "traced": peak.reserved, "error": error,
                 "allocated": peak.allocated, "peak_at": f"{peak.phase}: {peak.operation}", "seconds": round(seconds, 1)}
            )  # fmt: skip
            print(f"{row['name'][:44]:44s} measured {row['reserved_max_bytes'] / 1e9:7.3f}  traced {peak.reserved / 1e9:7.3f}"
                  f"  {100 * error:+6.2f}%  allocated {peak.allocated / 1e9:7.3f}  {peak.phase}: {peak.operation}", flush=True)  # fmt: skip
    errors = [abs(line["error"]) for line in lines]
    print(f"{len(lines)} rows: median {100 * statistics.median(errors):.2f}%, worst {100 * max(errors):.2f}%")
    if options.save:
        options.save.write_text(json.dumps({"tokens": options.tokens, "rows": lines}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
