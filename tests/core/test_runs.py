"""Run folders: names, states, events and views."""

import json
import os
import socket
import subprocess
import sys
import time

import psutil
import pytest

from workbench.core.errors import UserError
from workbench.core.places import Workspace, find_workspace
from workbench.core.recipe import load_recipe, recipe_from_mapping
from workbench.core.runs.events import EventReader, EventWriter
from workbench.core.runs.folder import Status, read_control, write_control
from workbench.core.runs.launch import create_run
from workbench.core.runs.listing import find_run, list_runs
from workbench.core.runs.series import LIMIT, Series
from workbench.core.runs.view import RunView


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    return find_workspace(tmp_path / "home")


def status(state="running", pid=None, **rest) -> Status:
    pid = os.getpid() if pid is None else pid
    started = psutil.Process(pid).create_time() if psutil.pid_exists(pid) else 0.0
    values = {"state": state, "pid": pid, "pid_started": started, "host": socket.gethostname(), "step": 3, "steps": 9}
    return Status(**{**values, "started": time.time(), "heartbeat": time.time(), "seconds": 1.0, **rest})


def test_two_runs_cannot_have_one_name(workspace):
    create_run(recipe_from_mapping({}), workspace, "mine")
    with pytest.raises(UserError, match="already a run named mine"):
        create_run(recipe_from_mapping({}), workspace, "mine")


@pytest.mark.parametrize("name", ["../up", "a/b", "", " ", "latest", "x" * 81, "-flag", "a\nb"])
def test_a_name_that_is_no_folder_name_is_refused(workspace, name):
    with pytest.raises(UserError, match="cannot be named"):
        create_run(recipe_from_mapping({}), workspace, name)


def test_invented_names_do_not_repeat(workspace):
    names = {create_run(recipe_from_mapping({}), workspace).name for _ in range(50)}
    assert len(names) == 50


def test_the_run_keeps_the_recipe_as_it_was_given(workspace):
    recipe = recipe_from_mapping({"method": {"rank": 3}})
    assert load_recipe(create_run(recipe, workspace).recipe) == recipe


def test_a_run_is_found_by_name_prefix_path_and_latest(workspace):
    first = create_run(recipe_from_mapping({}), workspace, "alpha-one")
    second = create_run(recipe_from_mapping({}), workspace, "alpha-two")
    first.write_status(status(started=1.0))
    second.write_status(status(started=2.0))
    assert find_run("alpha-one", workspace) == first
    assert find_run("alpha-t", workspace) == second
    assert find_run(str(first.path), workspace).path == first.path
    assert find_run("latest", workspace) == second
    with pytest.raises(UserError, match="could be alpha-one, alpha-two"):
        find_run("alpha", workspace)
    for word in ("beta", "", "/nowhere"):
        with pytest.raises(UserError, match="no run named"):
            find_run(word, workspace)


def test_a_run_whose_process_is_gone_is_lost(workspace):
    folder = create_run(recipe_from_mapping({}), workspace)
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    folder.write_status(status(pid=process.pid))
    assert folder.read_status().state == "running"
    process.kill()
    process.wait()
    assert folder.read_status().state == "lost"
    assert list_runs(workspace)[0].state == "lost"


def test_a_reused_pid_is_not_taken_for_the_run(workspace):
    folder = create_run(recipe_from_mapping({}), workspace)
    folder.write_status(status(pid_started=1.0))
    assert folder.read_status().state == "lost"


def test_a_finished_run_stays_finished(workspace):
    folder = create_run(recipe_from_mapping({}), workspace)
    folder.write_status(status("finished", pid=2**22 + 1))
    assert folder.read_status().state == "finished"


def test_a_folder_with_nonsense_in_it_is_still_listed(workspace):
    folder = create_run(recipe_from_mapping({}), workspace)
    folder.recipe.write_text("model: [")
    folder.status_file.write_text("{")
    run = list_runs(workspace)[0]
    assert run.state == "lost"
    assert "YAML" in run.problem
    assert run.to_json()["model"] is None


def test_a_half_written_last_line_is_held_back_until_it_is_whole(tmp_path):
    file = tmp_path / "events.jsonl"
    reader = EventReader(file)
    assert reader.read() == []
    file.write_text('{"kind": "step", "step": 1}\n{"kind": "st')
    assert [event["step"] for event in reader.read()] == [1]
    assert reader.read() == []
    with file.open("a") as opened:
        opened.write('ep", "step": 2}\nnonsense\n7\n')
    assert [event["step"] for event in reader.read()] == [2]


def test_a_writer_that_follows_a_killed_one_starts_on_a_line_of_its_own(tmp_path):
    file = tmp_path / "events.jsonl"
    file.write_text('{"kind": "step", "step": 1}\n{"kind": "st')
    writer = EventWriter(file)
    writer.write("step", 2, loss=1.0)
    writer.close()
    assert [event["step"] for event in EventReader(file).read()] == [1, 2]


def test_control_says_what_is_wanted_and_survives_nonsense(workspace):
    folder = create_run(recipe_from_mapping({}), workspace)
    assert read_control(folder)[0] == "run"
    write_control(folder, "pause")
    first = read_control(folder)
    write_control(folder, "pause")
    assert first[0] == "pause"
    assert read_control(folder)[1] > first[1]
    folder.control.write_text('{"want": "explode"}')
    assert read_control(folder)[0] == "run"


def event(kind, step, **rest):
    return {"kind": kind, "t": 0.0, "step": step, **rest}


def steps(first, last):
    rest = {
        "learning_rate": 0.1,
        "grad_norm": 1.0,
        "tokens": 1,
        "trained_tokens": 1,
        "tokens_per_second": 5.0,
        "epoch": 0,
    }
    return [event("step", n, loss=float(n), seconds=float(n), **rest) for n in range(first, last)]


def test_a_view_after_a_resumption_forgets_the_steps_that_were_lost():
    start = event("start", 0, steps=10, resumed_from=None)
    view = RunView().after_all(
        [start, *steps(1, 8), event("start", 4, steps=10, resumed_from=4, seconds=4.0), *steps(5, 7)]
    )
    assert [point[0] for point in view.loss.points] == [1, 2, 3, 4, 5, 6]
    assert view.step == 6
    assert view.progress == 0.6
    assert view.seconds_left == pytest.approx(4.0)


def test_a_view_keeps_base_and_tuned_figures_apart():
    events = [
        event("eval", 0, side="base", loss=3.0, score=0.0, scored=9),
        event("eval", 5, side="tuned", loss=1.0),
        event("eval", 9, side="tuned", loss=0.5, score=0.9, scored=9),
        event("unknown", 9),
        event("end", 9, state="finished", text=""),
    ]
    view = RunView().after_all(events)
    assert (view.base_loss, view.base_score, view.held_out_loss, view.score) == (3.0, 0.0, 0.5, 0.9)
    assert list(view.held_out.points) == [(0, 3.0), (5, 1.0), (9, 0.5)]
    assert view.ended["state"] == "finished"


def test_a_long_series_keeps_its_extremes_in_bounded_room():
    series = Series()
    for step in range(3 * LIMIT):
        series = series.with_point(step, 100.0 if step == 777 else -50.0 if step == 4001 else step % 7)
    assert len(series) <= LIMIT
    values = [value for _, value in series.points]
    assert max(values) == 100.0
    assert min(values) == -50.0
    assert [point[0] for point in series.points] == sorted(point[0] for point in series.points)
    columns = series.columns(60)
    assert len(columns) <= 60
    assert max(column[2] for column in columns) == 100.0


@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), "x"])
def test_a_value_that_is_no_finite_number_is_left_out_of_a_series(value):
    assert len(Series().with_point(1, value)) == 0


def test_a_workspace_that_is_a_file_or_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file" / "below", "/proc/workbench"):
        with pytest.raises(UserError, match="workspace"):
            find_workspace(place)


def test_events_are_json_lines_that_anyone_can_read(tmp_path):
    writer = EventWriter(tmp_path / "events.jsonl")
    writer.write("notice", 0, level="info", text="ü\n☃")
    line = (tmp_path / "events.jsonl").read_text(encoding="utf-8")
    assert line.count("\n") == 1
    assert json.loads(line)["text"] == "ü\n☃"
