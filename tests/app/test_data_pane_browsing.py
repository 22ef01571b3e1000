"""Walking through rows: to a number, to a text, by chance; copying them; and data too large to wait for."""

from __future__ import annotations

import json
import time

import pytest
from data_rows import page_known, rows_shown, words, write_rows
from driving import opened, press, screen_text, story, text_of, type_text
from rich.cells import cell_len
from waiting import wait_for

from workbench.app.actions import ACTIONS
from workbench.app.panes.data.rows import RowList
from workbench.app.panes.data.set_up import SetUp
from workbench.app.panes.data.views import RawView, TokensView
from workbench.app.panes.data.walking import json_of
from workbench.app.screens.explanation import Explanation, explanation_of
from workbench.core.data.tokens.tokenizer import open_tokenizer
from workbench.core.places import tiny_folder


async def test_a_row_is_gone_to_by_its_number(workspace):
    async with opened(workspace, story(), (80, 24)) as (app, pilot):
        await rows_shown(app)
        rows = app.query_one(RowList)
        await press(pilot, "g", "1", "5", "0", "enter")
        assert rows.cursor == 149
        assert rows.has_focus
        await wait_for(lambda: rows.row_at(149) is not None)
        await wait_for(lambda: rows.row_at(149)["raw"]["output"] in words(app.query_one(RawView)))
        await press(pilot, "g", *["backspace"] * 3, "9", "9", "9", "enter")
        await wait_for(lambda: "rows go from 1 to 172" in " ".join(screen_text(app).split()))
        assert rows.cursor == 149
        await press(pilot, "g", "escape")
        assert rows.has_focus and rows.cursor == 149


@pytest.mark.parametrize("size", [(160, 45), (60, 20)])
async def test_a_text_is_searched_in_all_rows_and_n_goes_from_one_to_the_next(workspace, size):
    async with opened(workspace, story(), size) as (app, pilot):
        await rows_shown(app)
        rows = app.query_one(RowList)
        await press(pilot, "slash")
        await type_text(pilot, "GOVERNMENT")
        await press(pilot, "enter")
        trail = await wait_for(lambda: app.built["data"].trail)
        assert len(trail.rows) == trail.total > 2
        assert rows.cursor == trail.rows[0]
        for row in (*trail.rows[1:3], trail.rows[3 % len(trail.rows)]):
            await press(pilot, "n")
            await wait_for(lambda: rows.row_at(rows.cursor) is not None)
            assert rows.cursor == row
            assert "government" in rows.row_at(row)["raw"]["instruction"]
        await press(pilot, "N")
        assert rows.cursor == trail.rows[2]
        await press(pilot, "escape")
        assert app.built["data"].trail is None
        assert app.pane == "data"


async def test_a_text_that_no_row_holds_is_said_and_the_cursor_stays(workspace):
    async with opened(workspace, story(), (80, 24)) as (app, pilot):
        await rows_shown(app)
        await press(pilot, "down", "slash")
        await type_text(pilot, "nowhere_at_all")
        await press(pilot, "enter")
        await wait_for(lambda: "No row holds" in screen_text(app))
        assert app.query_one(RowList).cursor == 1


async def test_a_row_by_chance_is_one_of_all_rows(workspace):
    async with opened(workspace, story(), (80, 24)) as (app, pilot):
        await rows_shown(app)
        rows, seen = app.query_one(RowList), set()
        for _ in range(12):
            await press(pilot, "a")
            seen.add(rows.cursor)
        assert len(seen) > 6
        assert all(0 <= row < 172 for row in seen)


async def test_a_row_is_copied_as_it_stands_in_the_file_and_a_view_as_it_is_shown(workspace, tmp_path):
    source = [{"messages": [{"role": "user", "content": "Salut ça"}, {"role": "assistant", "content": "va\n"}], "n": 3}]
    file = write_rows(tmp_path / "turns.jsonl", source * 3)
    async with opened(workspace, story(data={"source": file, "held_out": 0.0}), (120, 36)) as (app, pilot):
        await rows_shown(app)
        await press(pilot, "y")
        assert json.loads(app.clipboard) == source[0]
        await wait_for(lambda: "Row 1 as JSON is on the clipboard" in screen_text(app))
        row = app.query_one(RowList).row_at(0)
        assert json.loads(json_of(row)) == source[0]
        await press(pilot, "v", "v", "y")
        assert app.clipboard == row["rendered"]
        await press(pilot, "v", "y")
        assert json.loads(app.clipboard) == row["ids"]


async def test_rows_are_there_before_the_statistics_and_escape_stops_those(workspace, tmp_path):
    lines = (json.dumps({"prompt": f"Number {n}? " + "word " * 12, "completion": f"{n}. " * 9}) for n in range(60_000))
    file = tmp_path / "large.jsonl"
    file.write_text("\n".join(lines))
    async with opened(workspace, story(data={"source": str(file)}), (120, 36), read=False) as (app, pilot):
        await wait_for(lambda: app.query(RowList) and app.query_one(RowList).total, 60)
        await page_known(app)
        assert app.data_state.report is None
        assert "Number 0?" in text_of(app.query_one(RowList))
        await wait_for(lambda: app.data_state.share, 60)
        assert "of 60,000 rows" in screen_text(app)
        assert "Esc stops" in screen_text(app)
        await press(pilot, "down", "down", "pagedown")
        assert app.query_one(RowList).cursor > 2
        await press(pilot, "escape")
        await wait_for(lambda: app.data_state.stopped)
        await wait_for(lambda: "Reading was stopped" in screen_text(app))
        assert app.pane == "data"
        await press(pilot, "end")
        await wait_for(
            lambda: (row := app.query_one(RowList).row_at(59_999)) and "Number 59999?" in str(row["raw"]), 60
        )
        assert app.data_state.report is None


async def test_reading_that_was_stopped_is_begun_again_by_r(workspace):
    async with opened(workspace, story(), (80, 24)) as (app, pilot):
        await rows_shown(app)
        app.stop_reading()
        await wait_for(lambda: "Reading was stopped" in screen_text(app))
        await press(pilot, "r")
        await wait_for(lambda: app.data_state.report is not None and not app.data_state.stopped)
        await rows_shown(app)
        assert "Reading was stopped" not in screen_text(app)


async def test_keys_move_the_cursor_at_once_while_large_data_is_read(workspace, tmp_path):
    lines = (json.dumps({"prompt": f"Number {n}? " + "word " * 12, "completion": f"{n}. " * 9}) for n in range(60_000))
    file = tmp_path / "large.jsonl"
    file.write_text("\n".join(lines))
    async with opened(workspace, story(data={"source": str(file)}), (120, 36), read=False) as (app, pilot):
        await wait_for(lambda: app.query(RowList) and app.query_one(RowList).total, 60)
        await wait_for(lambda: app.data_state.share, 60)
        spent = []
        for _ in range(30):
            started = time.process_time()
            await press(pilot, "down")
            spent.append(time.process_time() - started)
        assert app.query_one(RowList).cursor == 30
        assert sorted(spent)[27] < 0.2
        await press(pilot, "escape")


async def test_the_views_never_show_another_row_than_the_one_under_the_cursor(workspace, tmp_path):
    file = write_rows(tmp_path / "many.jsonl", ({"prompt": f"Number {n}?", "completion": f"{n}."} for n in range(500)))
    async with opened(workspace, story(data={"source": file}), (120, 36)) as (app, pilot):
        await rows_shown(app)
        await press(pilot, "end")
        await wait_for(lambda: "Number 0?" not in words(app.query_one(RawView)))
        await wait_for(lambda: "Number 499?" in words(app.query_one(RawView)))


# letters


async def test_a_character_of_several_tokens_stands_there_once_with_all_their_ids(workspace, tmp_path):
    text = "عاصمة مصر 日本 👩‍👧"
    file = write_rows(tmp_path / "letters.jsonl", [{"prompt": text, "completion": text}] * 3)
    async with opened(workspace, story(data={"source": file, "held_out": 0.0}), (160, 45)) as (app, pilot):
        await rows_shown(app)
        row = app.query_one(RowList).row_at(0)
        shown = words(app.query_one(TokensView))
        assert "عاصمة مصر 日本" in shown
        assert "Ø" not in shown and "\ufffd" not in shown
        await press(pilot, "i")
        at = row["tokens"].index("日")
        assert row["tokens"][at - 1] == ""
        joined = "+".join(str(number) for number in row["ids"][at - 2 : at + 1])
        await wait_for(lambda: f"日 {joined} " in words(app.query_one(TokensView)))


@pytest.mark.parametrize(
    "text",
    ["plain words here", "عاصمة مصر", "日本の首都", "👩‍👩‍👧‍👦 and 🏳️‍🌈", "a\u200db\u0301 ", "<|user|> hi\n", "नमस्ते", ""],
)
def test_the_texts_of_tokens_make_up_the_whole_text(text):
    tokenizer = open_tokenizer(tiny_folder())
    ids, _ = tokenizer.encode(text)
    texts = tokenizer.texts(ids)
    assert len(texts) == len(ids)
    assert "".join(texts) == tokenizer.decode(ids) == text


async def test_figures_of_rows_line_up_whatever_letters_stand_before_them(workspace, tmp_path):
    prompts = ["plain", "ما هي عاصمة مصر؟", "日本の首都", "👩‍👩‍👧‍👦 🏳️‍🌈 ❤️", "e\u0301e\u0301", "नमस्ते", "ไทย"]
    file = write_rows(tmp_path / "letters.jsonl", [{"prompt": text, "completion": "yes it is"} for text in prompts])
    for size in ((120, 36), (60, 20)):
        async with opened(workspace, story(data={"source": file, "held_out": 0.0}), size) as (app, _):
            await rows_shown(app)
            rows = app.query_one(RowList)
            ends = set()
            for at in range(5):
                trained = str(sum(rows.row_at(at)["trained"]))
                line = rows.render_line(at).text
                ends.add(cell_len(line[: line.rindex(trained)]) + len(trained))
            assert len(ends) == 1


# keys and help


def test_every_action_of_the_pane_has_a_key_of_its_own_and_is_in_the_help():
    keys = [key for action in ACTIONS["data"] for key in action.keys]
    assert len(keys) == len(set(keys))
    assert not set(keys) & {key for action in ACTIONS["app"] for key in action.keys}
    said = explanation_of("data", None).plain
    assert all(action.help in said for action in ACTIONS["data"])


async def test_every_part_of_the_pane_explains_itself(workspace):
    async with opened(workspace, story(), (160, 45)) as (app, pilot):
        await rows_shown(app)
        for keys, sentence in (
            ((), "The rows of the data"),
            (("l",), "The slider below is data.max_length"),
            (("d",), "something the doctor found"),
            (("e",), "Which model and which data"),
            (("escape", "slash"), "Type what is asked for"),
        ):
            await press(pilot, *keys)
            await press(pilot, "f1")
            await wait_for(lambda: isinstance(app.screen, Explanation))
            assert sentence in app.screen.text.plain
            assert sentence.split()[0] in screen_text(app)
            await press(pilot, "escape")


async def test_escape_stops_the_reading_of_a_source_just_typed_and_nothing_of_the_old_one_is_shown(workspace, tmp_path):
    rows = ({"prompt": f"Number {n}? " + "word " * 12, "completion": f"{n}. " * 9} for n in range(60_000))
    file = write_rows(tmp_path / "large.jsonl", rows)
    async with opened(workspace, story(data={"leave_out": [4, "secret"], "filter": "len(output) > 0"}), (160, 45)) as (
        app,
        pilot,
    ):
        await rows_shown(app)
        field = app.query_one(SetUp).form.rows["data.source"].field
        field.focus()
        field.value = file
        await press(pilot, "enter")
        await wait_for(lambda: app.data_state.share, 60)
        assert (app.recipe.data.leave_out, app.recipe.data.filter) == (["secret"], None)
        await wait_for(lambda: "Number 0?" in text_of(app.query_one(RowList)))
        assert "172 rows" not in screen_text(app) and "alpaca" not in screen_text(app)
        assert field.has_focus
        await press(pilot, "escape")
        await wait_for(lambda: app.data_state.stopped)
        await wait_for(lambda: "Reading was stopped" in screen_text(app))
        await press(pilot, "escape")
        await wait_for(lambda: app.query_one(RowList).has_focus)
