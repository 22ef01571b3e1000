"""The closed form against the trace over a grid: `python tests/bench/memory_grid.py [--save FILE] [--traces FILE]`.

Every configuration is estimated in closed form and traced, for a GPU, from published sizes of models. Prints a table, the
median error, the share within 4 %, and both tiers' times. --traces keeps traced figures, so that a second call after a
change of the closed form takes a second. --seed draws configurations at random in place of the grid's.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import memory_kinds
from memory_others import ARCHITECTURES, LINES
from memory_sweep import DRAWN, Line, draw, fits

from workbench.core.memory.device import Device
from workbench.core.memory.estimate import estimate_memory
from workbench.core.memory.row_shape import RowShape
from workbench.core.recipe import recipe_from_mapping
from workbench.engine.environment import prepare_environment

MODELS = {
    "qwen2-0.5b": {"model_type": "qwen2", "vocab_size": 151936, "hidden_size": 896, "intermediate_size": 4864,
                   "num_hidden_layers": 24, "num_attention_heads": 14, "num_key_value_heads": 2,
                   "tie_word_embeddings": True},
    "qwen3-0.6b": {"model_type": "qwen3", "vocab_size": 151936, "hidden_size": 1024, "intermediate_size": 3072,
                   "num_hidden_layers": 28, "num_attention_heads": 16, "num_key_value_heads": 8, "head_dim": 128,
                   "tie_word_embeddings": True},
    "llama-1b": {"model_type": "llama", "vocab_size": 128256, "hidden_size": 2048, "intermediate_size": 8192,
                 "num_hidden_layers": 16, "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 64,
                 "tie_word_embeddings": True},
    "llama-8b": {"model_type": "llama", "vocab_size": 128256, "hidden_size": 4096, "intermediate_size": 14336,
                 "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8,
                 "tie_word_embeddings": False},
    "mistral-7b": {"model_type": "mistral", "vocab_size": 32768, "hidden_size": 4096, "intermediate_size": 14336,
                   "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8,
                   "sliding_window": None, "tie_word_embeddings": False},
    "gemma-2b": {"model_type": "gemma", "vocab_size": 256000, "hidden_size": 2048, "intermediate_size": 16384,
                 "num_hidden_layers": 18, "num_attention_heads": 8, "num_key_value_heads": 1, "head_dim": 256,
                 "tie_word_embeddings": True},
    "gpt2": {"model_type": "gpt2", "vocab_size": 50257, "n_embd": 768, "n_layer": 12, "n_head": 12,
             "n_positions": 1024},
    "opt-350m-like": {"model_type": "opt", "vocab_size": 50272, "hidden_size": 1024, "ffn_dim": 4096,
                      "num_hidden_layers": 24, "num_attention_heads": 16, "word_embed_proj_dim": 1024,
                      "max_position_embeddings": 2048},
    "pythia-410m": {"model_type": "gpt_neox", "vocab_size": 50304, "hidden_size": 1024, "intermediate_size": 4096,
                    "num_hidden_layers": 24, "num_attention_heads": 16, "tie_word_embeddings": False},
}  # fmt: skip

OTHERS = {
    "qwen3-4b": {"model_type": "qwen3", "vocab_size": 151936, "hidden_size": 2560, "intermediate_size": 9728,
                 "num_hidden_layers": 36, "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 128,
                 "tie_word_embeddings": True},
    "gemma2-2b": {"model_type": "gemma2", "vocab_size": 256000, "hidden_size": 2304, "intermediate_size": 9216,
                  "num_hidden_layers": 26, "num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 256,
                  "sliding_window": 4096, "tie_word_embeddings": True},
    "gemma3-1b": {"model_type": "gemma3_text", "vocab_size": 262144, "hidden_size": 1152, "intermediate_size": 6912,
                  "num_hidden_layers": 26, "num_attention_heads": 4, "num_key_value_heads": 1, "head_dim": 256,
                  "sliding_window": 512, "tie_word_embeddings": True},
    "phi3-mini": {"model_type": "phi3", "vocab_size": 32064, "hidden_size": 3072, "intermediate_size": 8192,
                  "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 32,
                  "sliding_window": None, "tie_word_embeddings": False, "pad_token_id": 0},
    "phi-2": {"model_type": "phi", "vocab_size": 51200, "hidden_size": 2560, "intermediate_size": 10240,
              "num_hidden_layers": 32, "num_attention_heads": 32, "partial_rotary_factor": 0.4,
              "tie_word_embeddings": False},
    "pythia-2.8b": {"model_type": "gpt_neox", "vocab_size": 50304, "hidden_size": 2560, "intermediate_size": 10240,
                    "num_hidden_layers": 32, "num_attention_heads": 32, "tie_word_embeddings": False},
    "opt-1.3b": {"model_type": "opt", "vocab_size": 50272, "hidden_size": 2048, "ffn_dim": 8192,
                 "num_hidden_layers": 24, "num_attention_heads": 32, "word_embed_proj_dim": 2048,
                 "max_position_embeddings": 2048},
    "llama-3b": {"model_type": "llama", "vocab_size": 128256, "hidden_size": 3072, "intermediate_size": 8192,
                 "num_hidden_layers": 28, "num_attention_heads": 24, "num_key_value_heads": 8, "head_dim": 128,
                 "tie_word_embeddings": True},
    "llama-13b": {"model_type": "llama", "vocab_size": 32000, "hidden_size": 5120, "intermediate_size": 13824,
                  "num_hidden_layers": 40, "num_attention_heads": 40, "num_key_value_heads": 40,
                  "tie_word_embeddings": False},
    "qwen2.5-7b": {"model_type": "qwen2", "vocab_size": 152064, "hidden_size": 3584, "intermediate_size": 18944,
                   "num_hidden_layers": 28, "num_attention_heads": 28, "num_key_value_heads": 4,
                   "tie_word_embeddings": False},
    "qwen3-30b-a3b": {"model_type": "qwen3_moe", "vocab_size": 151936, "hidden_size": 2048, "intermediate_size": 6144,
                      "num_hidden_layers": 48, "num_attention_heads": 32, "num_key_value_heads": 4, "head_dim": 128,
                      "num_experts": 128, "num_experts_per_tok": 8, "moe_intermediate_size": 768,
                      "tie_word_embeddings": False},
}  # fmt: skip
"""Models that no term of the closed form was fitted on but those of routed experts, after qwen3-30b-a3b."""

LORA: dict[str, Any] = {"name": "lora", "rank": 16}
QV: dict[str, Any] = {"name": "lora", "rank": 32, "targets": "q+v"}
FULL: dict[str, Any] = {"name": "full"}
QLORA: dict[str, Any] = {"name": "qlora", "rank": 16}
CHECKPOINTED = {"gradient_checkpointing": True}
PLAIN = {"autocast": False}
WIDE = {"precision": "float32", "autocast": True}

GRID: list[Line] = [
    *[("qwen2-0.5b", method, length, {}) for method in (FULL, LORA, QV) for length in (512, 2048, 8192)],
    *[("qwen2-0.5b", method, length, CHECKPOINTED) for method in (FULL, LORA) for length in (512, 4096, 32768)],
    *[("llama-1b", FULL, 1024, {"optimizer": name})
      for name in ("adamw", "adamw_8bit", "paged_adamw", "paged_adamw_8bit", "adafactor", "sgd")],
    *[("llama-1b", FULL, 512, {"optimizer": name, **CHECKPOINTED}) for name in ("adamw", "adamw_8bit", "adafactor")],
    *[("llama-1b", LORA, length, extra) for length in (512, 4096) for extra in (PLAIN, WIDE, CHECKPOINTED)],
    *[("llama-1b", QLORA, length, extra) for length in (512, 4096, 16384) for extra in ({}, CHECKPOINTED)],
    ("llama-1b", {**QLORA, "quantisation": "int8"}, 1024, {}),
    ("llama-1b", {**QLORA, "double_quantisation": False}, 1024, CHECKPOINTED),
    ("llama-1b", {**LORA, "dropout": 0.05}, 1024, {}),
    ("llama-1b", {**LORA, "dropout": 0.05}, 1024, PLAIN),
    ("llama-1b", {**LORA, "dora": True}, 1024, {}),
    ("llama-1b", {**LORA, "dora": True}, 1024, PLAIN),
    *[("llama-1b", {"name": name}, 1024, {}) for name in
      ("ia3", "layernorm", "prompt", "prefix", "houlsby", "pfeiffer", "vera", "adalora")],
    ("llama-1b", LORA, 1024, {"micro_batch": 4, "effective_batch": 4}),
    ("llama-1b", LORA, 1024, {"micro_batch": 2, "effective_batch": 8}),
    ("llama-1b", FULL, 1024, {"micro_batch": 2, "effective_batch": 8}),
    ("llama-1b", LORA, 2048, {"packing": True}),
    ("llama-8b", LORA, 2048, {}),
    ("llama-8b", LORA, 8192, CHECKPOINTED),
    ("llama-8b", FULL, 2048, CHECKPOINTED),
    ("llama-8b", QLORA, 4096, CHECKPOINTED),
    ("mistral-7b", QLORA, 2048, {"optimizer": "paged_adamw_8bit", **CHECKPOINTED}),
    ("mistral-7b", LORA, 2048, PLAIN),
    *[("qwen3-0.6b", method, 2048, extra) for method in (FULL, LORA) for extra in ({}, CHECKPOINTED)],
    *[("gemma-2b", method, 1024, extra) for method in (FULL, LORA) for extra in ({}, CHECKPOINTED)],
    *[(name, method, 1024, extra) for name in ("gpt2", "opt-350m-like", "pythia-410m") for method in (FULL, LORA)
      for extra in ({}, PLAIN)],
]  # fmt: skip

UNSEEN: list[Line] = [
    *[(name, {"name": "lora", "rank": 8}, 1536, {}) for name in OTHERS],
    *[(name, FULL, 1536, CHECKPOINTED) for name in OTHERS],
    *[(name, {"name": "lora", "rank": 64, "targets": "attention"}, 3072, {"micro_batch": 2, "effective_batch": 2})
      for name in OTHERS if name != "opt-1.3b"],
    *[("llama-3b", {"name": name}, 2048, {}) for name in ("oft", "miss", "ia3", "vera", "houlsby", "layernorm")],
    *[("llama-3b", {"name": name}, 700, PLAIN) for name in ("oft", "miss", "ia3", "vera", "adalora", "prefix")],
    *[("qwen3-4b", {"name": name, "targets": "q+v"}, 700, {"micro_batch": 4, "effective_batch": 4, **PLAIN})
      for name in ("oft", "miss", "vera")],
    ("phi-2", {"name": "ia3"}, 1024, PLAIN), ("qwen3-4b", {"name": "oft", "block_size": 32}, 1024, {}),
    ("qwen3-4b", {"name": "miss", "rank": 64}, 1024, {}),
]  # fmt: skip
"""Configurations that were not looked at while the closed form was first written.

Before their errors were looked at: median 0.16 %, 94 % of the 50 within 4 %, worst 14.2 %. The terms of routed experts
and of AdaLoRA without mixed precision were mended by them since, so these are no longer unseen.
"""

GPU = Device("cuda", "a GPU", 80 * 2**30, 79 * 2**30)


def main() -> int:
    """Trace what is not kept yet, estimate everything, and print."""
    parser = argparse.ArgumentParser(description="The closed form against the trace.")
    parser.add_argument("--save", type=Path, help="write the table as JSON")
    parser.add_argument("--traces", type=Path, help="a file that keeps traced figures from call to call")
    parser.add_argument("--unseen", action="store_true", help="models and settings that came after the formula")
    parser.add_argument("--every", action="store_true", help="both those and the ones that it was written with")
    parser.add_argument("--only", default="", help="configurations whose words hold this")
    parser.add_argument("--others", action="store_true", help="architectures beside the main ones")
    parser.add_argument("--kinds", action="store_true", help="PEFT's kinds of adapters")
    parser.add_argument("--seed", type=int, help="draw configurations at random in place of the grid's")
    parser.add_argument("--count", type=int, default=100, help="how many are drawn")
    parser.add_argument("--shown", type=float, default=0.03, help="errors above this share are shown with their parts")
    options = parser.parse_args()
    kept: dict[str, Any] = json.loads(options.traces.read_text()) if options.traces and options.traces.exists() else {}
    lines = []
    with tempfile.TemporaryDirectory() as work:
        skeletons: dict[str, Any] = {}
        for name, method, length, extra in _chosen(options):
            words = f"{name} {json.dumps(method)} {length} {json.dumps(extra)}"
            if options.only not in words:
                continue
            line = _line(Path(work), skeletons, kept, words, (name, method, length, extra), options.shown)
            if line is None:
                continue
            lines.append(line)
            if options.traces:
                options.traces.write_text(json.dumps(kept))
    errors = sorted(abs(line["error"]) for line in lines)
    within = sum(error <= 0.04 for error in errors) / len(errors)
    print(f"{len(errors)} configurations: median {100 * statistics.median(errors):.2f}%, "
          f"{100 * within:.1f}% of them within 4%, worst {100 * errors[-1]:.1f}%; "
          f"closed form {1000 * max(line['closed_seconds'] for line in lines):.1f} ms at most")  # fmt: skip
    if options.save:
        document = {
            "date": date.today().isoformat(),
            "versions": {name: version(name) for name in ("torch", "transformers", "peft", "bitsandbytes")},
            "for": "a GPU; traced on a CPU, nothing measured on a GPU",
            "configurations": len(errors),
            "median_error": round(statistics.median(errors), 5),
            "within_4_percent": round(within, 4),
            "worst_error": round(errors[-1], 5),
            "rows": [{**line, "error": round(line["error"], 5)} for line in lines],
        }
        options.save.write_text(json.dumps(document, indent=1) + "\n")
    return 0


def _chosen(options: argparse.Namespace) -> list[Line]:
    if options.kinds:
        return memory_kinds.LINES
    if options.others:
        return LINES
    if options.seed is not None:
        return draw(options.seed, options.count)
    if options.every:
        return GRID + UNSEEN
    return UNSEEN if options.unseen else GRID


def _line(
    work: Path, skeletons: dict[str, Any], kept: dict[str, Any], words: str, line: Line, shown: float
) -> dict[str, Any] | None:
    """One configuration's figures; None where the method does not fit the model."""
    name, method, length, extra = line
    folder = work / name
    if name not in skeletons:
        folder.mkdir()
        (folder / "config.json").write_text(
            json.dumps({"max_position_embeddings": 131072, **{**MODELS, **OTHERS, **DRAWN, **ARCHITECTURES}[name]})
        )
        prepare_environment(1, True)
        from workbench.engine.skeletons import build_skeleton

        skeletons[name] = build_skeleton(folder)
    training = {"micro_batch": 1, "effective_batch": 1, **extra}
    data: dict[str, Any] = {"max_length": length}
    model: dict[str, Any] = {"path": str(folder)}
    if "packing" in training:
        data["packing"] = training.pop("packing")
    if "attention" in training:
        model["attention"] = training.pop("attention")
    rows = RowShape(length, training.pop("trained", length))
    recipe = recipe_from_mapping({"model": model, "data": data, "method": method, "training": training})
    if not fits(recipe, skeletons[name]):
        return None
    began = time.perf_counter()
    estimate = estimate_memory(recipe, skeletons[name], GPU, rows)
    closed_seconds = time.perf_counter() - began
    if words not in kept:
        from workbench.engine.trace.tracing import trace_recipe

        try:
            peak, seconds = trace_recipe(recipe, skeletons[name], rows, "cuda")
        except Exception as error:  # a sweep goes on, and says which ones it could not trace
            print(f"not traced: {words}: {str(error)[:160]}", flush=True)
            return None
        kept[words] = {"allocated": peak.allocated, "reserved": peak.reserved, "seconds": round(seconds, 1),
                       "parts": peak.parts, "peak_at": f"{peak.phase}: {peak.operation}",
                       "largest": peak.largest}  # fmt: skip
    traced = kept[words]
    error = estimate.allocated / traced["allocated"] - 1
    print(f"{100 * error:+6.2f}%  traced {traced['allocated'] / 2**30:8.3f}  closed {estimate.allocated / 2**30:8.3f}  "
          f"{traced['seconds']:5.1f} s  {words}", flush=True)  # fmt: skip
    if abs(error) > shown:
        print(f"         {traced['peak_at']} {[round(v / 2**30, 3) for v in traced['parts'].values()]}\n         "
              f"{estimate.peak_at} {[round(v / 2**30, 3) for v in list(estimate.parts.values())[:-1]]}")  # fmt: skip
    return {"configuration": words, "traced": traced["allocated"], "closed": estimate.allocated, "error": error,
            "trace_seconds": traced["seconds"], "closed_seconds": round(closed_seconds, 4)}  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
