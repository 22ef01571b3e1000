"""The frame: first screen, panes, top line, keys, palette, help, sizes, and leaving."""

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
from textual.widgets import Input
from waiting import wait_for

from workbench.app.actions import ACTIONS, PANES, key_name
from workbench.app.glyphs import ASCII, UTF8, glyphs
from workbench.app.screens.explanation import Explanation, explanation_of
from workbench.app.screens.opening import Opening
from workbench.app.screens.question import Question
from workbench.app.screens.too_small import TooSmall
from workbench.app.screens.welcome import Welcome
from workbench.app.widgets.key_line import KeyLine
from workbench.app.widgets.pane_tabs import PaneTabs
from workbench.app.widgets.top_line import TopLine
from workbench.app.workbench_app import WorkbenchApp
from workbench.core.memory.device import Device
from workbench.core.recipe import load_recipe, recipe_to_yaml
from workbench.core.runs.folder import RunFolder, Status

SIZES = [(160, 45), (120, 36), (80, 24), (60, 20)]


# the first start


async def test_the_first_start_offers_three_doors_and_enter_opens_the_bundled_story(workspace):
    app = WorkbenchApp(workspace)
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_for(lambda: isinstance(app.screen, Welcome))
        for words in ("The bundled story", "My own model and data", "Learn"):
            assert words in screen_text(app)
        await wait_for(lambda: app.built)
        await press(pilot, "enter")
        await wait_for(lambda: app.data_state.report is not None, 60)
        await pilot.pause()
        assert app.pane == "data"
        assert app.recipe.training.steps is not None, "the story comes with the sample's own recipe"
        assert "2 chooses the method" in screen_text(app), "it says what to do next"


async def test_a_door_opens_by_a_click(workspace):
    app = WorkbenchApp(workspace)
    async with app.run_test(size=(100, 30)) as pilot:
        await wait_for(lambda: app.built)
        await pilot.click("#own")
        await wait_for(lambda: isinstance(app.screen, Opening))


async def test_a_later_start_opens_the_last_recipe_and_no_welcome(workspace):
    async with opened(workspace, story(method={"name": "lora", "rank": 4})) as (app, _):
        app.edit({"method.rank": 2})
    async with opened(workspace) as (app, _):
        assert not isinstance(app.screen, Welcome)
        assert app.recipe.method.knobs["rank"] == 2


async def test_a_last_recipe_that_cannot_be_read_is_said_and_a_new_one_is_opened(workspace):
    workspace.last_recipe.write_text("method: {name: lora, ranc: 8}\n", encoding="utf-8")
    async with opened(workspace, read=False) as (app, _):
        await wait_for(lambda: "method.ranc" in screen_text(app))
        assert app.recipe.method.knobs["rank"] == 8


async def test_wrong_paths_in_the_form_are_said_at_once_and_nothing_is_opened(workspace, tmp_path):
    (tmp_path / "empty").mkdir()
    async with opened(workspace, story()) as (app, pilot):
        before = app.recipe
        await press(pilot, "w")
        await wait_for(lambda: isinstance(app.screen, Opening))
        app.screen.query_one("#model", Input).value = str(tmp_path / "empty")
        app.screen.query_one("#data", Input).value = "no-such-file.json"
        await pilot.pause()
        assert "holds no config.json" in screen_text(app)
        assert "There is no data at no-such-file.json" in screen_text(app)
        app.screen.query_one("#data", Input).focus()
        await press(pilot, "enter")
        assert isinstance(app.screen, Opening)
        await press(pilot, "escape")
        assert not isinstance(app.screen, Opening)
        assert app.recipe == before


async def test_ones_own_data_is_opened_from_the_form_by_keyboard(workspace, tmp_path):
    file = tmp_path / "pairs.jsonl"
    file.write_text('{"question": "Two and two?", "answer": "Four."}\n{"question": "Up?", "answer": "Down."}\n')
    async with opened(workspace, story(data={"source": "capitals", "held_out": 0.2})) as (app, pilot):
        await press(pilot, "w")
        await wait_for(lambda: isinstance(app.screen, Opening))
        await press(pilot, "enter")
        assert app.focused is not None and app.focused.id == "data"
        app.focused.value = ""
        await type_text(pilot, str(file))
        await press(pilot, "enter")
        await wait_for(lambda: app.data_state.report is not None and app.data_state.report["rows"] == 2)
        assert app.recipe.data.source == str(file)
        assert app.pane == "data"


# panes


@pytest.mark.parametrize("size", SIZES)
async def test_the_number_keys_and_the_function_keys_open_every_pane(workspace, size):
    async with opened(workspace, story(), size) as (app, pilot):
        for number, name in enumerate(PANES, 1):
            await press(pilot, str(number))
            await wait_for(lambda name=name: app.pane == name and app.built[name].display)
            for key, there in (("f2", "data"), (f"f{number + 1}", name), ("f2", "data")):
                await press(pilot, key)
                await wait_for(lambda there=there: app.pane == there and app.built[there].display)


async def test_a_click_on_a_tab_opens_its_pane_and_every_tab_is_whole_at_60_columns(workspace):
    async with opened(workspace, story(), (60, 20)) as (app, pilot):
        tabs = app.query_one(PaneTabs)
        for number, (name, title) in enumerate(PANES.items(), 1):
            assert f"{number} {title}" in text_of(tabs)
            start, _ = tabs.places()[name]
            await pilot.click(PaneTabs, offset=(start + 2, 0))
            await wait_for(lambda name=name: app.pane == name)


async def test_digits_typed_into_a_field_stay_there(workspace):
    async with opened(workspace, story()) as (app, pilot):
        await press(pilot, "2", "tab")
        assert isinstance(app.focused, Input)
        await press(pilot, "4")
        assert app.pane == "method"
        assert app.recipe.method.knobs["rank"] == 4
        await press(pilot, "f2")
        await wait_for(lambda: app.pane == "data")


async def test_method_and_memory_stand_side_by_side_in_a_wide_terminal_and_alone_in_a_narrow_one(workspace):
    async with opened(workspace, story(), (120, 36)) as (app, pilot):
        await press(pilot, "2")
        await wait_for(lambda: app.pane == "method" and "memory" in app.built)
        assert app.built["method"].display and app.built["memory"].display
        await press(pilot, "3")
        await wait_for(lambda: app.pane == "memory")
        assert app.built["memory"].has_class("-lit") and not app.built["method"].has_class("-lit")
        await pilot.resize_terminal(80, 24)
        await wait_for(lambda: not app.built["method"].display)
        assert app.built["memory"].display
        await pilot.resize_terminal(140, 40)
        await wait_for(lambda: app.built["method"].display and app.built["memory"].display)


async def test_escape_goes_back_to_the_pane_before(workspace):
    async with opened(workspace, story(), (80, 24)) as (app, pilot):
        await press(pilot, "2")
        await wait_for(lambda: app.pane == "method")
        await press(pilot, "3")
        await wait_for(lambda: app.pane == "memory")
        await press(pilot, "escape")
        await wait_for(lambda: app.pane == "method")
        await press(pilot, "escape")
        await wait_for(lambda: app.pane == "data")
        await press(pilot, "escape")
        assert app.pane == "data"


# the top line


@pytest.mark.parametrize("size", SIZES)
async def test_the_top_line_answers_does_it_fit_at_every_size(workspace, size):
    async with opened(workspace, story(method={"name": "lora", "rank": 8}), size) as (app, _):
        shown = text_of(app.query_one(TopLine))
        for words in ("tiny", "capitals", "LoRA", "r=8", "78,848", "fits", "run"):
            assert words in shown
        assert glyphs().tick in shown


async def test_the_top_line_moves_with_a_knob(workspace):
    async with opened(workspace, story()) as (app, pilot):
        await press(pilot, "2", "tab", "plus")
        await wait_for(lambda: "157,696" in text_of(app.query_one(TopLine)))
        assert "r=16" in text_of(app.query_one(TopLine))


# sizes and colours


@pytest.mark.parametrize("size", SIZES)
async def test_no_pane_leaves_the_terminal(workspace, size):
    async with opened(workspace, story(), size) as (app, pilot):
        for name in ("data", "method", "memory"):
            await app.show_pane(name)
            await pilot.pause()
            lines = screen_text(app).split("\n")
            assert len(lines) == size[1]
            assert app.built[name].region.bottom <= size[1]


async def test_a_terminal_that_is_too_small_is_told_what_is_needed_and_comes_back(workspace):
    async with opened(workspace, story(), (40, 10)) as (app, pilot):
        assert isinstance(app.screen, TooSmall)
        assert "60 columns" in screen_text(app)
        assert "20 rows" in screen_text(app)
        await pilot.resize_terminal(80, 24)
        await wait_for(lambda: not isinstance(app.screen, TooSmall))
        assert "capitals" in screen_text(app)
        await pilot.resize_terminal(30, 8)
        await wait_for(lambda: isinstance(app.screen, TooSmall))
        await pilot.resize_terminal(120, 36)
        await wait_for(lambda: not isinstance(app.screen, TooSmall))


async def test_a_dialog_survives_a_terminal_that_gets_too_small(workspace):
    async with opened(workspace, story(), (80, 24)) as (app, pilot):
        await press(pilot, "w")
        await wait_for(lambda: isinstance(app.screen, Opening))
        await pilot.resize_terminal(40, 10)
        await wait_for(lambda: isinstance(app.screen, TooSmall))
        await pilot.resize_terminal(80, 24)
        await wait_for(lambda: isinstance(app.screen, Opening))


async def test_without_colour_everything_is_grey_and_the_verdict_is_a_word_with_a_glyph(workspace, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    async with opened(workspace, story()) as (app, pilot):
        for name in ("data", "method"):
            await app.show_pane(name)
            await pilot.pause()
            coloured = [
                (segment.text, segment.style)
                for line in app.screen._compositor.render_strips()
                for segment in line
                if segment.style
                for colour in (segment.style.color, segment.style.bgcolor)
                if colour and colour.triplet and len(set(colour.triplet)) > 1
            ]
            assert not coloured
        assert f"{glyphs().tick} fits" in text_of(app.query_one(TopLine))


async def test_in_ascii_every_character_of_the_frame_is_ascii(workspace, monkeypatch):
    monkeypatch.setenv("WORKBENCH_ASCII", "1")
    glyphs.cache_clear()
    try:
        assert glyphs() is ASCII
        async with opened(workspace, story()) as (app, pilot):
            for name in ("data", "memory"):
                await app.show_pane(name)
                await pilot.pause()
                shown = text_of(app.built[name]) + text_of(app.query_one(TopLine)) + text_of(app.query_one(KeyLine))
                assert not {letter for letter in shown if not letter.isascii()}
    finally:
        glyphs.cache_clear()


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"LANG": "en_GB.UTF-8"}, UTF8),
        ({"LANG": "C"}, ASCII),
        ({"LANG": "de_DE.ISO-8859-1"}, ASCII),
        ({"LANG": "C", "WORKBENCH_ASCII": "0"}, UTF8),
        ({"LANG": "en_GB.UTF-8", "WORKBENCH_ASCII": "1"}, ASCII),
    ],
)
def test_the_glyphs_follow_the_locale_and_the_persons_wish(monkeypatch, environment, expected):
    for name in ("LC_ALL", "LC_CTYPE", "LANG", "WORKBENCH_ASCII"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    glyphs.cache_clear()
    assert glyphs() is expected
    glyphs.cache_clear()


async def test_the_theme_is_remembered(workspace):
    async with opened(workspace, story(), read=False) as (app, pilot):
        await press(pilot, "f10", "f10")
        assert app.theme == "workbench-contrast"
    async with opened(workspace, story(), read=False) as (app, _):
        assert app.theme == "workbench-contrast"


# one table of actions


def test_no_pane_takes_a_key_that_means_something_everywhere():
    everywhere = {key for action in ACTIONS["app"] for key in action.keys} - {"escape"}  # a pane may lead back itself
    assert sum(len(action.keys) for action in ACTIONS["app"]) == len(everywhere) + 1
    for place in PANES:
        assert not everywhere & {key for action in ACTIONS[place] for key in action.keys}, place


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
        await press(pilot, "tab")
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
    assert not set(later) & set("torch transformers peft datasets bitsandbytes numpy".split())


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
