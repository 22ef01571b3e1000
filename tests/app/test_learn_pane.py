"""The lessons and their pane: every figure worked out, every key a real one."""

import json
import math
import re

import pytest
from hosting import Host, lines_with, make_run, screen_text
from waiting import wait_for

from workbench.app.actions import ACTIONS
from workbench.app.panes.chat import ChatPane
from workbench.app.panes.learn import LearnPane
from workbench.app.panes.learn.pane import key_figures
from workbench.app.panes.monitor import MonitorPane
from workbench.app.panes.runs import RunsPane
from workbench.core.lessons import fill_lesson, lesson_figures, load_lessons, placeholders
from workbench.core.memory.device import Device, cpu_device
from workbench.core.methods import METHODS
from workbench.core.models.skeleton import skeleton_from_json
from workbench.core.places import tiny_folder
from workbench.core.recipe import change_recipe, recipe_from_mapping
from workbench.core.runs.facts import read_view
from workbench.core.runs.view import RunView

WIDE, USUAL, SMALL = (120, 36), (80, 24), (60, 20)


@pytest.fixture(scope="module")
def tiny():
    return skeleton_from_json(json.loads((tiny_folder() / "skeleton.json").read_text()))


def figures_of(recipe, skeleton, **more):
    return {**key_figures(), **lesson_figures(recipe, skeleton, cpu_device(), **more)}


def test_every_place_in_every_lesson_is_filled_and_every_figure_is_used(tiny):
    figures = figures_of(recipe_from_mapping({}), tiny)
    used = set()
    for lesson in load_lessons():
        text = fill_lesson(lesson.text, figures)
        assert "{{" not in text and "–" not in text and lesson.title
        used |= placeholders(lesson.text)
    assert {name for name in figures if not name.startswith("key:")} - used <= {
        "data",
        "hidden_size",
        "linear_layers",
        "model_type",
    }


def test_every_lesson_says_what_to_try_with_a_key_of_the_app():
    for lesson in load_lessons():
        if lesson.name != "glossary":
            assert "**Try it.**" in lesson.text
            assert any(name.startswith("key:") for name in placeholders(lesson.text)), lesson.name


def test_the_worked_lora_is_the_formula_and_its_sum_is_the_methods_own_count(tiny):
    recipe = change_recipe(recipe_from_mapping({}), {"method.rank": 4})
    figures = lesson_figures(recipe, tiny, cpu_device())
    inside, outside = (int(figures[name].replace(",", "")) for name in ("matrix_in", "matrix_out"))
    assert figures["matrix_lora"] == f"{4 * (inside + outside):,}"
    assert figures["lora_parameters"] == f"{METHODS['lora'].count(tiny, recipe.method.knobs).total:,}"


def test_lessons_hold_for_other_methods_and_for_other_models(tiny):
    for name in METHODS:
        recipe = change_recipe(recipe_from_mapping({}), {"method.name": name})
        figures = figures_of(recipe, tiny)
        assert all(fill_lesson(lesson.text, figures) for lesson in load_lessons())
    gpu = Device("cuda", "a GPU", 80_000_000_000, 79_000_000_000)
    assert lesson_figures(recipe_from_mapping({}), tiny, gpu)["device"] == "a GPU"


def test_the_bytes_of_nf4_are_worked_out(tiny):
    figures = lesson_figures(recipe_from_mapping({}), tiny, cpu_device())
    assert figures["nf4_bytes"] == f"{0.5 + 1 / 64 + 4 / (64 * 256):.4f}" == "0.5159"
    assert figures["double_saves_bits"] == "0.373"


def test_the_losses_in_the_table_are_those_of_their_probabilities():
    (lesson,) = (lesson for lesson in load_lessons() if lesson.name == "loss")
    rows = re.findall(r"\| (\d+)% \| ([\d.]+) \|", lesson.text)
    assert len(rows) == 4
    for percent, loss in rows:
        assert abs(-math.log(int(percent) / 100) - float(loss)) < 0.005


def test_a_run_that_was_measured_is_told_about(tiny, workspace):
    recipe = recipe_from_mapping({})
    view = read_view(make_run(workspace, state="finished"))
    figures = lesson_figures(recipe, tiny, cpu_device(), view=view, run="brave-otter")
    assert figures["run_losses"] == "In your run brave-otter the held-out loss is 0.7500; the base had 6.3445."
    assert "answers 0% of 32 held-out questions exactly right, the tuned model 50.0%" in figures["run_scores"]
    assert "Start a run" in lesson_figures(recipe, tiny, cpu_device(), view=RunView())["run_losses"]


def test_a_models_name_is_neither_markdown_nor_an_escape(tiny):
    recipe = change_recipe(recipe_from_mapping({}), {"model.path": "**[x](http://y)**\x1b[31m"})
    text = fill_lesson("{{model}}", figures_of(recipe, tiny))
    assert "\x1b" not in text and text.startswith("\\*\\*\\[x\\]")


@pytest.mark.parametrize(
    ("place", "pane"), [("monitor", MonitorPane), ("chat", ChatPane), ("runs", RunsPane), ("learn", LearnPane)]
)
def test_every_key_of_the_table_has_something_to_do_in_its_pane(place, pane):
    for action in ACTIONS[place]:
        assert callable(getattr(pane, f"action_{action.call.partition('(')[0]}")), action.call


async def test_moving_through_the_list_shows_each_lesson_with_the_models_figures():
    app = Host(LearnPane())
    async with app.run_test(size=WIDE) as pilot:
        await wait_for(lambda: lines_with(app, "Your model tiny has 1,197,184 parameters"))
        for lesson in load_lessons()[1:]:
            await pilot.press("down")
            await wait_for(
                lambda lesson=lesson: len(lines_with(app, lesson.title)) >= 2 or lines_with(app, f"   {lesson.title}")
            )
        assert lines_with(app, "Words")


async def test_the_figures_move_with_the_recipe(tiny):
    app = Host(LearnPane())
    async with app.run_test(size=(120, 50)) as pilot:
        app.pane.recipe, app.pane.skeleton = recipe_from_mapping({}), tiny
        await pilot.press("n", "n", "n", "n")
        await wait_for(lambda: lines_with(app, "78,848"))
        app.pane.recipe = change_recipe(recipe_from_mapping({}), {"method.rank": 16})
        await wait_for(lambda: lines_with(app, "157,696"))


@pytest.mark.parametrize("size", [USUAL, SMALL])
async def test_a_narrow_pane_shows_the_list_or_the_lesson(size):
    app = Host(LearnPane())
    async with app.run_test(size=size) as pilot:
        await wait_for(lambda: lines_with(app, "1. What a base model does") and lines_with(app, "11. Words"))
        assert not lines_with(app, "1,197,184")
        await pilot.press("enter")
        await wait_for(lambda: lines_with(app, "1,197,184") and not lines_with(app, "11. Words"))
        await pilot.press("n")
        await wait_for(lambda: lines_with(app, "What fine-tuning changes"))
        await pilot.press("escape")
        await wait_for(lambda: lines_with(app, "11. Words"))


async def test_a_long_lesson_scrolls_by_keys():
    app = Host(LearnPane())
    async with app.run_test(size=SMALL) as pilot:
        await wait_for(lambda: lines_with(app, "11. Words"))
        await pilot.press("end", "enter")
        await wait_for(lambda: lines_with(app, "Accumulation"))
        await pilot.press("end")
        await wait_for(lambda: "rises." in screen_text(app))
