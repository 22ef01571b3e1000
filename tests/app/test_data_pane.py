"""The data pane: rows, their three views, what is trained on, the set-up, and data that is wrong."""

from __future__ import annotations

import pytest
from data_rows import rows_shown, words, write_rows
from driving import opened, press, screen_text, story, text_of, type_text
from textual.widgets import Input
from waiting import wait_for

from workbench.app.panes.data.rows import KEPT, PAGE, RowList, row_text
from workbench.app.panes.data.set_up import SetUp
from workbench.app.panes.data.views import ConversationView, RawView, TokensView, token_kinds
from workbench.app.widgets.drawn import Drawn
from workbench.app.widgets.fields import ChoiceField
from workbench.app.widgets.knob_row import KnobRow


def underlined(view) -> str:
    """What is drawn bold and underlined in a view, which is what is trained on."""
    strips = view.query_one(Drawn).render_lines(view.query_one(Drawn).size.region)
    return "".join(
        segment.text
        for line in strips
        for segment in line
        if segment.style and segment.style.underline and segment.style.bold
    )


@pytest.mark.parametrize("size", [(160, 45), (120, 36), (80, 24), (60, 20)])
async def test_the_sample_shows_its_rows_its_figures_and_what_is_trained_on(workspace, size):
    async with opened(workspace, story(), size) as (app, _):
        await rows_shown(app)
        report = app.data_state.report
        shown = text_of(app.built["data"])
        assert f"{report['rows']} rows" in shown
        assert report["format"] in shown
        row = app.query_one(RowList).row_at(0)
        if size[0] >= 80:  # narrower, the line of a row has room for the question only
            await wait_for(lambda: row["messages"][-1]["content"] in text_of(app.built["data"]))
        trained = [
            token for token, kind in zip(row["tokens"], token_kinds(row, False), strict=True) if kind == "trained"
        ]
        view = app.query_one(TokensView)
        await wait_for(lambda: underlined(view).replace("trained", "", 1).strip() == "".join(trained).strip())


async def test_the_three_views_stand_side_by_side_in_a_wide_terminal(workspace):
    async with opened(workspace, story(), (120, 36)) as (app, _):
        await rows_shown(app)
        assert {"In the file", "Rendered", "Tokens"} <= {
            title for view in (RawView, ConversationView, TokensView) if (title := app.query_one(view).border_title)
        }
        assert "instruction" in words(app.query_one(RawView))
        assert "<|user|>" in words(app.query_one(ConversationView))
        row = app.query_one(RowList).row_at(0)
        assert f"trained {sum(row['trained'])}" in words(app.query_one(TokensView))


async def test_v_switches_the_view_in_a_narrow_terminal_and_a_click_does_too(workspace):
    async with opened(workspace, story(), (80, 24)) as (app, pilot):
        await rows_shown(app)
        assert app.query_one(TokensView).display and not app.query_one(RawView).display
        await press(pilot, "v")
        assert app.query_one(RawView).display and not app.query_one(TokensView).display
        await pilot.click("#seen > ViewNames", offset=(18, 0))
        await wait_for(lambda: app.query_one(ConversationView).display)


async def test_the_cursor_moves_by_keys_and_by_mouse_and_the_views_follow(workspace):
    async with opened(workspace, story(), (120, 36)) as (app, pilot):
        await rows_shown(app)
        rows = app.query_one(RowList)
        await press(pilot, "down", "down")
        assert rows.cursor == 2
        await wait_for(lambda: rows.row_at(2)["raw"]["output"] in words(app.query_one(RawView)))
        await pilot.click(RowList, offset=(12, 5))
        await wait_for(lambda: rows.cursor == 5)
        await wait_for(lambda: rows.row_at(5)["raw"]["output"] in words(app.query_one(RawView)))
        await press(pilot, "end")
        assert rows.cursor == rows.total - 1
        await wait_for(lambda: rows.row_at(rows.total - 1) is not None)
        await press(pilot, "home")
        assert rows.cursor == 0


async def test_i_shows_the_ids_of_the_tokens(workspace):
    async with opened(workspace, story(), (120, 36)) as (app, pilot):
        await rows_shown(app)
        row = app.query_one(RowList).row_at(0)
        assert f" {row['ids'][2]} " not in words(app.query_one(TokensView))
        await press(pilot, "i")
        await wait_for(lambda: f" {row['ids'][2]} " in words(app.query_one(TokensView)))


async def test_fifty_thousand_rows_are_fetched_by_the_page_only(workspace, tmp_path):
    source = write_rows(
        tmp_path / "many.jsonl", ({"prompt": f"Number {n}?", "completion": f"{n}."} for n in range(50_000))
    )
    async with opened(workspace, story(data={"source": source}), (120, 36)) as (app, pilot):
        rows = app.query_one(RowList)
        await wait_for(lambda: rows.total == 50_000, 60)
        await rows_shown(app)
        await press(pilot, "end")
        await wait_for(lambda: rows.row_at(49_999) is not None, 60)
        assert "Number 49999?" in row_text(rows.row_at(49_999))
        assert "Number 49999?" in text_of(rows)
        assert len(rows._pages) <= 4
        assert KEPT * PAGE < 50_000


async def test_text_in_the_data_is_shown_and_never_obeyed(workspace, tmp_path):
    nasty = (
        "[bold red]loud[/] [@click=app.quit]x[/] \x1b[2J\x1b]0;title\x07 \x00 \u202eback\u2066 \x9b31m end\r\nnext\tone"
    )
    source = write_rows(
        tmp_path / "nasty.jsonl", [{"prompt": nasty, "completion": nasty}, {"prompt": "a", "completion": "b"}]
    )
    async with opened(workspace, story(data={"source": source, "held_out": 0.0}), (120, 36)) as (app, pilot):
        await rows_shown(app)
        await pilot.pause()
        shown = screen_text(app)
        for letter in "\x1b\x07\x00\x9b\r\t\u202e\u2066":
            assert letter not in shown
        assert "[bold red]loud[/] [@click=app.quit]x[/]" in " ".join(words(app.query_one(RawView)).split())
        assert "\\x1b[2J" in words(app.query_one(RawView))
        assert "\\u202e" in words(app.query_one(TokensView)) or "\\u202e" in words(app.query_one(ConversationView))
        assert app.is_running


async def test_right_to_left_and_wide_letters_and_pictures_do_not_break_the_lines(workspace, tmp_path):
    rows = [
        {"prompt": "ما هي عاصمة مصر؟", "completion": "القاهرة"},
        {"prompt": "日本の首都はどこですか。" * 9, "completion": "東京です。"},
        {"prompt": "👩‍👩‍👧‍👦 🏳️‍🌈 e\u0301e\u0301", "completion": "नमस्ते"},
    ]
    source = write_rows(tmp_path / "letters.jsonl", rows)
    for size in ((120, 36), (60, 20)):
        async with opened(workspace, story(data={"source": source, "held_out": 0.0}), size) as (app, pilot):
            await rows_shown(app)
            for _ in rows:
                await press(pilot, "down")
            strips = app.screen._compositor.render_strips()
            assert {strip.cell_length for strip in strips} == {size[0]}


async def test_tokens_beyond_the_longest_row_are_struck_and_counted(workspace):
    recipe = story(data={"source": "capitals", "max_length": 11, "over_length": "cut_right"})
    async with opened(workspace, recipe, (120, 36)) as (app, _):
        await rows_shown(app)
        row = app.query_one(RowList).row_at(0)
        assert row["cut"] > 0
        assert f"cut {row['cut']}" in words(app.query_one(TokensView))
        assert token_kinds(row, False)[-1] == "cut"
        assert "longer than 11" in text_of(app.built["data"])


async def test_rows_without_an_answer_are_listed_with_the_reason(workspace, tmp_path):
    source = write_rows(
        tmp_path / "gaps.jsonl",
        [
            {"question": "One?", "answer": "Yes."},
            {"question": "Two?", "answer": ""},
            {"question": "Three?", "answer": "No."},
        ],
    )
    async with opened(workspace, story(data={"source": source, "held_out": 0.0}), (120, 36)) as (app, pilot):
        await rows_shown(app)
        assert "Rows left out, each because it has no answer: 1" in text_of(app.built["data"])
        assert "it has no answer" in text_of(app.query_one(RowList)).split("\n")[1]
        await press(pilot, "down")
        await wait_for(lambda: "Left out" in words(app.query_one(TokensView)))


# the set-up


async def test_the_set_up_opens_and_closes_and_changes_what_is_trained_on(workspace):
    async with opened(workspace, story(), (80, 24)) as (app, pilot):
        await rows_shown(app)
        before = app.data_state.report["trained_tokens"]
        await press(pilot, "e")
        await wait_for(lambda: app.query(SetUp) and app.query_one(SetUp).display)
        form = app.query_one(SetUp).form
        form.rows["data.train_on"].field.focus()
        await press(pilot, "minus")
        await wait_for(lambda: app.recipe.data.train_on == "everything")
        await wait_for(lambda: app.data_state.report["trained_tokens"] > before)
        await press(pilot, "escape")
        assert not app.query_one(SetUp).display
        assert app.query_one(RowList).has_focus


async def test_a_sample_is_chosen_from_the_list_and_brings_its_held_out_file(workspace):
    async with opened(workspace, story(), (160, 45)) as (app, pilot):
        await press(pilot, "e")
        assert isinstance(app.focused, ChoiceField)
        await press(pilot, "enter")
        await wait_for(lambda: "sentiment" in screen_text(app))
        at = app.focused.highlighted
        steps = [app.query_one(SetUp).sample.choices.index("sentiment") - at]
        await press(pilot, *(["down"] * max(0, steps[0]) + ["up"] * max(0, -steps[0])), "enter")
        await wait_for(lambda: app.recipe.data.source == "sentiment")
        assert str(app.recipe.data.held_out).endswith("sentiment.held_out.jsonl")
        await wait_for(lambda: app.data_state.report["source"] == "sentiment")


async def test_a_path_to_ones_own_data_counts_on_enter_and_begins_anew(workspace, tmp_path):
    source = write_rows(tmp_path / "own.jsonl", [{"question": f"{n}?", "answer": f"{n}"} for n in range(20)])
    async with opened(workspace, story(data={"source": "capitals", "format": "alpaca"}), (160, 45)) as (app, pilot):
        await wait_for(lambda: app.query(SetUp))
        field = app.query_one(SetUp).form.rows["data.source"].field
        field.focus()
        field.value = ""
        await type_text(pilot, source)
        assert app.recipe.data.source == "capitals"
        await press(pilot, "enter")
        await wait_for(lambda: app.recipe.data.source == source)
        assert app.recipe.data.format == "auto"
        await wait_for(lambda: app.data_state.report["rows"] == 20)


async def test_a_path_to_nothing_is_refused_on_its_line_and_the_old_one_stays(workspace):
    async with opened(workspace, story(), (160, 45)) as (app, pilot):
        await wait_for(lambda: app.query(SetUp))
        row = app.query_one(SetUp).form.rows["data.source"]
        row.field.focus()
        row.field.value = "nowhere/at/all.json"
        await press(pilot, "enter")
        assert "There is no data at nowhere/at/all.json" in row.wrong
        assert "There is no data at" in text_of(app.query_one(SetUp))
        assert app.recipe.data.source == "capitals"
        await press(pilot, "escape")
        assert row.field.value == "capitals"
        assert row.wrong == ""


async def test_a_model_that_is_none_is_refused_on_its_line(workspace, tmp_path):
    (tmp_path / "pickles").mkdir()
    (tmp_path / "pickles" / "config.json").write_text("{}")
    (tmp_path / "pickles" / "pytorch_model.bin").write_bytes(b"x")
    async with opened(workspace, story(), (160, 45)) as (app, pilot):
        await wait_for(lambda: app.query(SetUp))
        row = app.query_one(SetUp).form.rows["model.path"]
        row.field.focus()
        row.field.value = str(tmp_path / "pickles")
        await press(pilot, "enter")
        assert "pickles only" in row.wrong
        assert app.recipe.model.path == "tiny"


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("empty.json", b"", "is empty"),
        ("broken.json", b'[{"instruction": "a", ', "is not valid JSON"),
        ("not.parquet", b"PK\x03\x04 no parquet at all", "is not a whole .parquet file"),
        ("picture.csv", b"\x89PNG\r\n\x1a\n\x00\x00", "is not UTF-8 text"),
        ("columns.jsonl", b'{"colour": "red", "size": 3}\n', "none says which is the answer"),
    ],
)
async def test_a_file_that_is_not_what_it_should_be_gets_one_sentence_and_can_be_read_again(
    workspace, tmp_path, name, content, sentence
):
    file = tmp_path / name
    file.write_bytes(content)
    async with opened(workspace, story(data={"source": str(file)}), (120, 36), read=False) as (app, pilot):
        await wait_for(lambda: app.data_state.problem, 60)
        await pilot.pause()
        shown = " ".join(text_of(app.built["data"]).replace("│", " ").split())
        assert sentence in shown
        assert "Traceback" not in shown
        await press(pilot, "s")
        assert not list(workspace.runs.iterdir()), "a run that would fail at once is not started"
        file.unlink()
        good = write_rows(
            tmp_path / name.replace(name.split(".")[-1], "jsonl"), [{"question": "a?", "answer": "b"}] * 4
        )
        if good == str(file):
            await press(pilot, "r")
            await wait_for(lambda: app.data_state.report is not None)


async def test_a_template_that_cannot_render_gets_one_sentence(workspace, tmp_path):
    template = tmp_path / "broken.jinja"
    template.write_text("{{ messages[99].content.nothing }}")
    async with opened(workspace, story(data={"source": "capitals", "template": str(template)}), read=False) as (app, _):
        await wait_for(lambda: app.data_state.problem, 60)
        assert "cannot render" in app.data_state.problem


async def test_the_helper_killed_in_the_middle_is_said_and_the_next_reading_starts_another(workspace):
    import psutil

    async with opened(workspace, story(), (120, 36)) as (app, pilot):
        await rows_shown(app)
        first = app.helper.pid
        psutil.Process(first).kill()
        await wait_for(lambda: app.helper.pid is None)
        await press(pilot, "r")
        await wait_for(lambda: app.helper.pid not in (None, first))
        await wait_for(lambda: app.data_state.report is not None and not app.data_state.busy)
        assert not app.data_state.problem


async def test_the_first_half_of_the_loop_by_keyboard_alone(workspace):
    async with opened(workspace, story(), (80, 24)) as (app, pilot):
        await rows_shown(app)
        await press(pilot, "down", "v", "v", "v")
        await press(pilot, "2")
        await wait_for(lambda: app.pane == "method")
        await press(pilot, "up", "enter")
        await wait_for(lambda: app.recipe.method.name == "full")
        await press(pilot, "down", "enter")
        await wait_for(lambda: app.recipe.method.name == "lora")
        before = app.estimate.reserved
        await press(pilot, "tab", "plus", "plus")
        await wait_for(lambda: app.recipe.method.knobs["rank"] == 32)
        assert app.estimate.reserved > before
        await press(pilot, "f4")
        await wait_for(lambda: app.pane == "memory")
        assert "Parts of the peak" in screen_text(app)
        assert isinstance(app.focused, object) and not isinstance(app.focused, Input)


async def test_the_first_half_of_the_loop_by_mouse_alone(workspace):
    async with opened(workspace, story(), (120, 36)) as (app, pilot):
        await rows_shown(app)
        await pilot.click(RowList, offset=(12, 3))
        await wait_for(lambda: app.query_one(RowList).cursor == 3)
        tabs = app.query_one("PaneTabs")
        await pilot.click("PaneTabs", offset=(tabs.places()["method"][0] + 2, 0))
        await wait_for(lambda: app.pane == "method" and "memory" in app.built)
        await pilot.pause()
        await pilot.click("MethodList", offset=(5, 0))
        await wait_for(lambda: app.recipe.method.name == "full")
        await pilot.click("MethodList", offset=(5, 1))
        await wait_for(lambda: app.recipe.method.name == "lora")
        rank = await wait_for(lambda: next((row for row in app.query(KnobRow) if row.key == "method.rank"), None))
        await wait_for(lambda: "+" in text_of(rank))
        await pilot.pause()
        plus = text_of(rank).split("\n")[0].index("+")
        await pilot.click(rank, offset=(plus, 0))
        await wait_for(lambda: app.recipe.method.knobs["rank"] == 16)
        await pilot.click(rank, offset=(plus - 2, 0))
        await wait_for(lambda: app.recipe.method.knobs["rank"] == 8)
