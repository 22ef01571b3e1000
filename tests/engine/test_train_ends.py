"""How runs end: finished, stopped, failed, and never with whoever started them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from train_processes import (
    Trainers,
    events_of,
    last_step,
    new_run,
    until,
    wait_for_end,
    wait_for_state,
    wait_for_step,
)

from workbench.core.runs.folder import RunFolder
from workbench.engine.train.checkpoints import steps_of

LAUNCH = """
import sys, time
from workbench.core.runs.folder import RunFolder
from workbench.core.runs.launch import launch_run
from pathlib import Path
print(launch_run(RunFolder(Path(sys.argv[1]))).pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def make_run(tmp_path: Path, pairs: Path) -> Callable[..., RunFolder]:
    def make(name: str = "run", **changes: Any) -> RunFolder:
        training = {"steps": 10, "micro_batch": 4, "effective_batch": 4, "score_rows": 4, **changes.pop("training", {})}
        data = {"source": str(pairs), "held_out": 0.2, "max_length": 128, **changes.pop("data", {})}
        return new_run(tmp_path / "runs", name, data=data, training=training, **changes)

    return make


def end_of(folder: RunFolder) -> tuple[str, str]:
    """How the run ended: its state and its sentence."""
    (event,) = events_of(folder, "end")
    assert wait_for_state(folder, event["state"])
    return event["state"], event["text"]


def exit_status(folder: RunFolder) -> int:
    file = folder.path / "exit-status"
    return int(until(lambda: file.exists() and file.read_text(), "the exit status"))


def is_one_sentence(text: str) -> bool:
    return "\n" not in text and text.endswith(".") and "Traceback" not in text and len(text) < 300


def test_a_run_outlives_the_terminal_and_the_process_that_started_it(make_run: Callable[..., RunFolder]) -> None:
    folder = make_run(training={"steps": 40, "checkpoint_every": 0})
    parent = subprocess.Popen(
        [sys.executable, "-c", LAUNCH, str(folder.path)], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert parent.stdout
    pid = int(parent.stdout.readline())
    try:
        until(lambda: last_step(folder) >= 1, "the first step", 120)
        trainer = psutil.Process(pid)
        assert os.getsid(pid) == pid
        assert trainer.nice() >= min(19, os.nice(0) + 10)
        os.killpg(parent.pid, signal.SIGKILL)
        parent.wait()
        os.kill(pid, signal.SIGHUP)
        step = last_step(folder)
        until(lambda: last_step(folder) > step, "another step")
        wait_for_end(pid)
    finally:
        for left in (pid, parent.pid):
            if psutil.pid_exists(left):
                os.kill(left, signal.SIGKILL)
    assert end_of(folder) == ("finished", "Finished after 40 steps.")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_end_leaves_a_checkpoint_and_an_adapter(
    number: signal.Signals, make_run: Callable[..., RunFolder], trainers: Trainers
) -> None:
    folder = make_run(training={"steps": 500})
    pid = trainers.start(folder)
    wait_for_step(folder, 2)
    os.kill(pid, number)
    wait_for_end(pid)
    state, text = end_of(folder)
    assert (state, text) == ("stopped", f"Stopped after {last_step(folder)} steps.")
    assert steps_of(folder) == [last_step(folder)]
    assert (folder.adapter / "adapter_model.safetensors").is_file()
    assert exit_status(folder) == 0


def test_a_second_trainer_on_a_run_leaves_the_first_alone(
    make_run: Callable[..., RunFolder], trainers: Trainers
) -> None:
    folder = make_run(training={"steps": 30})
    first = trainers.start(folder)
    wait_for_step(folder, 1)
    second = trainers.start(folder)
    wait_for_end(second)
    assert exit_status(folder) == 2
    assert "has a trainer already" in folder.log.read_text()
    wait_for_end(first)
    assert len(events_of(folder, "start")) == 1
    assert end_of(folder)[0] == "finished"


FAILURES: dict[str, tuple[dict[str, Any], str]] = {
    "rows that are all too long": ({"data": {"max_length": 8}}, "No row of .* is left to train on"),
    "a file that is not there": ({"data": {"source": "nosuch.jsonl"}}, "nosuch"),
    "a rank above the matrix": ({"method": {"name": "lora", "rank": 4096}}, "rank is at most"),
    "targets that the model lacks": ({"method": {"name": "lora", "targets": "nosuch"}}, "method.targets"),
    "rows longer than the model has places": ({"data": {"max_length": 4096, "source": "long"}}, "has places for"),
}


@pytest.mark.parametrize("what", list(FAILURES))
def test_a_run_that_cannot_begin_says_why_in_one_sentence(
    what: str, make_run: Callable[..., RunFolder], trainers: Trainers, tmp_path: Path
) -> None:
    changes, expected = FAILURES[what]
    if changes.get("data", {}).get("source") == "long":
        row = {"prompt": "Say much.", "completion": "word " * 2000}
        (tmp_path / "long.jsonl").write_text(f"{json.dumps(row)}\n" * 3)
        changes = {"data": {**changes["data"], "source": str(tmp_path / "long.jsonl"), "held_out": 0.0}}
    folder = make_run(**changes)
    trainers.finish(folder)
    state, text = end_of(folder)
    assert state == "failed"
    assert is_one_sentence(text)
    assert re.search(expected, text)
    assert exit_status(folder) == 1
    assert "Traceback" in folder.log.read_text()
    assert "Traceback" not in folder.events.read_text()


def test_a_run_with_nothing_held_out_finishes_without_figures_for_it(
    make_run: Callable[..., RunFolder], trainers: Trainers
) -> None:
    folder = make_run(data={"held_out": 0.0}, training={"steps": 3, "evaluate_every": 1})
    trainers.finish(folder)
    assert end_of(folder) == ("finished", "Finished after 3 steps.")
    assert not events_of(folder, "eval")
    assert not events_of(folder, "sample")
    facts = json.loads((folder.path / "facts.json").read_text())
    assert (facts["held_out_loss"], facts["score"], facts["held_out_rows"]) == (None, None, 0)
    assert facts["loss"] > 0


def test_a_recipe_that_is_broken_fails_the_run_in_one_sentence(
    make_run: Callable[..., RunFolder], trainers: Trainers
) -> None:
    folder = make_run()
    folder.recipe.write_text("training: {steps: many}\n")
    trainers.finish(folder)
    state, text = end_of(folder)
    assert state == "failed"
    assert text.startswith("training.steps cannot be 'many'")


def test_a_loss_that_is_no_number_ends_the_run_before_it_reaches_the_weights(
    make_run: Callable[..., RunFolder], trainers: Trainers
) -> None:
    folder = make_run(
        method={"name": "full"},
        training={"steps": 60, "learning_rate": 100.0, "precision": "float16", "schedule": "constant", "warmup": 0.0},
    )
    trainers.finish(folder)
    state, text = end_of(folder)
    assert state == "failed"
    assert is_one_sentence(text)
    assert "The loss is no longer a number at step" in text
    assert "lower training.learning_rate" in text
    assert all(event["loss"] == event["loss"] for event in events_of(folder, "step"))
    assert folder.result is None


def test_a_full_disk_skips_checkpoints_and_holds_the_result_until_there_is_room(
    make_run: Callable[..., RunFolder], trainers: Trainers
) -> None:
    folder = make_run(training={"steps": 12, "checkpoint_every": 2})
    pid = trainers.start(folder, largest_file=100_000)
    until(lambda: any("kept in memory" in event["text"] for event in events_of(folder, "notice")), "the run to wait")
    assert last_step(folder) == 12
    assert not steps_of(folder)
    assert not list(folder.checkpoints.iterdir())
    skipped = [event["text"] for event in events_of(folder, "notice") if "could not be written" in event["text"]]
    assert skipped == ["The checkpoint of step 2 could not be written (the disk is full); training goes on without it."]
    assert wait_for_state(folder, "running")
    psutil.Process(pid).rlimit(psutil.RLIMIT_FSIZE, (psutil.RLIM_INFINITY, psutil.RLIM_INFINITY))
    wait_for_end(pid)
    assert end_of(folder)[0] == "finished"
    assert (folder.adapter / "adapter_model.safetensors").is_file()


def test_events_that_the_disk_does_not_take_are_written_once_it_does(tmp_path: Path) -> None:
    from workbench.core.runs.events import EventReader

    script = f"""
import resource
from pathlib import Path
from workbench.engine.train.journal import Journal
journal = Journal(Path({str(tmp_path / "events.jsonl")!r}))
limits = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
for step in range(200):
    journal.write("step", step, loss=1.5)
resource.setrlimit(resource.RLIMIT_FSIZE, limits)
journal.close()
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
    steps = [event["step"] for event in EventReader(tmp_path / "events.jsonl").read()]
    assert sorted(set(steps)) == list(range(200))
