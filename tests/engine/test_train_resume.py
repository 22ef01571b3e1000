"""Runs that are killed, damaged or stopped go on as if nothing had been."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from train_processes import (
    Trainers,
    events_of,
    last_step,
    losses_of,
    new_run,
    until,
    wait_for_end,
    wait_for_state,
    wait_for_step,
)

from workbench.core.runs.folder import RunFolder, write_control
from workbench.engine.train.checkpoints import flaw_of, steps_of

STEPS = 12

PLAIN = "lora with dropout and accumulation"

VARIANTS: dict[str, dict[str, dict[str, Any]]] = {
    PLAIN: {
        "method": {"name": "lora", "rank": 4, "dropout": 0.1},
        "training": {"micro_batch": 2, "effective_batch": 4, "learning_rate": 0.002},
    },
    "full fine-tuning with accumulation": {
        "method": {"name": "full"},
        "training": {"micro_batch": 2, "effective_batch": 4, "schedule": "cosine"},
    },
    "dora with checkpointing and packing": {
        "method": {"name": "lora", "dora": True, "dropout": 0.1},
        "data": {"packing": True},
        "training": {"micro_batch": 2, "effective_batch": 2, "gradient_checkpointing": True, "optimizer": "adafactor"},
    },
    "qlora with 8-bit Adam in mixed precision": {
        "method": {"name": "qlora", "rank": 32},
        "training": {"micro_batch": 4, "effective_batch": 4, "optimizer": "adamw_8bit", "autocast": True},
    },
}


def make(runs: Path, pairs: Path, name: str, variant: str, **training: Any) -> RunFolder:
    sections = VARIANTS[variant]
    return new_run(
        runs,
        name,
        data={"source": str(pairs), "held_out": 0.2, "max_length": 128, **sections.get("data", {})},
        method=sections["method"],
        training={
            "steps": STEPS, "evaluate_every": 5, "checkpoint_every": 2, "score_rows": 2, "warmup": 0.2,
            **sections["training"], **training,
        },
    )  # fmt: skip


@pytest.fixture
def make_run(tmp_path: Path, pairs: Path) -> Callable[..., RunFolder]:
    def make_here(name: str, variant: str = PLAIN, **training: Any) -> RunFolder:
        return make(tmp_path / "runs", pairs, name, variant, **training)

    return make_here


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, pairs: Path, trainers: Trainers) -> Callable[..., RunFolder]:
    """A run that nothing happened to, made once a variant."""
    runs = tmp_path_factory.mktemp("undisturbed")

    def run(variant: str = PLAIN) -> RunFolder:
        folder = RunFolder(runs / variant.replace(" ", "-"))
        if not folder.path.exists():
            trainers.finish(make(runs, pairs, folder.name, variant))
            assert list(losses_of(folder)) == list(range(1, STEPS + 1))
        return folder

    return run


def kill_at(trainers: Trainers, folder: RunFolder, step: int) -> None:
    pid = trainers.start(folder)
    wait_for_step(folder, step)
    os.kill(pid, signal.SIGKILL)
    wait_for_end(pid)
    assert folder.read_status().state == "lost"  # type: ignore[union-attr]
    assert not events_of(folder, "end")


@pytest.mark.parametrize(
    "variant",
    [pytest.param(name, marks=pytest.mark.slow) if name.startswith(("dora", "qlora")) else name for name in VARIANTS],
)
def test_a_run_killed_with_minus_nine_resumes_with_the_same_losses(
    variant: str, make_run: Callable[..., RunFolder], trainers: Trainers, undisturbed: Callable[..., RunFolder]
) -> None:
    expected = losses_of(undisturbed(variant))
    killed = make_run("killed", variant)
    kill_at(trainers, killed, 5)
    events = trainers.finish(killed)
    resumed = [event["resumed_from"] for event in events if event["kind"] == "start"]
    assert resumed[0] is None
    assert resumed[1] in (4, 6, 8, 10)
    assert losses_of(killed) == expected
    ends = [events_of(run, "eval")[-1] for run in (undisturbed(variant), killed)]
    assert (ends[0]["loss"], ends[0]["score"]) == (ends[1]["loss"], ends[1]["score"])
    assert len([event for event in events if event["kind"] == "eval" and event["side"] == "base"]) == 1
    assert wait_for_state(killed, "finished")


def test_a_run_killed_before_its_first_checkpoint_starts_again_with_the_same_losses(
    make_run: Callable[..., RunFolder], trainers: Trainers, undisturbed: Callable[..., RunFolder]
) -> None:
    killed = make_run("killed", checkpoint_every=0)
    kill_at(trainers, killed, 3)
    trainers.finish(killed)
    assert losses_of(killed) == losses_of(undisturbed())


def test_a_damaged_newest_checkpoint_is_left_out_with_a_word(
    make_run: Callable[..., RunFolder], trainers: Trainers, undisturbed: Callable[..., RunFolder]
) -> None:
    killed = make_run("killed")
    kill_at(trainers, killed, 7)
    newest, before = killed.newest_checkpoint(), steps_of(killed)[-2]
    assert newest is not None
    state = bytearray((newest / "optimizer.pt").read_bytes())
    state[len(state) // 2] ^= 1
    (newest / "optimizer.pt").write_bytes(state)
    assert flaw_of(newest) == "optimizer.pt has changed"
    events = trainers.finish(killed)
    assert [event["resumed_from"] for event in events if event["kind"] == "start"][-1] == before
    told = [event["text"] for event in events if event["kind"] == "notice"]
    assert any(
        f"checkpoint of {newest.name.replace('-', ' ')} is damaged (optimizer.pt has changed)" in text for text in told
    )
    assert losses_of(killed) == losses_of(undisturbed())
    assert all(flaw_of(killed.checkpoints / f"step-{step}") is None for step in steps_of(killed))


def test_what_a_killed_trainer_left_half_written_is_never_taken_for_a_checkpoint(
    make_run: Callable[..., RunFolder], trainers: Trainers
) -> None:
    folder = make_run("killed")
    kill_at(trainers, folder, 3)
    half = folder.checkpoints / ".step-4"
    half.mkdir(exist_ok=True)
    (half / "trainer_state.json").write_text("{")
    trainers.finish(folder)
    assert sorted(losses_of(folder)) == list(range(1, STEPS + 1))
    assert not half.exists()


def test_only_the_newest_checkpoints_are_kept(make_run: Callable[..., RunFolder], trainers: Trainers) -> None:
    folder = make_run("kept", keep_checkpoints=3)
    trainers.finish(folder)
    assert steps_of(folder) == [6, 8, 10]
    assert sorted(path.name for path in folder.checkpoints.iterdir()) == ["step-10", "step-6", "step-8"]


def test_evaluations_and_checkpoints_disturb_no_loss(
    make_run: Callable[..., RunFolder], trainers: Trainers, undisturbed: Callable[..., RunFolder]
) -> None:
    busy = make_run("busy", evaluate_every=1, checkpoint_every=1, score_rows=0)
    trainers.finish(busy)
    assert len(events_of(busy, "eval")) == STEPS + 1
    assert losses_of(busy) == losses_of(undisturbed())


def test_a_stopped_run_keeps_its_adapter_and_resumes_with_the_same_losses(
    make_run: Callable[..., RunFolder], trainers: Trainers, undisturbed: Callable[..., RunFolder]
) -> None:
    stopped = make_run("stopped", checkpoint_every=0)
    pid = trainers.start(stopped)
    wait_for_step(stopped, 4)
    write_control(stopped, "stop")
    wait_for_end(pid)
    assert wait_for_state(stopped, "stopped")
    step = last_step(stopped)
    assert step < STEPS
    assert (stopped.adapter / "adapter_model.safetensors").is_file()
    assert steps_of(stopped) == [step]
    assert events_of(stopped, "end")[-1]["state"] == "stopped"
    write_control(stopped, "run")
    trainers.finish(stopped)
    assert losses_of(stopped) == losses_of(undisturbed())
    assert wait_for_state(stopped, "finished")


def test_a_pause_and_a_checkpoint_on_request_change_no_loss_and_the_heart_beats_on(
    make_run: Callable[..., RunFolder], trainers: Trainers, undisturbed: Callable[..., RunFolder]
) -> None:
    paused = make_run("paused", checkpoint_every=0)
    pid = trainers.start(paused)
    wait_for_step(paused, 3)
    write_control(paused, "pause")
    wait_for_state(paused, "paused")
    step, spent = last_step(paused), paused.read_status()
    assert spent is not None
    assert step < STEPS
    write_control(paused, "checkpoint")
    until(lambda: steps_of(paused) == [step], "a checkpoint on request")
    until(lambda: (paused.read_status() or spent).heartbeat > spent.heartbeat + 1.5, "the heart to beat on")
    now = paused.read_status()
    assert now is not None
    assert now.state == "paused"
    assert now.seconds == pytest.approx(spent.seconds, abs=0.05)
    assert last_step(paused) == step
    write_control(paused, "run")
    wait_for_end(pid)
    assert losses_of(paused) == losses_of(undisturbed())
    assert [event["step"] for event in events_of(paused, "checkpoint")] == [step]
