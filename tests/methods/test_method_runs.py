"""Methods through the real trainer, on the bundled model, in processes of their own."""

import json
import shutil
import subprocess
import sys

import pytest
import yaml

from workbench.core.places import sample_folder

METHODS = {
    "IA3": {"name": "ia3"},
    "prefix": {"name": "prefix"},
    "P-tuning": {"name": "p-tuning"},
    "AdaLoRA": {"name": "adalora"},
    "PiSSA": {"name": "lora", "start": "pissa"},
    "Pfeiffer": {"name": "pfeiffer"},
    "BitFit": {"name": "bitfit", "add_missing": True},
    "LLaMA-Adapter": {"name": "llama-adapter"},
    "norms of the model": {"name": "full", "parts": "norms"},
}


def prepared(folder, method, steps=6, **training):
    """A run folder for capitals on the bundled model."""
    folder.mkdir(parents=True)
    samples = sample_folder()
    recipe = {
        "model": {"path": "tiny"},
        "data": {"source": str(samples / "capitals.jsonl"), "held_out": str(samples / "capitals.held_out.jsonl")},
        "method": method,
        "training": {
            "steps": steps,
            "score_rows": 4,
            "evaluate_every": 3,
            "checkpoint_every": 3,
            "keep_checkpoints": 9,
            "threads": 1,
            **training,
        },
    }
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    return folder


def train(folder):
    answer = subprocess.run(
        [sys.executable, "-m", "workbench.engine.train", str(folder)], capture_output=True, text=True, timeout=900
    )
    lines = (folder / "events.jsonl").read_text().splitlines()
    return answer, [json.loads(line) for line in lines]


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
def test_a_method_runs_is_evaluated_saved_and_resumes_with_the_same_losses(name, tmp_path):
    folder = prepared(tmp_path / "runs" / "one", METHODS[name])
    answer, events = train(folder)
    assert answer.returncode == 0, answer.stdout
    assert not [one for one in events if one["kind"] == "notice" and one.get("level") == "error"]
    facts = json.loads((folder / "facts.json").read_text())
    assert facts["held_out_loss"] < facts["base_loss"]
    losses = {one["step"]: one["loss"] for one in events if one["kind"] == "step"}
    again = prepared(tmp_path / "runs" / "two", METHODS[name])
    (again / "checkpoints").mkdir()
    shutil.copytree(folder / "checkpoints" / "step-3", again / "checkpoints" / "step-3")
    answer, events = train(again)
    assert answer.returncode == 0, answer.stdout
    assert {one["step"]: one["loss"] for one in events if one["kind"] == "step"} == {
        step: loss for step, loss in losses.items() if step > 3
    }


@pytest.mark.slow
def test_a_run_that_the_method_cannot_do_ends_before_its_first_step_with_a_sentence(tmp_path):
    folder = prepared(tmp_path / "runs" / "one", {"name": "bitfit"})
    answer, events = train(folder)
    assert answer.returncode == 1
    assert "nothing to train" in events[-1]["text"]
    assert not [one for one in events if one["kind"] == "step"]
