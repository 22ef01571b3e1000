"""Proofs that take minutes: a real model from a GGUF file, and two processes that train as one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from train_processes import events_of, new_run

from workbench.core.data.dataset import prepare_data
from workbench.core.places import sample_folder
from workbench.core.recipe import load_recipe
from workbench.core.runs.facts import read_facts

SMOLLM2 = Path.home() / ".cache" / "smollm2-135m-instruct" / "SmolLM2-135M-Instruct.Q4_1.gguf"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


@torch.no_grad()
def plain_loss(model: Any, data: Any) -> float:
    """Mean over all held-out trained tokens, one row at a time."""
    total, count = 0.0, 0
    for row in data.held_out:
        scores = torch.log_softmax(model(input_ids=torch.tensor([row.ids])).logits[0].float(), -1)
        for place in range(1, len(row.ids)):
            if row.trained[place]:
                total -= scores[place - 1, row.ids[place]].item()
                count += 1
    return total / count


@pytest.mark.skipif(not SMOLLM2.is_file(), reason=f"needs {SMOLLM2}")
def test_lora_on_smollm2_from_a_gguf_file_is_what_plain_peft_loads(tmp_path: Path) -> None:
    from peft import AutoPeftModelForCausalLM

    folder = new_run(
        tmp_path / "runs",
        "smollm2",
        model={"path": str(SMOLLM2)},
        data={"source": str(sample_folder() / "instructions.jsonl"), "max_length": 128, "held_out": 0.05},
        method={"name": "lora", "targets": "q+v"},
        training={"steps": 8, "micro_batch": 4, "effective_batch": 4, "learning_rate": 0.001, "score_rows": 2},
    )
    subprocess.run([sys.executable, "-m", "workbench.engine.train", str(folder.path)], check=True, timeout=1500)
    facts = read_facts(folder)
    assert facts["trainable_parameters"] == 460_800
    assert facts["held_out_loss"] < facts["base_loss"]
    model = AutoPeftModelForCausalLM.from_pretrained(folder.adapter, dtype=torch.float32).eval()
    base = Path(model.peft_config["default"].base_model_name_or_path)
    data = prepare_data(load_recipe(folder.recipe), base)
    assert facts["held_out_loss"] == pytest.approx(plain_loss(model, data), abs=1e-5)
    with model.disable_adapter():
        assert facts["base_loss"] == pytest.approx(plain_loss(model, data), abs=1e-5)


def test_two_processes_train_as_one_does(tmp_path: Path, pairs: Path) -> None:
    losses = []
    for name, start in (
        ("one", [sys.executable]),
        ("two", [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]),
    ):
        folder = new_run(
            tmp_path / "runs",
            name,
            data={"source": str(pairs), "held_out": 0.2},
            training={
                "steps": 6, "micro_batch": 4, "effective_batch": 8, "learning_rate": 0.002, "evaluate_every": 2,
                "checkpoint_every": 2, "score_rows": 2, "threads": 1,
            },
        )  # fmt: skip
        environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
        subprocess.run(
            [*start, "-m", "workbench.engine.train", str(folder.path)], check=True, timeout=600, env=environment
        )
        assert len(events_of(folder, "start")) == len(events_of(folder, "end")) == 1
        assert len(events_of(folder, "checkpoint")) == 2
        losses.append([event["loss"] for event in events_of(folder, "step")])
    assert len(losses[0]) == 6
    assert losses[1] == pytest.approx(losses[0], abs=1e-4)
    assert {path.name for path in (folder.checkpoints / "step-4").glob("rng*")} == {
        "rng_state_0.pth",
        "rng_state_1.pth",
    }
