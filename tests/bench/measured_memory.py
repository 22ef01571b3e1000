"""Two real training steps of many configurations, measured on the device that is here, against the trace and the formula.

    python tests/bench/measured_memory.py measure --to FILE [--only WORD] [--for SECONDS]
    python tests/bench/measured_memory.py compare FILE [--save]

`measure` builds randomly initialised models, takes two real steps of each configuration with rows of full length by
`workbench calibrate`'s own process, and appends what came out to FILE, a JSON line each; a configuration that is there
already is left out, so it goes on where it was ended. `compare` needs no GPU: it traces the same configurations and
prints the table; --save keeps it for the app (workbench/core/memory/held). Nothing is downloaded.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from memory_grid import MODELS as PUBLISHED
from memory_grid import OTHERS

from workbench.core.data.remembered import data_report
from workbench.core.errors import RunFailedError, UserError
from workbench.core.memory.accuracy import FOLDER, Held, Table, keep_table
from workbench.core.memory.device import Device, find_device
from workbench.core.memory.estimate import estimate_memory
from workbench.core.memory.rehearsed import rehearse_recipe
from workbench.core.memory.row_shape import RowShape
from workbench.core.places import Workspace, find_workspace, tiny_folder
from workbench.core.recipe import Recipe, recipe_from_mapping

PACKAGES = ("torch", "transformers", "peft", "bitsandbytes", "accelerate")

MODELS: dict[str, dict[str, Any]] = {
    "llama-10m": {"model_type": "llama", "vocab_size": 8192, "hidden_size": 256, "intermediate_size": 704,
                  "num_hidden_layers": 8, "num_attention_heads": 8, "num_key_value_heads": 4},
    "gpt2-10m": {"model_type": "gpt2", "vocab_size": 8192, "n_embd": 256, "n_layer": 8, "n_head": 8,
                 "n_positions": 4096},
    "qwen3-10m": {"model_type": "qwen3", "vocab_size": 8192, "hidden_size": 256, "intermediate_size": 704,
                  "num_hidden_layers": 8, "num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 48},
    "qwen2.5-0.5b": PUBLISHED["qwen2-0.5b"],
    "llama-3.2-1b": PUBLISHED["llama-1b"],
    "llama-3.2-3b": OTHERS["llama-3b"],
    "llama-3.1-8b": PUBLISHED["llama-8b"],
}  # fmt: skip
"""Sizes of published models, and three small ones for a CPU; weights are random."""

DATA: dict[str, Any] = {"template": "plain", "held_out": 0.05}
FULL: dict[str, Any] = {"name": "full"}
LORA: dict[str, Any] = {"name": "lora", "rank": 16}
DORA: dict[str, Any] = {"name": "lora", "rank": 16, "dora": True}
QLORA: dict[str, Any] = {"name": "qlora", "rank": 16}
INT8: dict[str, Any] = {"name": "qlora", "rank": 16, "quantisation": "int8"}
SAVING = {"gradient_checkpointing": True}

Configuration = tuple[str, dict[str, Any], int, dict[str, Any]]
"""Model, method, tokens of every row, settings of the training."""

ON_GPU: list[Configuration] = [
    ("qwen2.5-0.5b", FULL, 512, {}),
    ("qwen2.5-0.5b", FULL, 2048, {"optimizer": "adamw_8bit"}),
    ("qwen2.5-0.5b", FULL, 2048, {"optimizer": "paged_adamw_8bit", **SAVING}),
    ("qwen2.5-0.5b", LORA, 2048, {"micro_batch": 4}),
    ("qwen2.5-0.5b", LORA, 16384, SAVING),
    ("qwen2.5-0.5b", DORA, 4096, {}),
    ("qwen2.5-0.5b", QLORA, 8192, {}),
    ("qwen2.5-0.5b", LORA, 2048, {"autocast": False}),
    ("llama-3.2-1b", FULL, 512, {}),
    ("llama-3.2-1b", FULL, 2048, SAVING),
    ("llama-3.2-1b", FULL, 1024, {"optimizer": "adafactor"}),
    ("llama-3.2-1b", FULL, 4096, {"optimizer": "paged_adamw_8bit", **SAVING}),
    ("llama-3.2-1b", LORA, 512, {"micro_batch": 8}),
    ("llama-3.2-1b", LORA, 4096, {}),
    ("llama-3.2-1b", LORA, 16384, SAVING),
    ("llama-3.2-1b", {**LORA, "targets": "q+v"}, 2048, {"autocast": False}),
    ("llama-3.2-1b", {**LORA, "dropout": 0.05}, 2048, {}),
    ("llama-3.2-1b", DORA, 2048, SAVING),
    ("llama-3.2-1b", QLORA, 2048, {"micro_batch": 2, "optimizer": "paged_adamw_8bit"}),
    ("llama-3.2-1b", INT8, 1024, {}),
    ("llama-3.2-1b", {"name": "houlsby"}, 2048, {}),
    ("llama-3.2-1b", {"name": "prefix"}, 2048, {}),
    ("llama-3.2-1b", {"name": "ia3"}, 2048, {}),
    ("llama-3.2-3b", FULL, 512, {**SAVING, "optimizer": "adamw_8bit"}),
    ("llama-3.2-3b", LORA, 1024, {"micro_batch": 4}),
    ("llama-3.2-3b", LORA, 8192, SAVING),
    ("llama-3.2-3b", DORA, 1024, {}),
    ("llama-3.2-3b", QLORA, 4096, SAVING),
    ("llama-3.2-3b", {"name": "vera"}, 1024, {}),
    ("llama-3.1-8b", LORA, 512, {}),
    ("llama-3.1-8b", LORA, 4096, SAVING),
    ("llama-3.1-8b", QLORA, 2048, {}),
    ("llama-3.1-8b", QLORA, 16384, {**SAVING, "optimizer": "paged_adamw_8bit"}),
    ("llama-3.1-8b", INT8, 1024, SAVING),
    ("llama-3.1-8b", FULL, 512, {**SAVING, "optimizer": "adamw_8bit"}),
]

ON_CPU: list[Configuration] = [
    *[("llama-10m", method, 256, settings)
      for method in (FULL, LORA) for settings in ({"micro_batch": 4}, {"micro_batch": 4, **SAVING})],
    ("llama-10m", FULL, 256, {"effective_batch": 4}),
    ("llama-10m", FULL, 256, {"optimizer": "adafactor"}),
    ("llama-10m", FULL, 256, {"optimizer": "sgd"}),
    ("llama-10m", {**LORA, "dropout": 0.1}, 256, {"micro_batch": 2}),
    ("llama-10m", DORA, 256, {"micro_batch": 2}),
    ("llama-10m", LORA, 256, {"micro_batch": 2, "precision": "bfloat16"}),
    ("llama-10m", LORA, 256, {"micro_batch": 2, "precision": "bfloat16", "autocast": True}),
    *[("llama-10m", {"name": name}, 256, {"micro_batch": 2})
      for name in ("houlsby", "pfeiffer", "ia3", "prefix", "prompt", "layernorm", "vera", "miss", "llama-adapter")],
    *[(model, method, 256, {"micro_batch": 2})
      for model in ("gpt2-10m", "qwen3-10m") for method in (FULL, LORA, {"name": "ia3"})],
]  # fmt: skip


def name_of(configuration: Configuration) -> str:
    """A configuration in words."""
    model, method, length, settings = configuration
    knobs = [f"{key} {value}" for key, value in method.items() if key != "name"]
    said = [f"{key} {value}" for key, value in settings.items()]
    return ", ".join([model, " ".join([method["name"], *knobs]), f"{length} tokens", *said])


def recipe_of(configuration: Configuration, work: Path) -> Recipe:
    """The recipe of a configuration, on a model and rows that lie in `work`."""
    model, method, length, settings = configuration
    batch = {"micro_batch": 1, **settings}
    training = {"steps": 2, "score_rows": 0, "effective_batch": batch["micro_batch"], **batch}
    return recipe_from_mapping(
        {
            "model": {"path": str(work / model)},
            "data": {**DATA, "source": str(work / f"rows-{length}.jsonl"), "max_length": length},
            "method": method,
            "training": training,
        }
    )  # fmt: skip


def write_model(folder: Path, sizes: dict[str, Any], weights: bool) -> None:
    """A model's config.json, with the bundled tokenizer; `weights` adds random ones, in bfloat16 above 0.2 billion."""
    folder.mkdir(exist_ok=True)
    values = {"max_position_embeddings": 32768, "bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 1, **sizes}
    (folder / "config.json").write_text(json.dumps(values))
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copy(tiny_folder() / name, folder / name)
    if weights and not (folder / "model.safetensors.index.json").is_file():
        code = (
            "import sys, torch\nfrom transformers import AutoConfig, AutoModelForCausalLM\n"
            "torch.manual_seed(0)\nconfig = AutoConfig.from_pretrained(sys.argv[1])\n"
            "small = sys.argv[2] == 'small'\ntorch.set_default_dtype(torch.float32 if small else torch.bfloat16)\n"
            "with torch.device('cuda' if torch.cuda.is_available() else 'cpu'):\n"
            "    model = AutoModelForCausalLM.from_config(config)\n"
            "model.save_pretrained(sys.argv[1], max_shard_size='4GB')\n"
        )
        size = "small" if "10m" in folder.name else "large"
        subprocess.run([sys.executable, "-c", code, str(folder), size], check=True, capture_output=True)


def write_rows(file: Path, length: int, workspace: Workspace) -> None:
    """Rows of `length` tokens and of one less, so that a batch of several is masked and nearly full."""

    def write(words: int) -> None:
        lines = [{"instruction": "Tell.", "output": " ".join(["a"] * (words - (row > 0)))} for row in range(24)]
        file.write_text("".join(json.dumps(line) + "\n" for line in lines))

    write(length)
    recipe = recipe_from_mapping({"data": {**DATA, "source": str(file), "max_length": 2 * length}})
    longest = data_report(recipe, tiny_folder(), workspace)["lengths"]["total"]["max"]
    write(2 * length - int(longest))  # what the template and the question take is left out


def measure(to: Path, only: str, seconds: float) -> int:
    """Measure what is not in the file yet; 1 where a configuration failed."""
    device = find_device()
    done = {line["name"] for line in _read(to)}
    began, failed = time.monotonic(), 0
    with tempfile.TemporaryDirectory() as place:
        work = Path(place)
        workspace = find_workspace(work / "home")
        for configuration in ON_GPU if device.kind == "cuda" else ON_CPU:
            name = name_of(configuration)
            if name in done or only not in name:
                continue
            if time.monotonic() - began > seconds:
                print("The time is up; call again to go on.", file=sys.stderr)
                break
            write_model(work / configuration[0], MODELS[configuration[0]], weights=True)
            write_rows(work / f"rows-{configuration[2]}.jsonl", configuration[2], workspace)
            try:
                found = rehearse_recipe(recipe_of(configuration, work), workspace)
            except (UserError, RunFailedError) as error:
                failed += 1
                print(f"{name}: {error.sentence}", file=sys.stderr)
                continue
            line = {"name": name, "versions": {one: importlib.metadata.version(one) for one in PACKAGES}, **found}
            with to.open("a", encoding="utf-8") as opened:
                opened.write(json.dumps(line) + "\n")
            print(f"{time.monotonic() - began:6.0f} s  {name}: {found['measured']}", file=sys.stderr)
    return 1 if failed else 0


def compare(file: Path, save: bool) -> int:
    """Trace what was measured, print the table, and keep it where that is asked for."""
    lines = {line["name"]: line for line in _read(file)}
    if not lines:
        print(f"{file} holds no measured configuration; call measure --to {file} first.", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as place:
        rows = []
        for row in _held(lines, Path(place)):
            rows.append(row)
            print(f"{row.measured / 1e9:8.3f} GB  traced {row.error:+7.2%}  formula "
                  f"{row.formula / row.measured - 1:+7.2%}  {row.what}", flush=True)  # fmt: skip
    first = next(iter(lines.values()))
    device = Device(**first["device"])
    of = "reserved" if device.kind == "cuda" else "allocated"
    words = "two real steps of the workbench's own trainer, random weights"
    kept = FOLDER / f"{re.sub('[^a-z0-9]+', '_', device.name.lower()).strip('_')}.json"
    where = kept if save else Path(tempfile.gettempdir()) / kept.name
    table: Table = keep_table(where, "Measured by us", of, device.name, first["versions"], words, rows)
    print(table.sentence)
    return 0


def _held(lines: dict[str, dict[str, Any]], work: Path) -> Iterator[Held]:
    from workbench.cli.models import find_skeleton
    from workbench.core.memory.traced import trace_memory

    workspace: Workspace = find_workspace(work / "home")
    for configuration in (*ON_GPU, *ON_CPU):
        line = lines.get(name_of(configuration))
        if line is None:
            continue
        write_model(work / configuration[0], MODELS[configuration[0]], weights=False)
        recipe, device = recipe_of(configuration, work), Device(**line["device"])
        rows = RowShape(**line["longest_row"])
        traced = trace_memory(recipe, rows, device, workspace)
        estimate = estimate_memory(recipe, find_skeleton(replace(recipe.model), workspace), device, rows)
        cuda = device.kind == "cuda"
        yield Held(
            what=line["name"],
            measured=line["measured"]["reserved" if cuda else "allocated"],
            traced=traced.reserved if cuda else traced.allocated,
            formula=estimate.reserved if cuda else estimate.allocated,
        )


def _read(file: Path) -> list[dict[str, Any]]:
    if not file.is_file():
        return []
    return [json.loads(line) for line in file.read_text("utf-8").splitlines() if line.strip()]


def main() -> int:
    """One of the two."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    measuring = commands.add_parser("measure")
    measuring.add_argument("--to", type=Path, required=True)
    measuring.add_argument("--only", default="", help="configurations whose name holds this")
    measuring.add_argument("--for", dest="seconds", type=float, default=1e9, help="begin none after so many seconds")
    comparing = commands.add_parser("compare")
    comparing.add_argument("file", type=Path)
    comparing.add_argument("--save", action="store_true")
    options = parser.parse_args()
    if options.command == "measure":
        return measure(options.to, options.only, options.seconds)
    return compare(options.file, options.save)


if __name__ == "__main__":
    sys.exit(main())
