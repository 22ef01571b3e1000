"""The memory pane: parts, capacity, verdict, advice that is applied, and what was measured."""

from __future__ import annotations

import dataclasses
import json
import time

import pytest
from driving import opened, press, story, text_of
from hypothesis import given
from hypothesis import strategies as st
from textual.widgets import Button
from waiting import wait_for

from workbench.app.glyphs import glyphs
from workbench.app.panes.memory.advice_list import AdviceList
from workbench.app.panes.memory.drawing import PARTS, _limit_words, gauge, headline, parts_of
from workbench.app.panes.memory.tracing import Trace
from workbench.app.screens.question import Question
from workbench.app.widgets.bars import apportion, bar
from workbench.core.memory.advice import advise
from workbench.core.memory.device import Device, find_device
from workbench.core.memory.experience import read_experience
from workbench.core.recipe import recipe_to_yaml
from workbench.core.runs.folder import RunFolder, Status
from workbench.core.words import size_text


def shown_words(app):
    """What the memory pane shows, as one line."""
    return " ".join(text_of(app.built["memory"]).replace("│", " ").split())


async def on_memory(pilot, app):
    await press(pilot, "f4")
    await wait_for(lambda: app.pane == "memory" and app.built["memory"].display)
    await pilot.pause()


@pytest.mark.parametrize("size", [(160, 45), (120, 36), (80, 24), (60, 20)])
async def test_it_shows_the_verdict_the_range_and_every_part(workspace, size):
    async with opened(workspace, story(), size) as (app, pilot):
        await on_memory(pilot, app)
        shown = text_of(app.built["memory"])
        assert f"{glyphs().tick} fits" in shown
        assert size_text(app.estimate.process) in shown
        assert size_text(app.device.total) in shown
        parts = app.built["memory"].parts.text
        for name, amount in app.estimate.parts.items():
            line = next(line for line in parts.split("\n") if f" {name} " in line)
            assert (size_text(amount) if amount else "none") in line


async def test_the_estimate_uses_the_longest_row_of_the_data(workspace):
    async with opened(workspace, story(), (120, 36)) as (app, _):
        assert app.data_state.rows.tokens == app.data_state.report["lengths"]["total"]["max"]
        from workbench.core.memory.estimate import estimate_memory

        assert app.estimate == estimate_memory(app.recipe, app.skeleton, app.device, app.data_state.rows)
        assert app.estimate != estimate_memory(app.recipe, app.skeleton, app.device)


async def test_advice_is_applied_with_one_key_and_the_estimate_falls(workspace):
    async with opened(workspace, story(), (120, 36)) as (app, pilot):
        await on_memory(pilot, app)
        advice = await wait_for(lambda: app.built["memory"].advice)
        before = app.estimate.reserved
        await press(pilot, "a")
        await wait_for(lambda: app.estimate is not None and app.estimate.reserved < before)
        for key, value in advice[0].settings.items():
            section, _, name = key.partition(".")
            found = app.recipe.method.knobs[name] if section == "method" and name != "name" else None
            assert found == value or getattr(getattr(app.recipe, section), name) == value
        assert before - app.estimate.reserved == advice[0].memory


async def test_the_advice_belongs_to_the_recipe_as_it_is_now(workspace):
    async with opened(workspace, story(method={"name": "full"}), (120, 36)) as (app, pilot):
        await on_memory(pilot, app)
        await press(pilot, "f")
        await wait_for(lambda: "LoRA instead of every weight" in text_of(app.built["memory"]))
        app.edit({"method.name": "lora"})
        await wait_for(lambda: "LoRA instead of every weight" not in text_of(app.built["memory"]))
        await wait_for(lambda: "A base in 4-bit numbers" in text_of(app.built["memory"]))


async def test_advice_is_applied_by_enter_and_by_a_click(workspace):
    async with opened(workspace, story(), (120, 45)) as (app, pilot):
        await on_memory(pilot, app)
        await wait_for(lambda: app.built["memory"].advice)
        start = app.recipe
        await press(pilot, "f", "down", "enter")
        await wait_for(lambda: app.recipe != start)
        before = app.recipe
        await wait_for(lambda: app.query_one(AdviceList).region.height)
        await pilot.pause(0.3)
        await pilot.click(AdviceList, offset=(4, 0))
        await wait_for(lambda: app.recipe != before)


async def test_a_run_that_does_not_fit_is_said_in_words_and_the_limit_is_inside_the_bar(workspace):
    async with opened(workspace, story(), (120, 36)) as (app, pilot):
        await on_memory(pilot, app)
        app.device = Device("cpu", "a very small computer", 10**8, 9 * 10**7)
        app.edit({"method.rank": 16})
        await wait_for(lambda: f"{glyphs().cross} does not fit" in text_of(app.built["memory"]))
        line = gauge(app.estimate, 60).plain.split("\n")[0]
        assert glyphs().limit in line[:20]
        assert "a very small computer" in text_of(app.built["memory"])


async def test_a_run_that_does_not_fit_starts_only_after_a_question_with_the_figure_and_the_best_change(workspace):
    async with opened(workspace, story(), (120, 36)) as (app, pilot):
        await on_memory(pilot, app)
        app.device = Device("cpu", "a very small computer", 10**8, 9 * 10**7)
        app.edit({"method.rank": 16})
        await pilot.pause()
        assert app.estimate.verdict == "does not fit"
        await press(pilot, "s")
        await wait_for(lambda: isinstance(app.screen, Question))
        said = " ".join(text_of(app.screen.query_one(".dialog")).replace("│", " ").split())
        assert f"would need about {size_text(app.estimate.process)}, and 90.0 MB of 100 MB are free" in said
        best = advise(app.recipe, app.skeleton, app.device, app.data_state.rows)[0]
        assert f"The best change: {best.change}. It saves {size_text(best.memory)}" in said
        assert app.screen.query_one("#no", Button).has_focus
        await press(pilot, "enter")
        await wait_for(lambda: not isinstance(app.screen, Question))
        assert not list(workspace.runs.iterdir())


async def test_without_a_skeleton_it_says_why(workspace, tmp_path):
    recipe = story(model={"path": str(tmp_path / "gone")})
    async with opened(workspace, recipe, (80, 24), read=False) as (app, pilot):
        await on_memory(pilot, app)
        await wait_for(lambda: "There is no model at" in text_of(app.built["memory"]))
        assert app.estimate is None


def finished(workspace, name, facts):
    folder = RunFolder(workspace.runs / name)
    folder.path.mkdir()
    folder.recipe.write_text(recipe_to_yaml(story()), encoding="utf-8")
    (folder.path / "facts.json").write_text(json.dumps(facts), encoding="utf-8")
    folder.write_status(Status("finished", 2**22 + 1, 0.0, "here", 5, 5, time.time(), time.time(), 3.0))


async def test_the_last_measured_run_stands_beside_its_prediction(workspace):
    memory = {"of": "process", "predicted": 660_000_000, "measured": 600_000_000}
    finished(workspace, "calm-crane", {"run": "calm-crane", "device": find_device().name, "memory": memory})
    async with opened(workspace, story(), (120, 60)) as (app, pilot):
        await on_memory(pilot, app)
        sentence = "calm-crane: predicted 660 MB, measured 600 MB, so the prediction was 10.0% too high"
        await wait_for(lambda: sentence in shown_words(app))


@pytest.mark.parametrize(
    "facts", [{}, {"memory": None}, {"memory": {"predicted": 1}}, {"memory": {"predicted": 1, "measured": 0}}]
)
def test_facts_without_both_figures_are_passed_over(workspace, facts):
    finished(workspace, "calm-crane", {"device": "a GPU", **facts})
    assert not read_experience(workspace, Device("cuda", "a GPU", 1, 1)).compared


async def test_before_any_run_it_says_where_the_measured_peak_will_stand(workspace):
    async with opened(workspace, story(), (120, 60)) as (app, pilot):
        await on_memory(pilot, app)
        await wait_for(lambda: "measured peak stands here" in shown_words(app))


@pytest.mark.parametrize("width", [20, 37, 80])
async def test_no_drawing_is_wider_than_its_pane(workspace, width):
    async with opened(workspace, story()) as (app, _):
        for content in (gauge(app.estimate, width), parts_of(app.estimate, Trace(), width)):
            for line in content.plain.split("\n"):
                assert len(line) <= max(width, 42)
        assert headline(app.estimate).plain


async def test_the_process_itself_does_not_hide_the_parts_of_a_small_run(workspace):
    async with opened(workspace, story()) as (app, _):
        _, stack, said, *lines = parts_of(app.estimate, Trace(), 80).plain.split("\n")
        assert "C" not in stack and f"C takes {size_text(app.estimate.parts['context'])} beside" in said
        bars = {line.split()[0]: line.count(glyphs().line) for line in lines}
        largest = max((name for name in app.estimate.parts if name != "context"), key=app.estimate.parts.__getitem__)
        assert bars[PARTS[largest][0]] >= bars["C"] > bars["A"] > 0, "its bar goes beyond the scale of the others"
        big = parts_of(dataclasses.replace(app.estimate, device=Device("cpu", "small", 10**9, 10**9)), Trace(), 80)
        assert " C " in big.plain.split("\n")[1]


@given(st.integers(0, 130), st.integers(9, 130))
def test_the_words_at_the_limit_stand_at_the_limit(limit, wide):
    limit = min(limit, wide)
    words = _limit_words("25.3 GB", limit, wide)
    assert "25.3 GB" in words
    if glyphs().limit in words:
        assert words.index(glyphs().limit) == limit and len(words) <= wide + 1


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=9), st.integers(10, 200))
def test_the_cells_of_a_bar_add_up_and_nothing_is_left_out(amounts, width):
    cells = apportion(amounts, width)
    assert sum(cells) == (width if sum(amounts) else 0)
    assert all(bool(cell) == bool(amount) for cell, amount in zip(cells, amounts, strict=True))


@given(st.floats(-1, 2), st.integers(1, 100))
def test_a_bar_never_leaves_its_room_and_a_trace_is_seen(share, width):
    drawn = bar(share, width)
    assert len(drawn) <= width
    assert bool(drawn) == (share > 0)
