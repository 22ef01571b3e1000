"""The lengths in the data pane: the histogram, the slider on the longest row, and what follows from it at once."""

from __future__ import annotations

import time

import pytest
from data_rows import rows_shown, write_rows
from driving import opened, press, story, text_of
from waiting import wait_for

from workbench.app.panes.data.length_chart import GUTTER, binned, rebinned, scale_for
from workbench.app.panes.data.lengths import Lengths, LengthSlider
from workbench.core.data.inspect import inspect_data
from workbench.core.data.tokens.lengths import figures_at
from workbench.core.memory.estimate import estimate_memory
from workbench.core.memory.row_shape import row_shape
from workbench.core.places import tiny_folder
from workbench.core.recipe import change_recipe
from workbench.core.words import count_text, share_text, size_text


def varied(tmp_path):
    """Sixty rows whose answers are 1 to 60 words long."""
    rows = [{"prompt": f"Count to {n}, please.", "completion": "one " * n + "done"} for n in range(1, 61)]
    return write_rows(tmp_path / "varied.jsonl", rows)


async def open_lengths(app, pilot):
    await press(pilot, "l")
    await wait_for(lambda: app.query(Lengths) and "memory" in app.query_one(Lengths).figures.text)
    await wait_for(lambda: app.query_one(LengthSlider).has_focus)
    return app.query_one(Lengths)


def line(panel, name):
    return next(line for line in panel.figures.text.split("\n") if line.startswith(name))


@pytest.mark.parametrize("size", [(160, 45), (80, 24), (60, 20)])
async def test_moving_the_slider_shows_at_once_what_the_core_computes_for_that_length(workspace, tmp_path, size):
    recipe = story(data={"source": varied(tmp_path), "over_length": "cut_right"})
    async with opened(workspace, recipe, size) as (app, pilot):
        panel = await open_lengths(app, pilot)
        slider = panel.slider
        await press(pilot, "end", "left", "left", "left", "left")
        report = app.data_state.report
        assert 8 < slider.limit < report["lengths"]["total"]["max"]
        figures = figures_at(report["length_counts"], slider.limit, "cut_right", app.recipe.training.micro_batch)
        assert figures["over"] > 0
        assert f"{count_text(figures['over'])} of {count_text(figures['rows'])}" in line(panel, "rows too long")
        assert f" {count_text(figures['lost_ends'])} " in line(panel, "answers lose end")
        assert f" {count_text(figures['lost_tokens'])} " in line(panel, "tokens lost")
        assert share_text(figures["padding"]) in line(panel, "padding ")
        assert share_text(figures["padding_packed"]) in line(panel, "padding if packed")
        estimate = estimate_memory(
            change_recipe(app.recipe, {"data.max_length": slider.limit}), app.skeleton, app.device,
            row_shape({**report, "max_length": slider.limit}),
        )  # fmt: skip
        assert size_text(estimate.reserved) in line(panel, "memory")
        assert "less than at 512" in line(panel, "memory")


async def test_the_recipe_follows_the_slider_once_it_rests_and_all_else_follows_the_recipe(workspace, tmp_path):
    async with opened(workspace, story(data={"source": varied(tmp_path)}), (160, 45)) as (app, pilot):
        panel = await open_lengths(app, pilot)
        before = app.estimate.reserved
        await press(pilot, "end", *["left"] * 8)
        limit = panel.slider.limit
        await wait_for(lambda: app.recipe.data.max_length == limit)
        assert app.estimate.reserved < before
        await wait_for(lambda: app.data_state.report["max_length"] == limit)
        assert app.data_state.report == inspect_data(app.recipe, tiny_folder(), sets=True)
        await press(pilot, "u")
        await wait_for(lambda: app.recipe.data.max_length == 512)
        await wait_for(lambda: panel.slider.limit == 512)


async def test_the_slider_is_moved_by_tokens_by_columns_by_powers_of_two_and_to_the_longest_row(workspace, tmp_path):
    async with opened(workspace, story(data={"source": varied(tmp_path)}), (80, 24)) as (app, pilot):
        slider = (await open_lengths(app, pilot)).slider
        longest = app.data_state.report["lengths"]["total"]["max"]
        await press(pilot, "minus")
        assert slider.limit == 256
        await press(pilot, "plus", "plus")
        assert slider.limit == 1024
        await press(pilot, "left")
        assert slider.limit == longest
        await press(pilot, "shift+left")
        assert slider.limit == longest - 1
        await press(pilot, "end", "right")
        assert slider.limit == 128
        await press(pilot, *["pageup"] * 20)
        assert slider.limit == 8
        await press(pilot, "home")
        assert slider.limit == slider.report["lengths"]["total"]["p95"]


async def test_a_longest_row_that_leaves_nothing_says_so_and_the_slider_leads_back(workspace, tmp_path):
    async with opened(workspace, story(data={"source": varied(tmp_path)}), (80, 24)) as (app, pilot):
        panel = await open_lengths(app, pilot)
        await press(pilot, "end", *["pageup"] * 20)
        await wait_for(lambda: app.recipe.data.max_length == 8 and app.data_state.problem)
        await wait_for(lambda: "left to train on" in text_of(panel))
        assert "60 of 60" in line(panel, "rows too long")
        await press(pilot, "end")
        await wait_for(lambda: app.data_state.report is not None)
        await wait_for(lambda: "0 of 60" in line(panel, "rows too long"))


async def test_the_slider_follows_the_mouse(workspace, tmp_path):
    async with opened(workspace, story(data={"source": varied(tmp_path)}), (160, 45)) as (app, pilot):
        panel = await open_lengths(app, pilot)
        slider = panel.slider
        longest = app.data_state.report["lengths"]["total"]["max"]
        scale = scale_for(longest, slider.content_size.width - GUTTER)
        await pilot.mouse_down(LengthSlider, offset=(GUTTER + 20, 3))
        assert slider.limit == scale.length_at(20)
        await pilot.hover(LengthSlider, offset=(GUTTER + 30, 3))
        await pilot.mouse_up(LengthSlider, offset=(GUTTER + 30, 3))
        assert slider.limit == scale.length_at(30)
        await wait_for(lambda: app.recipe.data.max_length == slider.limit)


async def test_the_histogram_holds_every_row_and_marks_what_lies_beyond_the_slider(workspace, tmp_path):
    async with opened(workspace, story(data={"source": varied(tmp_path), "max_length": 40}), (160, 45)) as (app, pilot):
        panel = await open_lengths(app, pilot)
        report = app.data_state.report
        scale = scale_for(report["lengths"]["total"]["max"], panel.slider.content_size.width - GUTTER)
        assert sum(binned(report["length_counts"]["total"], scale)) == 60
        for part in ("prompt", "answer"):
            assert sum(rebinned(report["lengths"][part]["histogram"], scale)) == pytest.approx(60)
        bottom = panel.slider.render_lines(panel.slider.size.region)[panel.slider.bars - 1]
        edge = GUTTER + scale.column_of(40) + 1
        before, beyond = (
            {part.style.color for part in strip if part.text.strip()}
            for strip in (bottom.crop(GUTTER, edge), bottom.crop(edge))
        )
        assert len(before) == len(beyond) == 1 and before != beyond


async def test_what_happens_to_longer_rows_is_chosen_beside_the_slider(workspace, tmp_path):
    recipe = story(data={"source": varied(tmp_path), "max_length": 40})
    async with opened(workspace, recipe, (80, 24)) as (app, pilot):
        panel = await open_lengths(app, pilot)
        assert "left out whole" in line(panel, "rows too long")
        panel.form.rows["data.over_length"].field.focus()
        for choice, words, lost in (
            ("cut_right", "cut at the end", "answers lose end"),
            ("cut_left", "cut at the start", "answers lose start"),
            ("split", "split into more", "answers lose end"),
        ):
            await press(pilot, "plus")
            await wait_for(lambda choice=choice: app.recipe.data.over_length == choice)
            await wait_for(lambda words=words: words in line(panel, "rows too long"))
            found = figures_at(app.data_state.report["length_counts"], 40, choice)
            assert line(panel, lost).removeprefix(lost).split()[0] == count_text(found["lost_ends"])
            assert bool(found["lost_ends"]) is (choice != "split")


async def test_the_lengths_of_data_that_cannot_be_read_say_why(workspace, tmp_path):
    file = tmp_path / "broken.jsonl"
    file.write_text("{\n")
    async with opened(workspace, story(data={"source": str(file)}), (80, 24), read=False) as (app, pilot):
        await wait_for(lambda: app.data_state.problem, 60)
        await press(pilot, "l")
        await wait_for(lambda: "once the data has been read" in text_of(app.query_one(Lengths)))
        await press(pilot, "left", "end", "home", "plus")
        assert app.is_running


async def test_c_goes_from_one_row_that_is_too_long_to_the_next(workspace, tmp_path):
    async with opened(workspace, story(data={"source": varied(tmp_path), "max_length": 40}), (120, 36)) as (app, pilot):
        await rows_shown(app)
        rows, first = app.built["data"].rows, app.data_state.report["over_length"]["first"]
        assert len(first) == app.data_state.report["over_length"]["rows"] > 2
        for row in first[:3]:
            await press(pilot, "c")
            assert rows.cursor == row
            await wait_for(lambda: rows.row_at(rows.cursor) is not None)
            assert len(rows.row_at(row)["ids"]) > 40
        await wait_for(lambda: "longer than 40 tokens" in text_of(app.built["data"].trail_line))


def test_a_move_of_the_slider_over_a_million_lengths_takes_less_than_a_frame_to_compute():
    counts = [[length, 1 + 900_000 // (length + 1) ** 2] for length in range(8000)]
    lengths = {"total": counts, "answer_end": counts, "answer_start": counts}
    spent = []
    for limit in (64, 512, 2048, 8192):
        started = time.process_time()
        figures_at(lengths, limit)
        spent.append(time.process_time() - started)
    assert min(spent) < 0.05


def painted(app):
    """Every cell of the screen with its colours."""
    return [
        [(segment.text, segment.style) for segment in line.simplify()]
        for line in app.screen._compositor.render_strips()
    ]


@pytest.mark.parametrize("size", [(160, 45), (80, 24)])
async def test_what_is_repainted_in_parts_looks_like_all_of_it_painted_anew(workspace, tmp_path, size):
    async with opened(workspace, story(data={"source": varied(tmp_path)}), size) as (app, pilot):
        panel = await open_lengths(app, pilot)
        for keys in (["end", "left", "left", "left"], ["pageup", "right", "shift+left"], ["plus", "plus"], ["home"]):
            await press(pilot, *keys)
            await wait_for(
                lambda: app.data_state.report["max_length"] == panel.slider.limit and not app.data_state.busy
            )
            await wait_for(lambda: not any(worker.is_running for worker in app.built["data"].workers))
            await pilot.pause()
            in_parts = painted(app)
            for widget in app.screen.walk_children():
                widget.refresh()
            await pilot.pause()
            assert painted(app) == in_parts
