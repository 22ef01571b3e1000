"""Runs as a list and side by side, whatever state they are in."""

import os
import signal
import subprocess
import sys

import pytest
from written_runs import FACTS, RECIPE, write_run

COMPARED = {
    "run", "method", "trainable_parameters", "share", "adapter_bytes", "memory_predicted", "memory_measured", "seconds",
    "tokens_per_second", "base_loss", "held_out_loss", "base_score", "score",
}  # fmt: skip


@pytest.fixture
def gone():
    """The id of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    yield process.pid
    process.wait()


def test_runs_are_listed_newest_first_with_their_state(workbench):
    assert workbench.document("runs") == []
    write_run(workbench.workspace, "older", started=1000.0)
    write_run(workbench.workspace, "newer", state="stopped", started=2000.0)
    listed = workbench.document("runs")
    assert [(run["run"], run["state"]) for run in listed] == [("newer", "stopped"), ("older", "finished")]
    assert {"run", "state", "model", "method", "step", "steps", "started", "seconds"} <= set(listed[0])
    table = workbench("runs").stdout.splitlines()
    assert table[1].split()[:4] == ["newer", "stopped", "tiny", "lora"]


def test_a_run_whose_process_is_gone_is_lost_and_its_way_out_is_named(workbench):
    process = subprocess.Popen(["sleep", "60"])
    write_run(workbench.workspace, "vanished", state="running", facts=None, pid=process.pid)
    assert workbench.document("runs")[0]["state"] == "running"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert workbench.document("runs")[0]["state"] == "lost"
    assert "workbench resume vanished" in workbench("runs").stdout
    said = workbench.refused("watch", "vanished", status=1)
    assert said == "The run vanished is lost: its process is gone."


def test_a_prefix_means_the_one_run_that_begins_so(workbench):
    write_run(workbench.workspace, "brave-otter")
    write_run(workbench.workspace, "brave-owl")
    write_run(workbench.workspace, "calm-hare", started=10.0)
    assert workbench.document("compare", "calm")[0]["run"] == "calm-hare"
    assert workbench.refused("compare", "brave") == "brave could be brave-otter, brave-owl; type more of the name."
    by_path = workbench.workspace / "runs" / "brave-owl"
    assert workbench.document("compare", by_path)[0]["run"] == "brave-owl"
    assert workbench.document("compare", "latest")[0]["run"] in ("brave-otter", "brave-owl")


def test_the_comparison_is_made_of_the_facts_that_the_runs_left(workbench):
    write_run(workbench.workspace, "one")
    write_run(workbench.workspace, "two", recipe=RECIPE.replace("rank: 4", "rank: 16"), facts={**FACTS, "score": 1.0})
    rows = workbench.document("compare", "one", "two")
    assert set(rows[0]) >= COMPARED
    assert rows[0]["memory_measured"] == FACTS["memory"]["measured"]
    assert [row["score"] for row in rows] == [0.75, 1.0]
    assert "method.rank  one: 4, two: 16" in workbench("compare", "one", "two").stdout


def test_a_run_without_facts_is_listed_with_nulls_and_a_remark(workbench):
    write_run(workbench.workspace, "done")
    write_run(workbench.workspace, "going", state="running", facts=None)
    write_run(workbench.workspace, "broken", state="failed", facts=None)
    rows = workbench.document("compare", "done", "going", "broken")
    assert [row["remark"] for row in rows] == [None, "is still running", "failed"]
    assert rows[1]["score"] is None
    assert rows[1]["method"] == "lora"
    assert "going is still running." in workbench("compare", "done", "going").stdout


def test_the_table_fits_its_page_and_says_what_it_left_out(workbench):
    write_run(workbench.workspace, "a-run-with-quite-a-long-name")
    narrow = workbench("compare", "latest", COLUMNS="80").stdout
    assert all(len(line) <= 80 for line in narrow.splitlines()[:2])
    assert "Left out for want of room: share" in narrow
    wide = workbench("compare", "latest", COLUMNS="200").stdout
    assert "Left out" not in wide
    assert all(
        len(line.split("|")) == 15 for line in workbench("compare", "latest", "--markdown").stdout.splitlines()[:3]
    )


def test_scores_of_different_rows_are_not_called_comparable(workbench):
    write_run(workbench.workspace, "one")
    write_run(workbench.workspace, "two", recipe=RECIPE.replace("capitals", "facts"))
    assert "The runs differ in data.source" in workbench("compare", "one", "two").stdout
    assert "The runs differ in data.source" in workbench("compare", "one", "two", "--markdown").stdout


def test_what_a_run_says_reaches_the_terminal_as_text_only(workbench):
    events = [
        {"kind": "start", "t": 1, "step": 0, "steps": 20, "rows": 5, "held_out_rows": 2},
        {"kind": "sample", "t": 2, "step": 20, "prompt": "a\x1b[2Jb", "expected": "c", "base": None, "tuned": "d\x07"},
        {"kind": "end", "t": 3, "step": 20, "state": "finished", "text": ""},
    ]
    write_run(workbench.workspace, "rude", events=events)
    said = workbench("watch", "rude").stdout
    assert "a\\x1b[2Jb" in said
    assert "d\\x07" in said
    assert "\x1b" not in said


def test_nothing_can_be_asked_of_a_run_that_has_ended(workbench):
    write_run(workbench.workspace, "done")
    write_run(workbench.workspace, "halted", state="stopped")
    assert workbench.refused("pause", "done") == "The run done is finished; there is nothing to pause."
    assert workbench.refused("stop", "halted").endswith("to take it up again: workbench resume halted.")
    assert "nothing to write a checkpoint of" in workbench.refused("checkpoint", "done")
    assert "is finished; start a new one" in workbench.refused("resume", "done")
