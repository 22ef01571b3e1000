"""Data and memory before a run: what the command says is what the core computes."""

import json
import shutil

import pytest

from workbench.core.memory.device import find_device
from workbench.core.memory.estimate import estimate_memory
from workbench.core.models.ready import cached_skeleton
from workbench.core.places import Workspace, sample_folder, tiny_folder
from workbench.core.recipe import Recipe, change_recipe

INSPECTED = {
    "source", "format", "format_reason", "rows", "usable_rows", "columns", "mapping", "template", "lengths",
    "trained_tokens", "total_tokens", "over_length", "findings",
}  # fmt: skip
PARTS = {"weights", "adapters", "gradients", "optimizer", "activations", "loss", "buffers", "context"}


def test_inspect_reports_rows_format_lengths_and_masks(workbench):
    report = workbench.document("inspect", "capitals", "--show-mask", "2")
    assert set(report) >= INSPECTED
    assert report["format"] == "alpaca"
    assert set(report["lengths"]) == {"prompt", "answer", "total"}
    first = report["masks"][0]
    assert set(first) == {"row", "ids", "tokens", "trained"}
    assert len(first["ids"]) == len(first["tokens"]) == len(first["trained"])
    assert len(report["masks"]) == 2
    assert "masks" not in workbench.document("inspect", "capitals")


def test_the_marked_text_is_what_is_trained_on(workbench):
    report = workbench.document("inspect", "capitals", "--show-mask", "1")
    mask = report["masks"][0]
    trained = "".join(token for token, on in zip(mask["tokens"], mask["trained"], strict=True) if on)
    shown = workbench("inspect", "capitals", "--show-mask", "1").stdout
    marked = shown.partition("row 1,")[2].partition("⟦")[2].partition("⟧")[0]
    assert marked == trained
    assert "<|user|>" not in marked


@pytest.mark.parametrize(
    "name", ["alpaca.json", "dolly.jsonl", "oasst.jsonl", "sharegpt.json", "rows.csv", "rows.parquet"]
)
def test_every_format_is_read_from_the_command_line(workbench, name):
    file = sample_folder() / "formats" / name
    report = workbench.document("inspect", file)
    assert report["usable_rows"] > 0
    assert report["trained_tokens"] > 0


def test_rows_that_are_left_out_are_counted_and_named(workbench):
    rows = [{"instruction": "ask", "output": "answer"}] * 3 + [{"instruction": "alone", "output": ""}]
    (workbench.folder / "rows.json").write_text(json.dumps(rows))
    said = workbench("inspect", "rows.json").stdout
    assert "4, 3 usable" in said
    finding = next(
        item for item in workbench.document("inspect", "rows.json")["findings"] if item["kind"] == "no_answer"
    )
    assert (finding["count"], finding["rows"]) == (1, [3])
    assert f"{finding['sentence']} Row 4" in said


def test_settings_change_how_data_is_read(workbench):
    rows = [{"q": f"question {number}", "a": f"answer {number}"} for number in range(8)]
    (workbench.folder / "rows.json").write_text(json.dumps(rows))
    report = workbench.document(
        "inspect", "rows.json", "--set", "data.mapping={prompt: q, answer: a}", "--set", "data.template=chatml"
    )
    assert report["mapping"] == {"prompt": "q", "answer": "a"}
    assert report["template"] == "chatml"


def test_a_long_row_is_counted_against_max_length(workbench):
    rows = [{"instruction": "ask", "output": "word " * count} for count in (2, 3, 400)]
    (workbench.folder / "rows.json").write_text(json.dumps(rows))
    report = workbench.document("inspect", "rows.json", "--max-length", "64", "--set", "data.held_out=0")
    assert report["over_length"]["rows"] == 1


def test_estimate_says_what_the_core_computes(workbench):
    said = workbench.document(
        "estimate", "--set", "method.rank=4", "--set", "training.micro_batch=2", "--set", "training.effective_batch=2"
    )
    assert set(said) >= {
        "model",
        "method",
        "total_parameters",
        "trainable_parameters",
        "memory",
        "verdict",
        "device",
        "advice",
    }
    assert set(said["memory"]) >= PARTS | {"allocated", "reserved_low", "reserved", "reserved_high"}
    recipe = change_recipe(Recipe(), {"method.rank": 4, "training.micro_batch": 2, "training.effective_batch": 2})
    skeleton = cached_skeleton(recipe.model, Workspace(workbench.workspace))
    expected = estimate_memory(recipe, skeleton, find_device())
    assert said["trainable_parameters"] == expected.trainable_parameters
    assert said["memory"]["allocated"] == expected.allocated
    assert all({"change", "memory", "time"} <= set(advice) for advice in said["advice"])


def test_a_named_recipe_is_estimated_with_its_own_longest_row(workbench):
    longest = workbench.document("inspect", "capitals")["lengths"]["total"]["max"]
    said = workbench.document("estimate", "capitals")
    assert said["longest_row"]["tokens"] <= longest + 4
    assert said["memory"]["allocated"] < workbench.document("estimate")["memory"]["allocated"]


def test_each_method_can_be_named(workbench):
    counts = {
        name: workbench.document("estimate", "--method", name)["trainable_parameters"]
        for name in ("full", "lora", "qlora")
    }
    assert counts["full"] > counts["lora"] == counts["qlora"] > 0


def test_a_config_alone_is_enough_for_an_estimate(workbench):
    folder = workbench.folder / "only-config"
    folder.mkdir()
    shutil.copy(tiny_folder() / "config.json", folder)
    said = workbench.document("estimate", "--model", "only-config")
    assert said["total_parameters"] == workbench.document("estimate")["total_parameters"]
    assert "holds no weights" in workbench.refused("train", "capitals", "--set", "model.path=only-config")


def test_a_verdict_stands_in_words(workbench):
    assert "It fits." in workbench("estimate").stdout
    huge = (
        "--set",
        "training.micro_batch=65536",
        "--set",
        "training.effective_batch=65536",
        "--set",
        "data.max_length=4096",
    )
    assert workbench.document("estimate", *huge)["verdict"] == "does not fit"
    said = workbench("estimate", *huge).stdout
    assert "It does not fit." in said
    assert "--set training.gradient_checkpointing=true" in said


def test_methods_lists_every_knob_with_what_it_takes(workbench):
    methods = {method["name"]: method for method in workbench.document("methods")}
    assert {"full", "lora", "qlora"} <= set(methods)
    assert {knob["name"] for knob in methods["lora"]["knobs"]} >= {"rank", "alpha", "targets", "dropout"}
    assert "method.rank" in workbench("methods").stdout


def test_doctor_names_what_is_there_without_importing_it(workbench):
    report = workbench.document("doctor")
    assert report["packages"]["torch"]
    assert report["cpu"]["memory"] > 0
    assert report["workspace"]["path"] == str(workbench.workspace)
    assert report["hub"]["offline"] is True
    assert all(set(item) == {"what", "do"} for item in report["missing"])
    assert report["terminal"]["live"] is False


@pytest.mark.slow
def test_what_a_kind_was_tried_on_is_kept_in_the_workspace_that_was_named(workbench, tmp_path):
    given = ("--method", "peft", "--set", "method.kind=LOHA", "--json")
    done = workbench("--workspace", tmp_path / "named", "estimate", *given)
    assert done.returncode == 0, done.stderr
    assert any((tmp_path / "named" / "cache" / "peft").iterdir())
    assert not (workbench.workspace / "cache" / "peft").exists()
