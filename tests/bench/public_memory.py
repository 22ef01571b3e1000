"""Traced against published measurements: `python tests/bench/public_memory.py FILE [--tokens N] [--only WORD] [--save]`.

FILE has the form {"model": a Llama's sizes, "rows": [{"name", "peft", "batch", "reserved_max_bytes", …}]}, as PEFT's own
benchmark on MetaMathQA reports them: adapters in float32 over a bfloat16 base, no autocast, torch's AdamW, batches of
rows sorted from long to short in groups, the cache emptied between groups, the model's outputs, a cache of keys and values
among them, held until the next ones are there. The tokens of its longest batch are not reported; --tokens says them for
all rows. --save keeps the table for the app.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from workbench.core.memory.accuracy import FOLDER, Held, keep_table
from workbench.core.memory.device import Device
from workbench.core.memory.estimate import estimate_memory
from workbench.core.memory.row_shape import RowShape
from workbench.core.recipe import Recipe, recipe_from_mapping
from workbench.engine.environment import prepare_environment

AMPLE = 2**40
"""Bytes of a GPU on which everything fits."""


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
    parser.add_argument("--save", action="store_true", help="keep the table for the app")
    options = parser.parse_args()
    prepare_environment(1, True)
    from workbench.core.memory.loop import Loop
    from workbench.engine.skeletons import build_skeleton
    from workbench.engine.trace.tracing import trace_recipe

    published = json.loads(options.file.read_text())
    held: list[Held] = []
    with tempfile.TemporaryDirectory() as place:
        work = Path(place)
        (work / "model").mkdir()
        (work / "model" / "config.json").write_text(json.dumps(published["model"]))
        skeleton = build_skeleton(work / "model")
        loop = Loop(
            keeps_outputs=True, every_logit=True, for_each=True, caches=True, emptied=True, masked=not options.equal
        )
        rows = RowShape(options.tokens, options.tokens)
        for row in published["rows"]:
            if options.only not in row["name"]:
                continue
            recipe, name = recipe_of(row, work / "model", options.tokens, work), row.get("gpu", "")
            peak, _ = trace_recipe(recipe, skeleton, rows, "cuda", name, loop)
            device = Device("cuda", name, AMPLE, AMPLE)
            formula = estimate_memory(recipe, skeleton, device, rows, loop).reserved
            held.append(Held(row["name"], row["reserved_max_bytes"], peak.reserved, formula))
            print(f"{row['name'][:44]:44s} measured {row['reserved_max_bytes'] / 1e9:7.3f}  traced {peak.reserved / 1e9:7.3f}"
                  f"  {held[-1].error:+7.2%}  formula {formula / row['reserved_max_bytes'] - 1:+7.2%}"
                  f"  allocated {peak.allocated / 1e9:7.3f}  {peak.phase}: {peak.operation}", flush=True)  # fmt: skip
    errors = [abs(one.error) for one in held]
    print(f"{len(held)} rows: median {statistics.median(errors):.2%}, worst {max(errors):.2%}")
    if options.save:
        first = published["rows"][0]
        versions = {"torch": first["torch"], "transformers": first["tr"]}
        table = keep_table(
            FOLDER / "public.json", "Published by others", "reserved", first["gpu"], versions,
            f"{published['source']}; the length of its longest batch is not published and was taken to be "
            f"{options.tokens} tokens, which fits these rows best", held,
        )  # fmt: skip
        print(table.sentence)
    return 0


if __name__ == "__main__":
    sys.exit(main())
