"""The trainer's parts on their own: what is wanted, learning rates, dead gradients, and errors as sentences."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from workbench.core.errors import RunFailedError, UserError
from workbench.core.files import write_json_atomically
from workbench.core.places import Workspace
from workbench.core.recipe import recipe_from_mapping
from workbench.core.runs.folder import RunFolder, write_control
from workbench.engine.environment import needs_bitsandbytes, physical_cores
from workbench.engine.failures import is_disk_full, is_out_of_memory, sentence_for
from workbench.engine.train.checkpoints import aside, flaw_of, newest_sound, publish, steps_of
from workbench.engine.train.controls import Controls, StopAskedError
from workbench.engine.train.heartbeat import Clock
from workbench.engine.train.loop import StepFigures, rate_share
from workbench.engine.train.numbers import choose_numbers
from workbench.engine.train.watch import STILL, Watch

CPU = torch.device("cpu")


def test_a_word_that_is_older_than_the_trainer_was_meant_for_another(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    controls = Controls(folder)
    write_json_atomically(folder.control, {"want": "stop", "at": 1})
    assert controls.read() == "run"
    controls.raise_if_stopped()
    write_control(folder, "stop")
    assert controls.read() == "stop"
    with pytest.raises(StopAskedError):
        controls.raise_if_stopped()


def test_a_checkpoint_is_asked_for_once_and_leaves_a_pause_a_pause(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    controls = Controls(folder)
    assert controls.read() == "run"
    write_control(folder, "checkpoint")
    assert [controls.read(), controls.read()] == ["checkpoint", "run"]
    write_control(folder, "checkpoint")
    assert [controls.read(), controls.read()] == ["checkpoint", "run"]
    write_control(folder, "pause")
    assert controls.read() == "pause"
    write_control(folder, "checkpoint")
    assert [controls.read(), controls.read()] == ["checkpoint", "pause"]
    write_control(folder, "run")
    assert controls.read() == "run"


def test_a_half_written_word_is_no_word(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.control.write_text('{"want": "sto')
    assert Controls(folder).read() == "run"


@pytest.mark.parametrize("schedule", ["linear", "cosine", "constant"])
@pytest.mark.parametrize("steps", [1, 2, 10, 100])
def test_no_step_has_a_learning_rate_of_zero_and_the_peak_is_the_recipes(schedule: str, steps: int) -> None:
    for warmup in (0.0, 0.03, 0.5, 1.0):
        shares = [rate_share(step, steps, warmup, schedule) for step in range(steps)]
        assert all(0 < share <= 1 for share in shares)
        rising = int(warmup * steps)
        assert shares[:rising] == sorted(shares[:rising])
        if rising < steps:
            assert shares[rising] == 1.0
            assert shares[rising:] == sorted(shares[rising:], reverse=True)


def watch() -> Watch:
    names = (
        "folder", "recipe", "order", "journal", "heartbeat", "clock", "controls", "held_out", "peak", "predicted",
        "base_answers",
    )  # fmt: skip
    parts: dict[str, Any] = dict.fromkeys(names)
    return Watch(**parts)


def test_gradients_that_die_or_never_lived_end_the_run_and_those_without_a_loss_do_not() -> None:
    def figures(norm: float | None, loss: float = 1.0) -> StepFigures:
        return StepFigures(1, loss, 0.1, norm, 1, 1)

    still = watch()
    for _ in range(STILL - 1):
        still._look_at_gradients(figures(0.0))
    with pytest.raises(RunFailedError, match="exactly zero for all 5 steps so far"):
        still._look_at_gradients(figures(0.0))
    learnt = watch()
    learnt._look_at_gradients(figures(1.0))
    for _ in range(3 * STILL):
        learnt._look_at_gradients(figures(0.0, loss=0.0))
    dead = watch()
    dead._look_at_gradients(figures(1.0))
    for _ in range(STILL - 1):
        dead._look_at_gradients(figures(0.0))
    with pytest.raises(RunFailedError, match="exactly zero for 5 steps"):
        dead._look_at_gradients(figures(0.0))


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError("[enforce fail at alloc_cpu.cpp:118] err == 0. DefaultCPUAllocator: can't allocate memory: ..."),
    ],
    ids=["python", "cuda", "cpu"],
)
def test_too_little_memory_is_said_with_what_to_change(error: Exception) -> None:
    assert is_out_of_memory(error)
    assert sentence_for(error).startswith("The memory ran out; lower training.micro_batch")


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EFBIG, "File too large"),
        RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 111360 vs 111248"),
    ],
    ids=["disk", "limit", "torch"],
)
def test_a_full_disk_is_recognised_however_it_is_said(error: Exception) -> None:
    assert is_disk_full(error)
    assert not is_out_of_memory(error)
    assert sentence_for(error) == "The disk is full; free some space and resume the run."


def test_any_other_error_is_one_line_without_a_traceback() -> None:
    text = sentence_for(KeyError("first\nsecond"))
    assert "\n" not in text
    assert "KeyError" in text
    assert sentence_for(UserError("Do this.")) == "Do this."
    assert not is_disk_full(PermissionError(errno.EACCES, "Permission denied"))


def test_a_checkpoint_is_sound_until_a_byte_of_it_changes(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    for step in (2, 4, 6):
        hidden = aside(folder, step)
        (hidden / "inner").mkdir()
        (hidden / "weights").write_bytes(bytes(1000))
        (hidden / "inner" / "state").write_text(f"{step}")
        final, size = publish(folder, hidden, step, keep=2)
        assert (final, size) == (folder.checkpoints / f"step-{step}", 1001)
    assert steps_of(folder) == [4, 6]
    assert newest_sound(folder) == (folder.checkpoints / "step-6", [])
    for name, change, flaw in (
        ("inner/state", b"7", "inner/state has changed"),
        ("weights", bytes(999), "weights has another size"),
    ):
        before = (folder.checkpoints / "step-6" / name).read_bytes()
        (folder.checkpoints / "step-6" / name).write_bytes(change)
        assert flaw_of(folder.checkpoints / "step-6") == flaw
        (folder.checkpoints / "step-6" / name).write_bytes(before)
    (folder.checkpoints / "step-6" / "weights").unlink()
    found, told = newest_sound(folder)
    assert found == folder.checkpoints / "step-4"
    assert told == [
        "The checkpoint of step 6 is damaged (weights cannot be read) and is left out; the one before it is used."
    ]
    (folder.checkpoints / "step-4" / "manifest.json").write_text("{}")
    found, told = newest_sound(folder)
    assert found is None
    assert told[-1].endswith("there is none before it, so the run starts again.")


def test_a_checkpoint_of_a_future_that_was_gone_back_on_is_removed(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    for step in (2, 9, 4):
        hidden = aside(folder, step)
        (hidden / "weights").write_bytes(b"1")
        publish(folder, hidden, step, keep=5)
    assert steps_of(folder) == [2, 4]


def test_the_clock_stands_still_while_it_is_stopped() -> None:
    clock = Clock(5.0)
    assert clock.seconds == 5.0
    clock.start()
    deadline = time.monotonic() + 10
    while clock.seconds <= 5.0:
        assert time.monotonic() < deadline
    clock.stop()
    stood = clock.seconds
    assert stood > 5.0
    assert clock.seconds == stood


def test_a_cpu_computes_in_float32_unless_it_is_told_otherwise() -> None:
    assert choose_numbers(recipe_from_mapping({}), CPU).precision == "float32"
    assert choose_numbers(recipe_from_mapping({}), CPU).autocast is None
    mixed = recipe_from_mapping({"training": {"autocast": True, "precision": "bfloat16"}})
    assert choose_numbers(mixed, CPU).autocast is torch.bfloat16
    with pytest.raises(UserError, match=r"training\.precision cannot be float16"):
        choose_numbers(
            recipe_from_mapping({"method": {"name": "full"}, "training": {"precision": "float16", "autocast": True}}),
            CPU,
        )
    paged = recipe_from_mapping({"training": {"optimizer": "paged_adamw_8bit"}})
    assert "unpaged" in choose_numbers(paged, CPU).notices[0]


@pytest.mark.parametrize(
    ("before", "after"),
    [({}, "0"), ({"CUDA_VISIBLE_DEVICES": "2,3"}, "2"), ({"CUDA_VISIBLE_DEVICES": ""}, "")],
    ids=["none named", "several", "none wanted"],
)
def test_one_process_sees_one_gpu(before: dict[str, str], after: str) -> None:
    script = "import os; from workbench.engine.environment import prepare_environment; prepare_environment(); "
    script += "print(os.environ.get('CUDA_VISIBLE_DEVICES'), os.environ['OMP_NUM_THREADS'])"
    kept = {key: value for key, value in os.environ.items() if key not in ("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS")}

    def told(**more: str) -> str:
        done = subprocess.run([sys.executable, "-c", script], env={**kept, **more}, capture_output=True, text=True)
        return done.stdout.strip("\n")

    assert told(**before) == f"{after} {physical_cores()}"
    assert told(WORLD_SIZE="2", CUDA_VISIBLE_DEVICES="2,3", OMP_NUM_THREADS="1") == "2,3 1"


def test_bitsandbytes_is_only_imported_for_what_needs_it(tmp_path: Path) -> None:
    def needed(values: dict[str, Any]) -> bool:
        return needs_bitsandbytes(recipe_from_mapping(values), Workspace(tmp_path))

    assert not needed({"method": {"name": "lora"}})
    assert needed({"method": {"name": "qlora"}})
    assert needed({"training": {"optimizer": "adamw_8bit"}})
    assert physical_cores() >= 1
