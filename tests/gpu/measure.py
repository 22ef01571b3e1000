"""Measure this machine's GPU: the loop in bfloat16, QLoRA with a paged optimizer, predicted and measured memory, speed.

    python tests/gpu/measure.py [--save FILE]

Every line is a real run of the trainer on a randomly initialised Llama, built here; nothing is downloaded. Prints one
JSON table and, with --save, writes it.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from workbench.core.files import read_json
from workbench.core.memory.device import list_gpus
from workbench.core.places import find_workspace, tiny_folder
from workbench.core.recipe import recipe_from_mapping
from workbench.core.runs.launch import create_run, launch_run

SIZES = {
    "0.1B": {"hidden_size": 768, "intermediate_size": 2048, "num_hidden_layers": 12, "num_attention_heads": 12},
    "1B": {"hidden_size": 2048, "intermediate_size": 5632, "num_hidden_layers": 22, "num_attention_heads": 32},
}
GRID = [
    # model, method, settings of the recipe
    ("0.1B", {"name": "full"}, {}),
    ("0.1B", {"name": "lora"}, {}),
    ("1B", {"name": "full"}, {"gradient_checkpointing": True}),
    ("1B", {"name": "lora"}, {}),
    ("1B", {"name": "lora", "rank": 64}, {"gradient_checkpointing": True}),
    ("1B", {"name": "lora", "dora": True}, {}),
    ("1B", {"name": "qlora"}, {"optimizer": "paged_adamw_8bit"}),
    ("1B", {"name": "qlora"}, {"optimizer": "paged_adamw_8bit", "gradient_checkpointing": True}),
    ("1B", {"name": "qlora", "quantisation": "int8"}, {"optimizer": "adamw_8bit"}),
]
LENGTH = 512


def build_model(folder: Path, sizes: dict[str, int]) -> None:
    """Save a randomly initialised Llama in bfloat16 with the bundled model's tokenizer."""
    code = """
import json, shutil, sys, torch
from pathlib import Path
from transformers import LlamaConfig, LlamaForCausalLM
folder, tiny, sizes = Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3])
torch.manual_seed(0)
config = LlamaConfig(vocab_size=32000, max_position_embeddings=4096, bos_token_id=0, eos_token_id=0, pad_token_id=1,
                     tie_word_embeddings=True, **sizes)
LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
    shutil.copy(tiny / name, folder / name)
"""
    subprocess.run([sys.executable, "-c", code, str(folder), str(tiny_folder()), json.dumps(sizes)], check=True)


def write_rows(file: Path) -> None:
    """Rows of about LENGTH tokens, so that the longest batch is known."""
    words = ["the", "capital", "of", "Peru", "is", "Lima", "and", "the", "capital", "of", "Italy", "is", "Rome"]
    with file.open("w", encoding="utf-8") as opened:
        for row in range(64):
            answer = " ".join(words[(row + n) % len(words)] for n in range(LENGTH - 60))
            opened.write(json.dumps({"instruction": f"Tell {row}.", "output": answer}) + "\n")


def measure(work: Path) -> list[dict[str, object]]:
    """Run the grid; one line a run."""
    workspace = find_workspace(work / "home")
    write_rows(work / "rows.jsonl")
    for name, sizes in SIZES.items():
        build_model(work / name, sizes)
    lines: list[dict[str, object]] = []
    for size, method, settings in GRID:
        recipe = recipe_from_mapping(
            {
                "model": {"path": str(work / size)},
                "data": {"source": str(work / "rows.jsonl"), "max_length": LENGTH, "held_out": 0.1},
                "method": method,
                "training": {"steps": 20, "micro_batch": 4, "effective_batch": 4, "checkpoint_every": 0,
                             "evaluate_every": 10, "score_rows": 0, **settings},
            }
        )  # fmt: skip
        folder = create_run(recipe, workspace)
        status = launch_run(folder).wait()
        facts = read_json(folder.path / "facts.json") or {}
        memory = facts.get("memory") or {}
        predicted, measured = memory.get("predicted"), memory.get("measured")
        lines.append(
            {
                "model": size, "method": method, "settings": settings, "exit_status": status,
                "trainable_parameters": facts.get("trainable_parameters"), "predicted": predicted, "measured": measured,
                "error": (predicted / measured - 1) if predicted and measured else None,
                "tokens_per_second": facts.get("tokens_per_second"), "loss": facts.get("loss"),
                "held_out_loss": facts.get("held_out_loss"), "base_loss": facts.get("base_loss"),
            }
        )  # fmt: skip
        print(json.dumps(lines[-1]), file=sys.stderr)
        if status:
            print(folder.log.read_text(encoding="utf-8", errors="replace")[-2000:], file=sys.stderr)
    return lines


def main() -> int:
    """Measure and print; 2 where there is no GPU, 1 where a run failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--save", type=Path, help="also write the table to this file")
    options = parser.parse_args()
    gpus = list_gpus()
    if not gpus:
        print("This machine has no NVIDIA GPU that nvidia-smi lists, so there is nothing to measure.", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as work:
        lines = measure(Path(work))
    packages = ("torch", "transformers", "peft", "bitsandbytes", "accelerate")
    table = {
        "device": gpus[0].to_json(),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "versions": {name: importlib.metadata.version(name) for name in packages},
        "rows": lines,
    }
    text = json.dumps(table, indent=1)
    print(text)
    if options.save:
        options.save.write_text(text + "\n", encoding="utf-8")
    return 1 if any(line["exit_status"] for line in lines) else 0


if __name__ == "__main__":
    sys.exit(main())
