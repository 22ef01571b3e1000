"""The frame: first screen, panes, top line, keys, palette, help, sizes, and leaving."""

from __future__ import annotations

import pytest
from driving import opened, press, screen_text, story, text_of, type_text
from textual.widgets import Input
from waiting import wait_for

from workbench.app.actions import ACTIONS, PANES
from workbench.app.glyphs import ASCII, UTF8, glyphs
from workbench.app.screens.opening import Opening
from workbench.app.screens.too_small import TooSmall
from workbench.app.screens.welcome import Welcome
from workbench.app.widgets.key_line import KeyLine
from workbench.app.widgets.pane_tabs import PaneTabs
from workbench.app.widgets.top_line import TopLine
from workbench.app.workbench_app import WorkbenchApp
from workbench.core.places import tiny_folder

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


async def test_a_folder_with_nothing_but_a_config_is_opened_and_says_what_it_is_good_for(workspace, tmp_path):
    (tmp_path / "config.json").write_text((tiny_folder() / "config.json").read_text())
    async with opened(workspace, story(), (80, 24)) as (app, pilot):
        await press(pilot, "w")
        await wait_for(lambda: isinstance(app.screen, Opening))
        app.screen.query_one("#model", Input).value = str(tmp_path)
        await wait_for(lambda: "a model folder without weights" in screen_text(app))
        app.screen.query_one("#data", Input).focus()
        await press(pilot, "enter")
        await wait_for(lambda: app.estimate is not None and app.recipe.model.path == str(tmp_path), 120)
        await wait_for(lambda: "do without them" in " ".join(screen_text(app).replace("│", "").split()))


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


@pytest.mark.parametrize("size", [SIZES[0], pytest.param(SIZES[-1], marks=pytest.mark.slow)])
async def test_the_number_keys_and_the_function_keys_open_every_pane(workspace, size):
    async with opened(workspace, story(), size) as (app, pilot):
        for keys in ("1234567", [f"f{number}" for number in range(2, 9)]):
            for key, name in zip(keys, PANES, strict=True):
                if app.pane == "chat":  # a digit there is a part of the prompt
                    await press(pilot, "f2")
                    await wait_for(lambda: app.pane == "data")
                await press(pilot, key)
                await wait_for(lambda name=name: app.pane == name and app.built[name].display)


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
            for name in ("data", "method", "memory"):
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
