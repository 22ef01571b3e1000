"""What follows from an estimate: cards, limits, several GPUs, the disk, and what past runs say of it."""

import json
import time
from dataclasses import replace

import pytest
from asking import recipe_for

from workbench.core.errors import UserError
from workbench.core.memory.advice import advise
from workbench.core.memory.cards import CARDS, card_named
from workbench.core.memory.device import Device
from workbench.core.memory.disk import disk_needed
from workbench.core.memory.estimate import estimate_memory
from workbench.core.memory.experience import keep_rehearsal, read_experience
from workbench.core.memory.families import FAMILIES, LLAMA_3, skeleton_of_sizes
from workbench.core.memory.limits import find_limits, fits_on_cards
from workbench.core.memory.row_shape import RowShape
from workbench.core.memory.sharding import SHARED, shard
from workbench.core.places import Workspace

LLAMA_8B = skeleton_of_sizes(LLAMA_3[2], "llama")
PUBLISHED = {
    "Llama-3.2-1B": 1_235_814_400, "Llama-3.2-3B": 3_212_749_824, "Llama-3.1-8B": 8_030_261_248,
    "Llama-3.1-70B": 70_553_706_496, "Qwen2.5-0.5B": 494_032_768, "Qwen2.5-1.5B": 1_543_714_304,
    "Qwen2.5-7B": 7_615_616_512, "Qwen2.5-72B": 72_706_203_648, "Qwen3-0.6B": 596_049_920,
    "Qwen3-8B": 8_190_735_360, "Qwen3-32B": 32_762_123_264,
}  # fmt: skip


def test_the_families_have_the_published_number_of_parameters():
    built = {
        sizes.name: skeleton_of_sizes(sizes, kind).total_parameters
        for kind, (_, members) in FAMILIES.items()
        for sizes in members
    }
    assert {name: built[name] for name in PUBLISHED} == PUBLISHED


def test_the_cards_go_from_a_laptop_to_a_data_centre_and_their_names_say_their_size():
    assert CARDS[0].mebibytes < 8 * 1024 + 1 and CARDS[-1].mebibytes > 180_000
    for card in CARDS:
        named = int(card.name.split()[-2])
        assert 0.93 * named * 1000 < card.mebibytes <= 1.03 * named * 1024


def test_a_card_is_found_by_part_of_its_name_and_an_unknown_one_lists_them():
    assert card_named("rtx 4090").mebibytes == 24_564
    with pytest.raises(UserError, match=r"There is no card 'abacus'.*RTX 3090 24 GB"):
        card_named("abacus")


def test_a_recipe_fits_on_every_card_above_one_that_it_fits_on():
    verdicts = fits_on_cards(recipe_for("tiny", {"name": "lora"}, 1024), LLAMA_8B)
    by_memory = [one["verdict"] for one in sorted(verdicts, key=lambda one: one["memory"])]
    order = ["does not fit", "tight", "fits"]
    assert by_memory == sorted(by_memory, key=order.index) and len(set(by_memory)) >= 2


@pytest.mark.parametrize("method", [{"name": "lora"}, {"name": "qlora"}])
def test_the_limits_fit_and_one_more_does_not(method):
    device, rows = card_named("a100 80").device, RowShape(1024, 1024)
    recipe = recipe_for("tiny", method, 1024)
    limits = find_limits(recipe, LLAMA_8B, device, rows)

    def process(size, length, shape):
        training = replace(recipe.training, micro_batch=size, effective_batch=size)
        changed = replace(recipe, training=training, data=replace(recipe.data, max_length=length))
        return estimate_memory(changed, LLAMA_8B, device, shape).process

    assert process(limits.micro_batch, 1024, rows) <= device.free < process(limits.micro_batch + 1, 1024, rows)
    assert process(1, limits.max_length, None) <= device.free < process(1, limits.max_length + 1, None)
    assert limits.family == "Llama 3" and limits.largest_model in ("Llama-3.1-8B", "Llama-3.1-70B")


def test_limits_and_advice_of_a_kind_that_is_counted_by_building_it_build_nothing_more(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path))
    device, rows, small = card_named("a100 80").device, RowShape(512, 512), skeleton_of_sizes(LLAMA_3[0], "llama")
    recipe = recipe_for("tiny", {"name": "peft", "kind": "LOHA"}, 512)
    estimate_memory(recipe, small, device, rows)
    kept = [path.name for path in (tmp_path / "cache" / "peft").iterdir()]
    limits = find_limits(recipe, small, device, rows)
    assert limits.micro_batch and limits.max_length and limits.family is limits.largest_model is None
    assert advise(recipe, small, device, rows)
    assert [path.name for path in (tmp_path / "cache" / "peft").iterdir()] == kept and len(kept) == 1


def test_where_nothing_fits_the_limits_say_so():
    limits = find_limits(recipe_for("tiny", {"name": "full"}, 1024), LLAMA_8B, CARDS[0].device)
    assert limits.micro_batch is None and limits.max_length is None and limits.largest_model is None


def test_the_closed_form_takes_less_than_ten_milliseconds_for_eight_billion_parameters():
    recipe = recipe_for("tiny", {"name": "lora"}, 2048)
    took = []
    for _ in range(5):
        began = time.perf_counter()
        estimate_memory(recipe, LLAMA_8B, CARDS[-1].device)
        took.append(time.perf_counter() - began)
    assert min(took) < 0.010


def test_more_sharing_leaves_less_on_each_gpu():
    full = estimate_memory(recipe_for("tiny", {"name": "full"}, 512), LLAMA_8B, CARDS[-1].device)
    each = {kind: shard(full, LLAMA_8B, 8, kind)["allocated"] for kind in SHARED}
    assert each["ddp"] > full.allocated > each["zero1"] > each["zero2"] > each["zero3"] == each["fsdp"]
    assert shard(full, LLAMA_8B, 1, "ddp")["allocated"] == full.allocated


def test_the_disk_holds_the_kept_checkpoints_and_one_that_is_being_written():
    recipe = recipe_for("tiny", {"name": "lora"}, 512)
    disk = disk_needed(recipe, estimate_memory(recipe, LLAMA_8B, CARDS[-1].device))
    assert disk["checkpoints"] == 3 * disk["checkpoint"]
    assert disk["result"] == 4 * 20_971_520
    assert disk["merged"] == pytest.approx(16.1e9, rel=0.01)


def test_past_errors_on_this_device_become_a_band_and_other_devices_do_not_count(tmp_path):
    workspace, device = Workspace(tmp_path), Device("cuda", "a GPU", 80 * 2**30, 79 * 2**30)
    facts = {"run": "calm-crane", "model": "tiny", "method": "lora", "tokens_per_second": 100.0}
    for name, where, measured in (("calm-crane", "a GPU", 1_100), ("keen-otter", "another", 9_000)):
        memory = {"of": "reserved", "predicted": 1_000, "measured": measured}
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "facts.json").write_text(json.dumps({**facts, "device": where, "memory": memory}))
    rehearsal = {"device": device.to_json(), "model": "tiny", "method": "full", "tokens_per_second": None,
                 "predicted": {"reserved": 1_000}, "measured": {"reserved": 900}}  # fmt: skip
    keep_rehearsal(workspace, rehearsal)
    known = read_experience(workspace, device)
    said = known.to_json()
    assert said["compared"] == 2 and said["last"]["name"] == "rehearsal"
    assert said["worst_error"] == pytest.approx(1_000 / 900 - 1)
    recipe = recipe_for("tiny")
    estimate = estimate_memory(recipe, LLAMA_8B, device)
    band = known.band(estimate)
    assert band["low"] == int(0.9 * estimate.reserved) and band["high"] == int(1.1 * estimate.reserved)
    assert known.speed(recipe) == (100.0, "calm-crane")


def test_files_that_cannot_be_read_are_no_experience(tmp_path):
    (tmp_path / "runs" / "x").mkdir(parents=True)
    (tmp_path / "runs" / "x" / "facts.json").write_text("{half")
    (tmp_path / "rehearsals.jsonl").write_text("[]\nnonsense\n")
    known = read_experience(Workspace(tmp_path), Device("cpu", "CPU", 1, 1))
    assert known.to_json() == {"compared": 0, "median_error": None, "worst_error": None, "last": None}
