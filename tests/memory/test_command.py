"""`workbench estimate` as it is typed, the helper's verb `trace`, and what past errors make of a verdict."""

import json
import subprocess
import sys

import pytest
from asking import recipe_for

from workbench.cli.models import ask_helper
from workbench.core.memory.calibrated import verdict_here
from workbench.core.memory.device import Device
from workbench.core.memory.estimate import estimate_memory
from workbench.core.memory.experience import Compared, Experience
from workbench.core.memory.families import LLAMA_3, skeleton_of_sizes
from workbench.core.places import Workspace
from workbench.core.recipe import recipe_to_mapping

WAYS = ("ddp", "fsdp", "zero1", "zero2", "zero3")


def estimated(workspace, *words):
    """What the command prints as JSON."""
    done = subprocess.run(
        [sys.executable, "-m", "workbench", "--workspace", str(workspace), "estimate", *words, "--json"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def test_the_helper_traces_a_recipe_and_the_answer_is_kept_for_the_command(models, tmp_path):
    recipe = recipe_for(models / "llama", length=64)
    device = {"kind": "cuda", "name": "RTX 4090 24 GB", "total": 24_564 * 2**20, "free": 24_564 * 2**20}
    answer = ask_helper(Workspace(tmp_path), "trace", recipe=recipe_to_mapping(recipe), rows=None, device=device)
    assert answer["allocated"] == sum(answer["parts"].values()) <= answer["reserved"]
    kept = list((tmp_path / "cache" / "traces").glob("*.json"))
    assert len(kept) == 1 and json.loads(kept[0].read_text())["allocated"] == answer["allocated"]


@pytest.fixture(scope="module")
def on_a_card(models, tmp_path_factory):
    """`on_a_card(*words)`: the estimate of a full fine-tuning on one card, in one workspace."""
    workspace = tmp_path_factory.mktemp("workspace")
    words = ("--model", str(models / "llama"), "--method", "full", "--card", "a100 80")
    return lambda *more: estimated(workspace, *words, *more)


@pytest.fixture(scope="module")
def whole(on_a_card):
    """The estimate for a single one."""
    return on_a_card()


@pytest.mark.parametrize("way", WAYS)
def test_several_gpus_take_what_their_way_of_sharing_leaves_to_each(way, on_a_card, whole):
    shared = on_a_card("--world-size", "4", "--sharding", way)
    each = shared["each_gpu"]
    assert (each["world_size"], each["sharding"]) == (4, way)
    assert shared["memory"] == whole["memory"]
    assert each["allocated"] == sum(each[name] for name in whole["memory"] if name in each and name not in NOT_PARTS)
    optimizer = whole["memory"]["optimizer"]
    assert each["optimizer"] == (optimizer if way == "ddp" else -(-optimizer // 4))
    weights = whole["memory"]["weights"]
    assert each["weights"] == (-(-weights // 4) if way in ("fsdp", "zero3") else weights)


def test_every_figure_is_in_the_document(models, tmp_path):
    words = ("--model", str(models / "llama"), "--method", "lora", "--price", "2 EUR", "--world-size", "2")
    said = estimated(tmp_path, *words, "--trace", "--card", "rtx 3090", "--loop", "for_each=true")
    kinds, layers = said["parameters"], said["layers"]
    for name in ("parameters", "trained"):
        whole = said["total_parameters" if name == "parameters" else "trainable_parameters"]
        assert sum(kind[name] for kind in kinds) == sum(layer[name] for layer in layers) == whole
    assert [layer["layer"] for layer in layers] == [None, 0, 1, 2, 3]
    assert max(said["moments"].values()) == said["memory"]["allocated"] and said["peak_at"] in said["moments"]
    assert said["memory"]["reserved_low"] < said["memory"]["reserved"] < said["memory"]["reserved_high"]
    assert said["loop"]["for_each"] is True
    traced = said["traced"]
    assert sum(traced["parts"].values()) == traced["allocated"] <= traced["reserved"]
    assert traced["operation"] and traced["peak_at"] and traced["largest"]
    assert (said["doubt"] is None) == (abs(traced["difference"]) <= 0.03)
    assert said["here"]["compared"] == 0 and len(said["cards"]) > 10
    assert {one["verdict"] for one in said["cards"]} <= {"fits", "tight", "does not fit"}
    assert said["advice"] and all(one["memory"] > 0 and one["time"] and one["settings"] for one in said["advice"])
    assert said["limits"]["micro_batch"] > 8 and said["limits"]["max_length"] and said["limits"]["largest_model"]
    assert said["disk"]["checkpoint"] > 0 and said["disk"]["merged"] > 0
    assert said["cost"]["per_hour"] == 2 and said["duration"] is None


NOT_PARTS = {"context", "allocated", "reserved_low", "reserved", "reserved_high", "process_low", "process",
             "process_high"}  # fmt: skip


def test_past_errors_near_in_size_move_the_verdict_and_others_do_not():
    skeleton = skeleton_of_sizes(LLAMA_3[2], "llama")
    recipe = recipe_for("tiny", {"name": "lora"}, 1024)
    need = estimate_memory(recipe, skeleton, Device("cuda", "a GPU", 2**40, 2**40))
    device = Device("cuda", "a GPU", 2**40, int(need.process_high * 1.2))
    estimate = estimate_memory(recipe, skeleton, device)

    def said(ratio, size=1.0):
        predicted = int(estimate.predicted * size)
        past = Compared("calm-crane", "m", "lora", predicted, int(predicted * ratio), None)
        return verdict_here(estimate, Experience((past,)))

    assert estimate.verdict == verdict_here(estimate, Experience(())) == "fits"
    assert said(1.0) == "fits" and said(1.25) == "tight" and said(2.0) == "does not fit"
    assert said(2.0, size=0.01) == "fits"
