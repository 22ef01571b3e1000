"""Some of the rows alone: what becomes of each row is said beside it, and the list can be narrowed to those alike."""

from __future__ import annotations

import pytest
from data_rows import rows_shown, write_rows
from driving import opened, press, story, text_of, type_text
from textual.widgets import OptionList
from waiting import wait_for

from workbench.app.glyphs import glyphs
from workbench.app.panes.data.known import known_rows, use_mark
from workbench.app.panes.data.rows import RowList
from workbench.core.data.dataset import prepare_data
from workbench.core.places import tiny_folder

COPIES = 45


def many(tmp_path):
    """Sixty rows: 8 has no answer, 12 is far too long; and behind them 45 copies of the first."""
    rows = [
        {"prompt": f"What is {n} and {n}, in words?", "completion": f"It makes {2 * n}, my friend."} for n in range(60)
    ]
    rows[7]["completion"] = ""
    rows[11]["completion"] = "word " * 300
    return write_rows(tmp_path / "many.jsonl", rows + [rows[0]] * COPIES)


async def choose(app, pilot, words):
    """Open the list of what can be shown alone, and take the line that holds these words."""
    await press(pilot, "o")
    options = await wait_for(lambda: app.screen.query(OptionList) and app.screen.query_one(OptionList))
    lines = [option.prompt.plain for option in options.options]
    options.highlighted = next(place for place, line in enumerate(lines) if words in line)
    await press(pilot, "enter")
    await rows_shown(app)
    return lines


def line_of(app, number):
    """The line of the list with a row's number."""
    lines = text_of(app.query_one(RowList)).splitlines()
    return next(line for line in lines if line.strip(f" {glyphs().pointer}").split(" ")[0] == str(number))


@pytest.mark.parametrize("size", [(160, 45), (80, 24)])
async def test_each_row_says_by_a_mark_and_a_word_whether_it_is_trained_on_held_out_or_left_out(
    workspace, tmp_path, size
):
    recipe = story(data={"source": many(tmp_path), "held_out": 0.2, "max_length": 100})
    held = {item.row for item in prepare_data(recipe, tiny_folder()).held_out}
    async with opened(workspace, recipe, size) as (app, pilot):
        await rows_shown(app)
        assert line_of(app, 1).split()[-1] == "train" if 0 not in held else "out"
        for row in (min(held), 11):
            app.built["data"].go(row)
            await pilot.pause()
            await rows_shown(app)
            said = "left out" if row == 11 else "held out"
            await wait_for(lambda row=row, said=said: f"{use_mark(said)} {said}" in line_of(app, row + 1))
            await wait_for(lambda said=said: said in text_of(app.built["data"].trail_line))


async def test_o_lists_held_out_rows_alone_and_escape_lists_all_again(workspace, tmp_path):
    recipe = story(data={"source": many(tmp_path), "held_out": 0.2})
    held = sorted({item.row for item in prepare_data(recipe, tiny_folder()).held_out})
    async with opened(workspace, recipe, (120, 36)) as (app, pilot):
        rows = app.query_one(RowList)
        await rows_shown(app)
        lines = await choose(app, pilot, "held out")
        assert any(line.split()[-3:] == ["105", "all", "rows"] for line in lines)
        assert rows.total == len(held)
        assert f"{len(held)} rows: held out" in text_of(app.built["data"].row_header)
        seen = []
        for place in range(rows.total):
            rows.cursor = place
            await rows_shown(app)
            await wait_for(lambda place=place: rows.row_at(place) is not None)
            seen.append(rows.row_at(place)["row"])
        assert seen == held
        await press(pilot, "escape")
        assert rows.total == 105 and rows.lit == held[-1]


async def test_a_change_of_the_recipe_renews_what_is_listed_alone(workspace, tmp_path):
    recipe = story(data={"source": many(tmp_path), "held_out": 0.0, "max_length": 100})
    async with opened(workspace, recipe, (120, 36)) as (app, pilot):
        rows = app.query_one(RowList)
        await rows_shown(app)
        await choose(app, pilot, "left out")
        assert list(rows.order) == [7, 11]
        await press(pilot, "x")
        app.edit({"data.leave_out": [3]})
        await wait_for(lambda: rows.order is not None and list(rows.order) == [2, 7, 11])
        app.edit({"data.leave_out": [], "data.max_length": 512, "data.filter": "len(completion) > 0"})
        await wait_for(lambda: rows.order is not None and list(rows.order) == [7])
        app.edit({"data.filter": None})
        await press(pilot, "escape")
        await wait_for(lambda: rows.total == 105)


async def test_n_reaches_every_row_of_a_finding_however_many_a_report_names(workspace, tmp_path):
    recipe = story(data={"source": many(tmp_path), "held_out": 0.0})
    async with opened(workspace, recipe, (120, 36)) as (app, pilot):
        rows, pane = app.query_one(RowList), app.built["data"]
        await rows_shown(app)
        found = next(item for item in app.data_state.report["findings"] if item["kind"] == "duplicate")
        assert found["count"] == COPIES > len(found["rows"])
        pane.follow(known_rows(app.data_state.report).trail_of(found), 0)
        walked = [rows.lit]
        for at in range(2, COPIES + 1):
            await press(pilot, "n")
            walked.append(rows.lit)
            await wait_for(lambda at=at: f"{at} of {COPIES}" in text_of(pane.trail_line))
        assert walked == list(range(60, 60 + COPIES))
        await press(pilot, "n")
        assert rows.lit == 60
        await press(pilot, "N")
        assert rows.lit == 59 + COPIES


async def test_c_reaches_every_row_that_is_too_long(workspace, tmp_path):
    long = [{"prompt": f"What is {n}, please?", "completion": "word " * (100 if n % 2 else 3)} for n in range(80)]
    recipe = story(
        data={"source": write_rows(tmp_path / "long.jsonl", long), "held_out": 0.0, "max_length": 64,
              "over_length": "cut_right"}
    )  # fmt: skip
    async with opened(workspace, recipe, (120, 36)) as (app, pilot):
        rows = app.query_one(RowList)
        await rows_shown(app)
        await press(pilot, "c")
        await wait_for(lambda: "1 of 40" in text_of(app.built["data"].trail_line))
        assert rows.lit == 1
        await wait_for(lambda: f"{glyphs().warning} cut" in line_of(app, 2))
        await press(pilot, "N")
        assert rows.lit == 79


async def test_rows_of_a_held_out_file_are_shown_from_that_file(workspace, tmp_path):
    rows = [{"prompt": f"What is {n} and {n}?", "completion": f"It makes {2 * n}, my friend."} for n in range(30)]
    held = [{"prompt": "Where is it?", "completion": "It is here, and not there."}, rows[4]]
    recipe = story(
        data={
            "source": write_rows(tmp_path / "rows.jsonl", rows),
            "held_out": write_rows(tmp_path / "held.jsonl", held),
        }
    )
    async with opened(workspace, recipe, (120, 36)) as (app, pilot):
        listed, pane = app.query_one(RowList), app.built["data"]
        await rows_shown(app)
        leak = next(item for item in app.data_state.report["findings"] if item["kind"] == "leak")
        pane.follow(pane.known.trail_of(leak), 0)
        await wait_for(lambda: listed.row_at(listed.cursor) is not None)
        assert listed.of == "held_out" and listed.lit == 1
        assert listed.row_at(listed.cursor)["raw"]["prompt"] == "What is 4 and 4?"
        await press(pilot, "x")
        assert app.recipe.data.leave_out == []
        await press(pilot, "escape", "escape")
        await wait_for(lambda: listed.of == "source" and listed.total == 30)


async def test_g_goes_to_a_row_that_is_not_listed_by_listing_all_rows(workspace, tmp_path):
    recipe = story(data={"source": many(tmp_path), "held_out": 0.0, "max_length": 100})
    async with opened(workspace, recipe, (120, 36)) as (app, pilot):
        rows = app.query_one(RowList)
        await rows_shown(app)
        await choose(app, pilot, "left out")
        await press(pilot, "g")
        await type_text(pilot, "50")
        await press(pilot, "enter")
        await wait_for(lambda: rows.order is None and rows.lit == 49)
