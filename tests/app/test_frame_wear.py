"""The app's frame under wear: sizes, colours, runs that go on, and what a process loads."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace

import psutil
import pytest
from driving import opened, press, screen_text, story, text_of, type_text
from textual.command import CommandPalette
from waiting import wait_for

from workbench.app.actions import ACTIONS, key_name
from workbench.app.screens.explanation import Explanation, explanation_of
from workbench.app.screens.question import Question
from workbench.app.widgets.fields import TextField
from workbench.app.widgets.key_line import KeyLine
from workbench.app.widgets.top_line import TopLine
from workbench.core.memory.device import Device
from workbench.core.recipe import load_recipe, recipe_to_yaml
from workbench.core.runs.folder import RunFolder, Status

SIZES = [(160, 45), (120, 36), (80, 24), (60, 20)]


# the first start


@pytest.mark.parametrize("place", ["app", "data", "method", "memory"])
async def test_every_action_of_the_table_can_be_done(workspace, place):
    async with opened(workspace, story(), read=False) as (app, _):
        if place != "app":
            await app.show_pane(place)
        target = app if place == "app" else app.built[place]
        for action in ACTIONS[place]:
            assert hasattr(target, f"action_{action.call.partition('(')[0]}"), action.call


async def test_f1_explains_the_knob_that_has_the_focus_and_lists_every_key(workspace):
    async with opened(workspace, story()) as (app, pilot):
        await press(pilot, "2", "tab", "f1")
        await wait_for(lambda: isinstance(app.screen, Explanation))
        shown = screen_text(app)
        assert "method.rank" in shown and "It takes a whole number from 1" in shown
        words = explanation_of("method", None).plain
        for action in (*ACTIONS["method"], *ACTIONS["app"]):
            for key in action.keys:
                assert key_name(key) in words
        await press(pilot, "escape")
        assert not isinstance(app.screen, Explanation)


async def test_the_key_line_shows_letters_outside_fields_and_control_keys_inside(workspace):
    async with opened(workspace, story()) as (app, pilot):
        await press(pilot, "2")
        await wait_for(lambda: "s Start" in text_of(app.query_one(KeyLine)))
        next(field for field in app.query(TextField) if type(field) is TextField).focus()
        await wait_for(lambda: "F9 Start" in text_of(app.query_one(KeyLine)))
        assert "m All knobs" not in text_of(app.query_one(KeyLine))


async def test_a_click_on_the_key_line_does_what_its_key_does(workspace):
    async with opened(workspace, story()) as (app, pilot):
        line = app.query_one(KeyLine)
        await wait_for(lambda: "F1 Help" in text_of(line))
        await pilot.click(KeyLine, offset=(text_of(line).index("F1 Help"), 0))
        await wait_for(lambda: isinstance(app.screen, Explanation))


async def test_the_palette_finds_an_action_of_the_table_and_does_it(workspace):
    async with opened(workspace, story()) as (app, pilot):
        await press(pilot, "ctrl+p")
        await wait_for(lambda: isinstance(app.screen, CommandPalette))
        await type_text(pilot, "go to memory")
        await wait_for(lambda: "Go to Memory" in screen_text(app))
        await press(pilot, "down", "enter")
        await wait_for(lambda: app.pane == "memory")


async def test_the_palette_opens_a_samples_recipe(workspace):
    async with opened(workspace, story()) as (app, pilot):
        await press(pilot, "ctrl+p")
        await wait_for(lambda: isinstance(app.screen, CommandPalette))
        await type_text(pilot, "open sample sentiment")
        await wait_for(lambda: "Open sample sentiment" in screen_text(app))
        await press(pilot, "down", "enter")
        await wait_for(lambda: app.recipe.data.source == "sentiment")


# runs


def stand_in(workspace, name: str, state: str, process: psutil.Process | None) -> RunFolder:
    """A run folder whose trainer is `process`, or one that is gone."""
    folder = RunFolder(workspace.runs / name)
    folder.path.mkdir()
    folder.recipe.write_text(recipe_to_yaml(story()), encoding="utf-8")
    folder.events.write_text(
        '{"kind":"start","t":1,"step":0,"steps":200,"resumed_from":null}\n'
        '{"kind":"step","t":2,"step":90,"loss":1.5,"learning_rate":0.001,"grad_norm":1,"seconds":9.0}\n'
    )
    pid, started = (process.pid, process.create_time()) if process else (2**22 + 7, 1.0)
    folder.write_status(Status(state, pid, started, os.uname().nodename, 90, 200, time.time() - 9, time.time(), 9.0))
    return folder


@pytest.fixture
def sleeper():
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    yield psutil.Process(process.pid)
    process.kill()
    process.wait()


async def test_a_start_follows_the_run_that_is_going_on(workspace, sleeper):
    stand_in(workspace, "older-owl", "finished", None)
    stand_in(workspace, "brave-otter", "running", sleeper)
    async with opened(workspace, story(), (160, 45), read=False) as (app, pilot):
        await pilot.pause()
        assert app.pane == "monitor"
        shown = text_of(app.query_one(TopLine))
        assert "brave-otter" in shown and "45%" in shown and "0:11 left" in shown


async def test_new_events_reach_the_top_line(workspace, sleeper):
    folder = stand_in(workspace, "brave-otter", "running", sleeper)
    async with opened(workspace, story(), (160, 45), read=False) as (app, _):
        with folder.events.open("a") as file:
            file.write('{"kind":"step","t":3,"step":150,"loss":1.2,"learning_rate":0.001,"seconds":15.0}\n{"kind":"st')
        await wait_for(lambda: "75%" in text_of(app.query_one(TopLine)))


async def test_a_run_whose_process_is_gone_is_shown_as_lost(workspace):
    stand_in(workspace, "brave-otter", "running", None)
    async with opened(workspace, story(), (160, 45), read=False) as (app, _):
        await wait_for(lambda: "brave-otter lost" in text_of(app.query_one(TopLine)))
        assert [run.state for run in app.runs] == ["lost"]


async def test_events_that_are_not_what_they_promise_are_left_out(workspace, sleeper):
    folder = stand_in(workspace, "brave-otter", "running", sleeper)
    with folder.events.open("a") as file:
        file.write('{"kind":"step"}\n[1]\nnot json\n{"kind":"checkpoint","step":"x"}\n{"kind":"unheard-of","step":1}\n')
    async with opened(workspace, story(), (160, 45), read=False) as (app, _):
        assert app.view.step == 90


async def test_starting_writes_the_recipe_launches_the_trainer_and_opens_the_monitor(workspace):
    recipe = story(training={"steps": 5, "micro_batch": 4, "effective_batch": 4, "threads": 1})
    async with opened(workspace, recipe) as (app, pilot):
        await press(pilot, "s")
        await wait_for(lambda: app.pane == "monitor")
        folder = app.followed
        assert folder is not None
        trainer = psutil.Process(folder.read_status().pid)
        try:
            assert load_recipe(folder.recipe) == app.recipe
            assert "workbench.engine.train" in trainer.cmdline()
            assert os.getsid(trainer.pid) == trainer.pid, "it has a session of its own"
            assert app.status is not None and app.status.state in ("queued", "running")
            assert folder.name in text_of(app.query_one(TopLine))
        finally:
            trainer.kill()
        await wait_for(lambda: app.status.state == "lost")


async def test_a_run_that_does_not_fit_asks_first_and_no_starts_nothing(workspace):
    async with opened(workspace, story()) as (app, pilot):
        app.device = Device("cpu", "a very small computer", 10**8, 5 * 10**7)
        app.edit({"method.rank": 16})
        assert app.estimate.verdict == "does not fit"
        assert "does not fit" in text_of(app.query_one(TopLine))
        await press(pilot, "s")
        await wait_for(lambda: isinstance(app.screen, Question))
        assert "of memory" in screen_text(app).replace("\n", " ")
        await press(pilot, "escape")
        assert not list(workspace.runs.iterdir())
        await press(pilot, "s")
        await wait_for(lambda: isinstance(app.screen, Question))
        await press(pilot, "enter")
        assert not list(workspace.runs.iterdir()), "the focus starts on no"


async def test_a_second_run_beside_a_live_one_asks_first(workspace, sleeper):
    stand_in(workspace, "brave-otter", "running", sleeper)
    async with opened(workspace, story()) as (app, pilot):
        await press(pilot, "f9")
        await wait_for(lambda: isinstance(app.screen, Question))
        assert "brave-otter is going on" in screen_text(app)


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes anywhere")
async def test_a_workspace_that_cannot_be_written_is_said_in_a_sentence(workspace):
    async with opened(workspace, story()) as (app, pilot):
        workspace.runs.chmod(0o500)
        try:
            await press(pilot, "s")
            await wait_for(lambda: "cannot be made in" in screen_text(app))
        finally:
            workspace.runs.chmod(0o700)


async def test_a_runs_folder_that_has_gone_is_said_in_a_sentence_and_the_app_goes_on(workspace):
    async with opened(workspace, story()) as (app, pilot):
        workspace.runs.rmdir()
        await press(pilot, "s")
        await wait_for(lambda: "The run cannot be started" in screen_text(app))
        assert app.pane == "data"


# leaving


async def test_leaving_asks_nothing_and_ends_the_helper(workspace):
    async with opened(workspace, story()) as (app, pilot):
        helper = app.helper.pid
        assert helper is not None and psutil.pid_exists(helper)
        await press(pilot, "ctrl+q")
        await wait_for(lambda: not app.is_running)
    await wait_for(lambda: not psutil.pid_exists(helper))
    assert app.return_code == 0


async def test_leaving_works_from_every_dialog(workspace):
    for key in ("f1", "w", "ctrl+p"):
        async with opened(workspace, story(), (80, 24)) as (app, pilot):
            await press(pilot, key)
            await wait_for(lambda: len(app.screen_stack) > 1)
            await press(pilot, "ctrl+q")
            await wait_for(lambda: not app.is_running)


async def test_leaving_a_live_run_says_that_it_goes_on(workspace, sleeper, capsys):
    stand_in(workspace, "brave-otter", "running", sleeper)
    async with opened(workspace, story(), read=False) as (app, pilot):
        await press(pilot, "ctrl+q")
        await wait_for(lambda: not app.is_running)
    assert "The run brave-otter goes on" in capsys.readouterr().err
    assert sleeper.is_running()


async def test_leaving_asks_where_the_recipe_could_not_be_kept(workspace, monkeypatch):
    async with opened(workspace, story()) as (app, pilot):
        workspace.last_recipe.unlink(missing_ok=True)
        workspace.last_recipe.mkdir()
        app.edit({"method.rank": 2})
        await press(pilot, "ctrl+q")
        await wait_for(lambda: isinstance(app.screen, Question))
        assert "not kept" in screen_text(app)
        await press(pilot, "escape")
        assert app.is_running


async def test_ctrl_c_leaves_nothing_undone_and_says_how_to_leave(workspace):
    async with opened(workspace, story()) as (app, pilot):
        await press(pilot, "ctrl+c")
        await wait_for(lambda: "Ctrl+q leaves" in screen_text(app))
        assert app.is_running


# weight


HEAVY = "torch transformers peft datasets bitsandbytes numpy plotext pyarrow jinja2 tokenizers pandas"

PAINTED = """
import asyncio, sys
from pathlib import Path
from workbench.app.environment import prepare_environment
prepare_environment()
from workbench.app.workbench_app import WorkbenchApp
from workbench.core.places import find_workspace

async def main():
    app = WorkbenchApp(find_workspace(sys.argv[1]))
    async with app.run_test(size=(120, 36)) as pilot:
        while not app.built:
            await pilot.pause(0.02)
        print("first", *sorted(name for name in sys.argv[2].split() if name in sys.modules), flush=True)
        while app.estimate is None or app.data_state.report is None:
            await pilot.pause(0.05)
        for name in ("data", "method", "memory"):
            await app.show_pane(name)
            await pilot.pause()
        print("later", *sorted(name for name in sys.argv[2].split() if name in sys.modules), flush=True)

asyncio.run(main())
"""


def test_nothing_heavy_is_imported_for_the_first_screen_and_no_engine_ever(workspace):
    done = subprocess.run(
        [sys.executable, "-c", PAINTED, str(workspace.root), HEAVY], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr[-2000:]
    first, later = (line.split()[1:] for line in done.stdout.splitlines() if line.startswith(("first", "later")))
    assert first == []
    assert not set(later) & {"torch", "transformers", "peft", "datasets", "bitsandbytes", "numpy"}


def test_importing_the_app_package_loads_no_textual():
    done = subprocess.run(
        [sys.executable, "-c", "import sys, workbench.app; print('textual' in sys.modules)"],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "False"


def test_over_ssh_frames_are_fewer_and_nothing_moves():
    from workbench.app.environment import prepare_environment

    environment = {"SSH_CONNECTION": "1.2.3.4 5 6.7.8.9 22", "TEXTUAL_FPS": "30"}
    prepare_environment(environment)
    assert environment["TEXTUAL_ANIMATIONS"] == "none"
    assert environment["TEXTUAL_SMOOTH_SCROLL"] == "0"
    assert environment["TEXTUAL_FPS"] == "30", "a person's own choice stays"
    at_home: dict[str, str] = {}
    prepare_environment(at_home)
    assert at_home == {}


async def test_a_status_that_only_beats_its_heart_redraws_nothing(workspace, sleeper):
    folder = stand_in(workspace, "brave-otter", "running", sleeper)
    async with opened(workspace, story(), read=False) as (app, pilot):
        await pilot.pause()
        before = app.status
        folder.write_status(replace(folder.read_status(), heartbeat=time.time() + 5, seconds=10.0))
        for _ in range(3):
            app._read_on()
        assert app.status is before
