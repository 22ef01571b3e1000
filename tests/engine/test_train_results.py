"""What a run leaves behind is what plain libraries load, and its figures are those of the result."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from train_processes import Trainers, events_of, new_run

from workbench.core.data.dataset import PreparedData, prepare_data
from workbench.core.memory.device import cpu_device
from workbench.core.memory.estimate import estimate_memory
from workbench.core.memory.row_shape import row_shape
from workbench.core.places import tiny_folder
from workbench.core.recipe import load_recipe
from workbench.core.runs.facts import read_facts
from workbench.core.runs.folder import RunFolder
from workbench.engine.skeletons import build_skeleton

FACTS = {
    "run", "state", "steps", "seconds", "tokens", "trained_tokens", "loss", "held_out_loss", "base_loss", "score",
    "base_score", "scored", "memory", "tokens_per_second", "adapter_bytes", "trainable_parameters", "total_parameters",
    "share", "method", "model", "device", "precision", "versions", "rows", "held_out_rows",
}  # fmt: skip


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, pairs: Path, trainers: Trainers) -> Callable[[str], RunFolder]:
    torch.set_num_threads(1)
    runs = tmp_path_factory.mktemp("results")
    made: dict[str, RunFolder] = {}

    def run(method: str) -> RunFolder:
        if method not in made:
            made[method] = new_run(
                runs,
                method,
                data={"source": str(pairs), "held_out": 0.25, "max_length": 128},
                method={"name": "lora", "dropout": 0.1} if method == "lora" else {"name": method},
                training={
                    "steps": 25, "micro_batch": 3, "effective_batch": 6, "evaluate_every": 10,
                    "learning_rate": 0.003 if method == "lora" else 0.001,
                },
            )  # fmt: skip
            trainers.finish(made[method])
            assert made[method].read_status().state == "finished", made[method].log.read_text()  # type: ignore[union-attr]
        return made[method]

    return run


def data_of(folder: RunFolder) -> PreparedData:
    return prepare_data(load_recipe(folder.recipe), tiny_folder())


@torch.no_grad()
def plain_loss(model: Any, data: PreparedData) -> float:
    """Mean over all held-out trained tokens, one row at a time, with nothing of ours."""
    total, count = 0.0, 0
    for row in data.held_out:
        scores = torch.log_softmax(model(input_ids=torch.tensor([row.ids])).logits[0].float(), -1)
        for place in range(1, len(row)):
            if row.trained[place]:
                total -= scores[place - 1, row.ids[place]].item()
                count += 1
    return total / count


@torch.no_grad()
def plain_answer(model: Any, data: PreparedData, ids: tuple[int, ...], limit: int) -> str:
    """The likeliest answer, without a cache and with nothing of ours."""
    tokens = list(ids)
    while len(tokens) < len(ids) + limit:
        token = int(model(input_ids=torch.tensor([tokens])).logits[0, -1].argmax())
        if token == data.tokenizer.eos_id:
            break
        tokens.append(token)
    return data.tokenizer.decode(tokens[len(ids) :]).strip()


def load_plainly(folder: RunFolder) -> Any:
    from peft import AutoPeftModelForCausalLM
    from transformers import AutoModelForCausalLM

    if folder.adapter.is_dir():
        return AutoPeftModelForCausalLM.from_pretrained(folder.adapter, dtype=torch.float32).eval()
    return AutoModelForCausalLM.from_pretrained(folder.model, dtype=torch.float32).eval()


@pytest.mark.parametrize("method", ["lora", "full"])
def test_the_result_loads_with_plain_libraries_and_is_as_good_as_the_run_says(
    method: str, finished: Callable[[str], RunFolder]
) -> None:
    folder = finished(method)
    model, data, facts = load_plainly(folder), data_of(folder), read_facts(folder)
    assert facts["held_out_loss"] == pytest.approx(plain_loss(model, data), abs=1e-5)
    assert facts["held_out_loss"] < 0.8 * facts["base_loss"]
    right = [plain_answer(model, data, item.ids, len(item.answer)) == item.answer.strip() for item in data.questions]
    assert facts["scored"] == len(right) == 10
    assert facts["score"] == pytest.approx(sum(right) / len(right))
    samples = {event["prompt"]: event["tuned"] for event in events_of(folder, "sample") if event["step"] == 25}
    assert len(samples) == 3
    for question in data.questions:
        if question.prompt in samples:
            assert samples[question.prompt] == plain_answer(model, data, question.ids, 48)


def test_the_base_is_measured_before_anything_is_trained(finished: Callable[[str], RunFolder]) -> None:
    from transformers import AutoModelForCausalLM

    folder = finished("lora")
    base = AutoModelForCausalLM.from_pretrained(tiny_folder(), dtype=torch.float32).eval()
    data, facts = data_of(folder), read_facts(folder)
    assert facts["base_loss"] == pytest.approx(plain_loss(base, data), abs=1e-5)
    first = next(event for event in events_of(folder) if event["kind"] in ("eval", "step"))
    assert (first["kind"], first["side"], first["step"]) == ("eval", "base", 0)
    shown = {event["prompt"]: event["base"] for event in events_of(folder, "sample")}
    for question in data.questions:
        if question.prompt in shown:
            assert shown[question.prompt] == plain_answer(base, data, question.ids, 48)


def test_a_fully_tuned_model_is_a_whole_folder(finished: Callable[[str], RunFolder]) -> None:
    folder = finished("full")
    assert (folder.model / "tokenizer.json").read_bytes() == (tiny_folder() / "tokenizer.json").read_bytes()
    assert (folder.model / "chat_template.jinja").is_file()
    assert json.loads((folder.model / "config.json").read_text())["use_cache"] is True


@pytest.mark.parametrize("method", ["lora", "full"])
def test_the_facts_are_complete_and_agree_with_the_formulas(method: str, finished: Callable[[str], RunFolder]) -> None:
    folder = finished(method)
    facts, recipe = read_facts(folder), load_recipe(folder.recipe)
    shape = row_shape(data_of(folder).report)
    estimate = estimate_memory(recipe, build_skeleton(tiny_folder()), cpu_device(), shape)
    assert set(facts) >= FACTS
    assert None not in facts.values()
    assert facts["state"] == "finished"
    assert facts["trainable_parameters"] == estimate.trainable_parameters
    assert facts["total_parameters"] == estimate.total_parameters
    assert facts["memory"]["predicted"] == estimate.process
    assert 2**20 < facts["memory"]["measured"] < 2**30
    weights = next((folder.result or folder.path).glob("*.safetensors"))
    assert facts["adapter_bytes"] == weights.stat().st_size
    assert weights.stat().st_mode & 0o044
    assert not [event for event in events_of(folder, "notice") if event["level"] == "error"]
    assert folder.report.is_file()


def test_the_events_tell_the_whole_run(finished: Callable[[str], RunFolder]) -> None:
    folder = finished("lora")
    data = data_of(folder)
    steps = events_of(folder, "step")
    assert [event["step"] for event in steps] == list(range(1, 26))
    assert all(event["loss"] > 0 and event["grad_norm"] > 0 and event["learning_rate"] > 0 for event in steps)
    assert all(event["tokens_per_second"] > 0 for event in steps)
    assert [event["seconds"] for event in steps] == sorted(event["seconds"] for event in steps)
    assert steps[-1]["epoch"] == pytest.approx(25 * 6 / len(data.train), abs=1e-4)
    assert 5 * len(data.train) == 25 * 6
    every = sum(len(row) for row in data.train)
    assert steps[-1]["tokens"] == 5 * every
    assert steps[-1]["trained_tokens"] == 5 * sum(row.trained_tokens for row in data.train)
    (start,) = events_of(folder, "start")
    assert start["rows"] == len(data.train) == 30
    assert start["held_out_rows"] == len(data.held_out) == 10
    assert start["steps"] == 25
    assert start["tokens_per_epoch"] == every
    assert start["resumed_from"] is None
    sides = [(event["side"], event["step"]) for event in events_of(folder, "eval")]
    assert sides == [("base", 0), ("tuned", 10), ("tuned", 20), ("tuned", 25)]
    memory = events_of(folder, "memory")[-1]
    assert memory["process"] > 0
    assert memory["allocated"] is None  # a CPU's allocator keeps no count
    assert memory["predicted"] == start["predicted_memory"]


def test_the_card_says_what_was_made_of_what(finished: Callable[[str], RunFolder]) -> None:
    folder = finished("lora")
    card = (folder.adapter / "README.md").read_text()
    facts = read_facts(folder)
    for text in ("tiny", "pairs.jsonl", "LoRA", f"{facts['held_out_loss']:.4f}", "AutoPeftModelForCausalLM", "rank: 8"):
        assert text in card
