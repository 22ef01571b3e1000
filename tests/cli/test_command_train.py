"""Training from the command line: checked before it starts, followed or left alone, and obedient."""

import json
import os
import signal

import psutil
import pytest
from command_line import RUN, SMALL, wait_for
from written_runs import write_run

TRAINED = {
    "run", "state", "steps", "seconds", "tokens", "trained_tokens", "loss", "held_out_loss", "memory",
}  # fmt: skip


def status_of(line, name):
    try:
        return json.loads((line.workspace / "runs" / name / "status.json").read_text())
    except (OSError, ValueError):
        return {}


def test_a_trained_run_is_one_document_and_its_base_is_worse(taught):
    assert set(taught.said) >= TRAINED
    assert set(taught.said["memory"]) >= {"predicted", "measured"}
    assert (taught.said["run"], taught.said["state"], taught.said["steps"]) == (RUN, "finished", 20)
    assert taught.said["held_out_loss"] < taught.said["base_loss"] / 4


def test_a_finished_run_is_watched_like_a_live_one(taught):
    said = taught("watch", RUN).stdout
    assert "started: 172 rows trained on, 86 held out" in said
    assert "held out, base: loss" in said
    assert "held out, step 20: loss" in said
    assert f"{RUN} is finished after 20 steps" in said
    assert taught.document("watch", RUN) == taught.document("watch", RUN[:3])
    assert taught.document("watch", RUN)["score"] == taught.said["score"]


def test_the_comparison_says_what_training_said(taught):
    row = taught.document("compare", RUN)[0]
    assert row["score"] == taught.said["score"]
    assert row["memory_measured"] == taught.said["memory"]["measured"]
    assert row["adapter_bytes"] == (taught.run / "adapter" / "adapter_model.safetensors").stat().st_size


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (["method.rank=0"], "method.rank cannot be 0"),
        (["method.rank=129"], "method.rank cannot be 129; q_proj is a 128×128 matrix, so its rank is at most 128."),
        (["method.targets=query"], "method.targets cannot be 'query'"),
        (["training.effective_batch=9"], "training.effective_batch cannot be 9; it takes a multiple of"),
        (["data.source=missing.json"], "There is no data at missing.json"),
        (["data.max_length=8"], "No row of capitals is left to train on"),
        (["data.template=broken.jinja"], "The chat template (broken.jinja) is not valid"),
        (["model.path=nowhere.gguf"], "There is no model at nowhere.gguf"),
        (["model.path=pickled"], "holds its weights as pickles only"),
    ],
)
def test_a_run_that_cannot_begin_leaves_no_folder_behind(workbench, settings, sentence):
    (workbench.folder / "broken.jinja").write_text("{% for message in %}")
    (workbench.folder / "pickled").mkdir()
    (workbench.folder / "pickled" / "config.json").write_text("{}")
    (workbench.folder / "pickled" / "pytorch_model.bin").write_bytes(b"")
    given = [part for setting in settings for part in ("--set", setting)]
    assert sentence in workbench.refused("train", "capitals", *given)
    assert list((workbench.workspace / "runs").iterdir()) == []


def test_two_runs_cannot_have_one_name(workbench):
    write_run(workbench.workspace, "mine")
    said = workbench.refused("train", "capitals", "--name", "mine")
    assert said == "There is already a run named mine; choose another name."
    assert "A run cannot be named '../mine'" in workbench.refused("train", "capitals", "--name", "../mine")
    assert [path.name for path in (workbench.workspace / "runs").iterdir()] == ["mine"]


def test_a_run_that_fails_ends_its_watch_with_status_one_and_the_reason(workbench):
    end = {"kind": "end", "t": 1, "step": 3, "state": "failed", "text": "The disk is full; free some space."}
    write_run(workbench.workspace, "doomed", state="failed", facts=None, events=[end])
    said = workbench("watch", "doomed", "--json")
    assert (said.returncode, said.stderr) == (1, "The run doomed failed: The disk is full; free some space.\n")
    assert json.loads(said.stdout)["state"] == "failed"


def test_a_run_outlives_its_follower_and_obeys_from_another_terminal(workbench):
    long = ("--set", "training.steps=100000", "--set", "training.evaluate_every=0", "--set", "training.score_rows=0")
    follower = workbench.start("train", "capitals", *SMALL, *long, "--name", "long")
    try:
        printed = ""
        while "\nstep " not in printed:
            line = follower.stdout.readline()
            assert line, printed
            printed += line
        follower.send_signal(signal.SIGINT)
        _, complained = follower.communicate(timeout=20)
        assert follower.returncode == 130
        assert complained.strip() == (
            "The run long goes on; to stop it: workbench stop long, to follow it again: workbench watch long"
        )
        assert "The run long has begun." in printed

        assert workbench("pause", "long").stdout.startswith("long is paused at step")
        paused = status_of(workbench, "long")["step"]
        assert workbench("checkpoint", "long").stdout == f"long has a checkpoint at step {paused}.\n"
        assert workbench.document("resume", "long")["state"] == "running"
        wait_for(lambda: status_of(workbench, "long")["step"] > paused)
        assert workbench("resume", "long").stdout == "long is running already.\n"

        stopped = workbench.document("stop", "long")
        assert stopped["state"] == "stopped"
        assert stopped["checkpoint"] == f"step-{stopped['step']}"
        assert "was stopped after" in workbench.document("compare", "long")[0]["remark"]

        assert "is taken up again from step" in workbench("resume", "long").stdout
        wait_for(lambda: status_of(workbench, "long")["step"] > stopped["step"])
        os.kill(status_of(workbench, "long")["pid"], signal.SIGKILL)
        said = workbench.refused("watch", "long", "--json", status=1)
        assert said.startswith("The run long is lost: its process is gone")
        assert said.endswith("To go on from its last checkpoint: workbench resume long")
    finally:
        follower.kill()
        pid = status_of(workbench, "long").get("pid")
        if pid and psutil.pid_exists(pid):
            os.kill(pid, signal.SIGKILL)


def test_ctrl_c_before_the_start_leaves_nothing(workbench):
    rows = [{"instruction": f"ask {number} " * 30, "output": "yes"} for number in range(40_000)]
    (workbench.folder / "rows.json").write_text(json.dumps(rows))
    command = workbench.start("train", "capitals", "--set", "data.source=rows.json", "--set", "data.held_out=0.1")
    wait_for((workbench.workspace / "runs").is_dir)
    command.send_signal(signal.SIGINT)
    _, complained = command.communicate(timeout=20)
    assert (command.returncode, complained.strip()) == (130, "Stopped before the run was started.")
    assert list((workbench.workspace / "runs").iterdir()) == []
