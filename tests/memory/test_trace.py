"""The traced estimate: against real steps, against the closed form, and as a command."""

import json
import time
from dataclasses import asdict

import pytest
from asking import ask, recipe_for, trace

from workbench.core.memory.device import Device
from workbench.core.memory.estimate import estimate_memory
from workbench.core.memory.row_shape import RowShape
from workbench.core.memory.traced import Traced, doubt, find_traced, trace_memory
from workbench.core.places import Workspace
from workbench.core.recipe import recipe_to_mapping
from workbench.engine.skeletons import build_skeleton

GPU = Device("cuda", "a GPU", 80 * 2**30, 79 * 2**30)
WORDS = ["the", "capital", "of", "Peru", "is", "Lima", "and", "the", "capital", "of", "Italy", "is", "Rome"]

REAL: list[tuple[dict[str, object], dict[str, object]]] = [
    ({"name": "lora"}, {"micro_batch": 4, "effective_batch": 4}),
    ({"name": "full"}, {"micro_batch": 1, "effective_batch": 1, "gradient_checkpointing": True}),
    ({"name": "full"}, {"micro_batch": 2, "effective_batch": 4}),
    ({"name": "lora", "dora": True, "dropout": 0.1}, {}),
    ({"name": "prefix"}, {}),
    ({"name": "lora"}, {"precision": "bfloat16", "autocast": True}),
    ({"name": "qlora"}, {"gradient_checkpointing": True}),
    *(({"name": "peft", "kind": kind}, {}) for kind in ("LOHA", "LOKR", "BOFT", "SHIRA", "FROD", "LN_TUNING")),
]


@pytest.mark.slow
@pytest.mark.parametrize(("method", "training"), REAL)
def test_the_trace_is_within_half_a_percent_of_what_real_steps_allocate(method, training, tmp_path):
    traced, real = _traced_and_real(method, training, tmp_path)
    assert traced["allocated"] == pytest.approx(real, rel=0.005)
    assert sum(traced["parts"].values()) == traced["allocated"]


@pytest.mark.slow
def test_the_temporaries_of_an_8_bit_update_on_a_cpu_are_traced_to_within_five_percent(tmp_path):
    training = {"micro_batch": 1, "optimizer": "adamw_8bit", "gradient_checkpointing": True}
    traced, real = _traced_and_real({"name": "full"}, training, tmp_path)
    assert traced["peak_at"] == "the optimizer step"
    assert traced["allocated"] == pytest.approx(real, rel=0.05)


def _traced_and_real(method, training, tmp_path):
    """The trace of a recipe, and the bytes that real steps of it have been counted to allocate."""
    rows = tmp_path / "rows.jsonl"
    answer = " ".join(WORDS[place % len(WORDS)] for place in range(80))
    line = json.dumps({"instruction": "Tell me of capitals.", "output": answer})
    rows.write_text(f"{line}\n" * 24)  # rows of one length, so that both have the same batch
    recipe = recipe_for("tiny", method, length=256, **{"batch": 8, **_batch(training)})
    values = recipe_to_mapping(recipe)
    values["data"]["source"] = str(rows)
    values["training"]["threads"] = 1
    real = ask("rehearsal", recipe=values, workspace=str(tmp_path))
    shape = RowShape(**real["longest_row"])
    traced = trace(recipe, tmp_path, "cpu", shape, masked=False)
    return traced, real["measured"]["allocated"]


def _batch(training):
    rest = dict(training)
    size = rest.pop("micro_batch", 8)
    return {"batch": size, **rest}


TIERS = [
    ("llama", {"name": "full"}, {}),
    ("llama", {"name": "lora", "dora": True}, {"batch": 2}),
    ("llama", {"name": "qlora"}, {"gradient_checkpointing": True}),
    ("qwen3", {"name": "lora", "dropout": 0.1}, {"autocast": False}),
    ("gpt2", {"name": "full"}, {"optimizer": "adafactor"}),
    ("opt", {"name": "lora"}, {}),
    ("gpt_neox", {"name": "full"}, {"autocast": False}),
]


@pytest.mark.parametrize(("kind", "method", "settings"), TIERS)
def test_the_closed_form_is_within_four_percent_of_the_trace(kind, method, settings, models, peak_of):
    recipe, rows = recipe_for(models / kind, method, 1024, **settings), RowShape(1024, 1024)
    closed = estimate_memory(recipe, build_skeleton(models / kind), GPU, rows)
    traced = peak_of(recipe, rows)
    assert closed.allocated == pytest.approx(traced["allocated"], rel=0.04)
    assert traced["allocated"] <= traced["reserved"] < 1.6 * traced["allocated"]
    assert traced["largest"][0]["bytes"] >= traced["largest"][-1]["bytes"] > 0
    assert traced["operation"]


def test_a_trace_is_kept_and_found_again_by_what_memory_depends_on(models, tmp_path):
    workspace, rows = Workspace(tmp_path), RowShape(64, 64)
    recipe = recipe_for(models / "llama", length=64)
    traced = trace_memory(recipe, rows, GPU, workspace)
    began = time.perf_counter()
    assert trace_memory(recipe_for(models / "llama", length=64, learning_rate=1e-5), rows, GPU, workspace) == traced
    assert time.perf_counter() - began < 0.5
    assert find_traced(recipe_for(models / "llama", length=65), rows, GPU, workspace) is None
    assert find_traced(recipe, RowShape(63, 63), GPU, workspace) is None


def test_a_large_difference_between_the_two_is_said_in_words(models):
    closed = estimate_memory(recipe_for(models / "llama"), build_skeleton(models / "llama"), GPU)
    near = Traced(int(closed.allocated / 1.02), 0, {}, "", "", "", (), 0.0)
    far = Traced(int(closed.allocated * 1.25), 0, {}, "", "", "", (), 0.0)
    assert doubt(closed, near) is None
    assert doubt(closed, far).startswith("The formula does not cover this architecture: it is 20% below")


def test_tracing_that_nobody_waits_for_ends_at_once(models, tmp_path):
    class GivenUpError(Exception):
        pass

    def check():
        raise GivenUpError

    began = time.perf_counter()
    with pytest.raises(GivenUpError):
        trace_memory(recipe_for(models / "llama", length=100), None, GPU, Workspace(tmp_path), check)
    assert time.perf_counter() - began < 10
    assert not list((tmp_path / "cache").glob("traces/*"))


@pytest.mark.slow
def test_rows_are_part_of_what_is_asked(models, tmp_path):
    recipe = recipe_for(models / "llama", length=512)
    short = trace(recipe, tmp_path, "cuda", RowShape(64, 8))
    assert short["allocated"] < trace(recipe, tmp_path, "cuda", RowShape(512, 512))["allocated"]
    assert asdict(RowShape(64, 8)) == {"tokens": 64, "trained": 8}
