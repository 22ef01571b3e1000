"""The findings of the data pane: rows one key away, remedies that land in the recipe, undo, columns, the cleaned set."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from data_rows import page_known, rows_shown, write_rows
from driving import opened, press, screen_text, story, text_of, type_text
from waiting import wait_for

from workbench.app.glyphs import glyphs
from workbench.app.panes.data.columns import Columns
from workbench.app.panes.data.findings import Findings
from workbench.app.panes.data.rows import RowList
from workbench.app.panes.data.set_up import SetUp
from workbench.core.data.inspect import inspect_data
from workbench.core.places import sample_folder, tiny_folder

SECRET = "sk-ant-REDACTED1234567890abcdefghij"


def faulty(tmp_path, name="faulty.jsonl"):
    """Thirty sound rows; 4 and 8 repeat row 1, 11 repeats its prompt, 15 holds a key, 20 has no answer."""
    rows = [
        {"prompt": f"What is {n} and {n}, in words?", "completion": f"It makes {2 * n}, my friend."} for n in range(30)
    ]
    rows[3] = rows[7] = dict(rows[0])
    rows[10] = {"prompt": "Say these words of mine again", "completion": "Say these words of mine again"}
    rows[14] = {"prompt": "What is the key of the house?", "completion": f"The key is {SECRET} and no other."}
    rows[19] = {"prompt": "What is there to say about it?", "completion": ""}
    return write_rows(tmp_path / name, rows)


def faulty_story(tmp_path):
    return story(data={"source": faulty(tmp_path), "held_out": 0.0})


async def open_findings(app, pilot):
    await press(pilot, "d")
    await wait_for(lambda: app.query(Findings) and app.query_one(Findings).entries)
    return app.query_one(Findings)


async def light(app, pilot, words):
    """Move to the entry whose words hold these."""
    findings = app.query_one(Findings)
    at = next(place for place, entry in enumerate(findings.entries) if words in entry.words)
    findings.list.highlighted = at
    await pilot.pause()
    return findings.entries[at]


@pytest.mark.parametrize("size", [(160, 45), (80, 24), (60, 20)])
async def test_every_finding_has_its_count_its_severity_its_rows_and_its_remedy(workspace, tmp_path, size):
    async with opened(workspace, faulty_story(tmp_path), size) as (app, pilot):
        findings = await open_findings(app, pilot)
        report = app.data_state.report
        assert {entry.words for entry in findings.entries} == {
            finding["sentence"].removesuffix(f": {finding['count']:,}.").removesuffix(".")
            for finding in report["findings"]
        }
        severities = [entry.severity for entry in findings.entries]
        assert severities == sorted(severities, key=["error", "warning", "info"].index)
        warnings = severities.count("warning")
        assert f"{warnings} warnings" in text_of(findings)
        entry = await light(app, pilot, "key or password")
        assert entry.count == 1 and list(entry.trail.rows) == [14]
        await wait_for(lambda: "f Leave them out" in text_of(findings.list))
        lit = findings.list.get_option_at_index(findings.list.highlighted).prompt.plain
        assert " ".join(lit.split()).endswith("key or password of a service row 15 f Leave them out")


async def test_enter_on_a_finding_goes_to_its_rows_one_after_the_other(workspace, tmp_path):
    async with opened(workspace, faulty_story(tmp_path), (160, 45)) as (app, pilot):
        await open_findings(app, pilot)
        await light(app, pilot, "repeat an earlier row")
        rows = app.query_one(RowList)
        await press(pilot, "enter")
        await wait_for(lambda: rows.cursor == 3)
        await press(pilot, "enter")
        await wait_for(lambda: rows.cursor == 7)
        await wait_for(lambda: "2 of 2" in text_of(app.built["data"].trail_line))
        await press(pilot, "enter")
        await wait_for(lambda: rows.cursor == 3)


async def test_in_a_narrow_terminal_enter_leads_from_the_finding_to_its_row_and_n_goes_on(workspace, tmp_path):
    async with opened(workspace, faulty_story(tmp_path), (80, 24)) as (app, pilot):
        await open_findings(app, pilot)
        await light(app, pilot, "repeat an earlier row")
        await press(pilot, "enter")
        rows = app.query_one(RowList)
        await wait_for(lambda: rows.has_focus and rows.cursor == 3)
        assert not app.query_one(Findings).display
        await press(pilot, "n")
        assert rows.cursor == 7
        await press(pilot, "N")
        assert rows.cursor == 3
        await press(pilot, "escape")
        assert app.built["data"].trail is None


async def test_f_leaves_out_what_was_found_in_the_recipe_and_u_takes_it_back(workspace, tmp_path):
    recipe = faulty_story(tmp_path)
    source = recipe.data.source
    before = Path(source).read_bytes()
    async with opened(workspace, recipe, (160, 45)) as (app, pilot):
        await open_findings(app, pilot)
        await light(app, pilot, "key or password")
        trained = app.data_state.report["train_rows"]
        await press(pilot, "f")
        await wait_for(lambda: app.recipe.data.leave_out == ["secret"])
        await wait_for(lambda: app.data_state.report["train_rows"] == trained - 1)
        assert app.data_state.report == inspect_data(app.recipe, tiny_folder(), sets=True)
        await wait_for(lambda: "1 left out" in text_of(app.query_one(Findings)))
        await press(pilot, "u")
        await wait_for(lambda: app.recipe.data.leave_out == [])
        await wait_for(lambda: app.data_state.report["train_rows"] == trained)
    assert Path(source).read_bytes() == before


async def test_what_is_left_out_is_listed_and_taken_again_by_the_same_key(workspace, tmp_path):
    recipe = story(
        data={"source": faulty(tmp_path), "held_out": 0.0, "leave_out": ["secret", 3], "duplicates": "first"}
    )
    async with opened(workspace, recipe, (160, 45)) as (app, pilot):
        findings = await open_findings(app, pilot)
        assert [(entry.count, entry.words.split()[0]) for entry in findings.entries if entry.severity == "out"] == [
            (1, "Rows"), (2, "Rows"), (1, "Rows"),
        ]  # fmt: skip
        await light(app, pilot, "key or password")
        await press(pilot, "f")
        await wait_for(lambda: app.recipe.data.leave_out == [3])
        await wait_for(lambda: not app.data_state.busy)
        await light(app, pilot, "by their numbers")
        await press(pilot, "f")
        await wait_for(lambda: app.recipe.data.leave_out == [])


async def test_remedies_and_undo_are_done_by_mouse_too(workspace, tmp_path):
    async with opened(workspace, faulty_story(tmp_path), (160, 45)) as (app, pilot):
        await pilot.click("#side > ViewNames", offset=(10, 0))
        findings = await wait_for(lambda: app.query(Findings) and app.query_one(Findings))
        await wait_for(lambda: findings.entries)
        await light(app, pilot, "repeat an earlier row")
        await wait_for(lambda: "Fix (f)" in text_of(findings))
        await pilot.click("#fix")
        await wait_for(lambda: app.recipe.data.duplicates == "first")
        await wait_for(lambda: not findings.undo_button.disabled)
        await pilot.click("#undo")
        await wait_for(lambda: app.recipe.data.duplicates == "keep")


async def test_x_leaves_one_row_out_and_takes_it_again(workspace, tmp_path):
    async with opened(workspace, faulty_story(tmp_path), (120, 36)) as (app, pilot):
        await rows_shown(app)
        await press(pilot, "down", "x")
        await wait_for(lambda: app.recipe.data.leave_out == [2])
        await wait_for(lambda: "left out" in text_of(app.query_one(RowList)).split("\n")[1])
        await wait_for(lambda: "data.leave_out names it" in text_of(app.built["data"].trail_line))
        await press(pilot, "x")
        await wait_for(lambda: app.recipe.data.leave_out == [])
        await wait_for(lambda: "left out" not in text_of(app.query_one(RowList)).split("\n")[1])


async def test_undo_goes_back_step_by_step_through_all_changes_to_the_data(workspace):
    async with opened(workspace, story(), (120, 36)) as (app, pilot):
        await rows_shown(app)
        await press(pilot, "u")
        assert app.recipe == story()
        app.edit({"data.train_on": "everything"})
        app.edit({"data.template": "chatml", "data.max_length": 64})
        await pilot.pause()
        await press(pilot, "u")
        assert (app.recipe.data.train_on, app.recipe.data.template, app.recipe.data.max_length) == (
            "everything", "auto", 512,
        )  # fmt: skip
        await press(pilot, "u")
        assert app.recipe == story()


async def test_nothing_of_a_recipe_that_was_open_before_is_brought_back_by_undo(workspace):
    async with opened(workspace, story(), (120, 36)) as (app, pilot):
        await rows_shown(app)
        app.edit({"data.max_length": 64})
        assert app.open_recipe(str(sample_folder() / "capitals.yaml"))
        await wait_for(lambda: not app.data_state.busy and app.data_state.report is not None)
        opened_now = app.recipe
        assert isinstance(opened_now.data.held_out, str)
        await press(pilot, "u")
        assert app.recipe == opened_now


async def test_data_without_a_finding_says_what_was_looked_for(workspace):
    async with opened(workspace, story(), (80, 24)) as (app, pilot):
        await press(pilot, "d")
        await wait_for(lambda: "No finding" in screen_text(app))
        assert "secrets" in screen_text(app)
        await press(pilot, "f")
        await wait_for(lambda: "No finding" in screen_text(app))
        assert app.recipe == story()


async def test_rows_with_findings_are_marked_in_the_list(workspace, tmp_path):
    async with opened(workspace, faulty_story(tmp_path), (120, 36)) as (app, _):
        await rows_shown(app)
        lines = text_of(app.query_one(RowList)).split("\n")
        assert [line.split()[1] for line in lines[2:4]] == ["What", glyphs().dot]


# columns


async def test_columns_that_no_format_fits_are_mapped_by_hand_and_the_mapping_is_in_the_recipe(workspace, tmp_path):
    source = write_rows(
        tmp_path / "own.jsonl", [{"frage": f"Wie viel ist {n}?", "antwort": f"{n}."} for n in range(20)]
    )
    async with opened(workspace, story(data={"source": source}), (80, 24), read=False) as (app, pilot):
        await wait_for(lambda: "none says which is the answer" in app.data_state.problem, 60)
        await wait_for(lambda: "says which column is the prompt" in screen_text(app))
        await press(pilot, "m")
        await wait_for(lambda: isinstance(app.screen, Columns))
        assert "Choose a column for prompt" in screen_text(app)
        await press(pilot, "right", "down", "right", "right")
        assert app.screen.mapping == {"prompt": "frage", "answer": "antwort"}
        assert "Wie viel ist" in screen_text(app)
        await pilot.click("#take")
        await wait_for(lambda: app.recipe.data.mapping == {"prompt": "frage", "answer": "antwort"})
        await wait_for(lambda: app.data_state.report is not None and app.data_state.report["rows"] == 20)
        await page_known(app)
        assert "Wie viel ist 0?" in text_of(app.query_one(RowList))


async def test_a_mapping_that_cannot_be_is_not_taken_and_detection_is_one_press_away(workspace, tmp_path):
    recipe = story(data={"source": "capitals", "mapping": {"prompt": "output", "answer": "instruction"}})
    async with opened(workspace, recipe, (120, 36)) as (app, pilot):
        await press(pilot, "m")
        await wait_for(lambda: isinstance(app.screen, Columns))
        assert app.screen.mapping == {"prompt": "output", "answer": "instruction"}
        await press(pilot, "left")
        await wait_for(lambda: "two roles" in screen_text(app))
        assert app.screen.query_one("#take").disabled
        await pilot.click("#detect")
        await wait_for(lambda: app.recipe.data.mapping == {})


async def test_the_set_up_says_how_the_data_was_read_and_warns_of_a_foreign_template(workspace):
    async with opened(workspace, story(), (160, 45)) as (app, pilot):
        await wait_for(
            lambda: "it has the columns instruction and output" in " ".join(text_of(app.query_one(SetUp)).split())
        )
        field = app.query_one(SetUp).form.rows["data.template"].field
        field.focus()
        await press(pilot, "enter")
        await wait_for(lambda: "ChatML" in screen_text(app))
        await press(pilot, "down", "enter")
        await wait_for(lambda: app.recipe.data.template == "chatml")
        await wait_for(lambda: "is not the model's own" in " ".join(text_of(app.query_one(SetUp)).split()))


async def test_the_columns_are_offered_for_sharing_out_the_held_out_rows(workspace):
    async with opened(workspace, story(data={"source": "sentiment"}), (160, 45)) as (app, _):
        await wait_for(lambda: app.query(SetUp))
        field = app.query_one(SetUp).form.rows["data.held_out_by"].field
        await wait_for(lambda: set(app.data_state.report["columns"]) <= set(field.suggestions))
        assert {"random", "clusters"} <= set(field.suggestions)


async def test_the_subsets_and_splits_of_a_folder_are_chosen_from_a_list(workspace, tmp_path):
    for subset, letter in (("easy", "a"), ("hard", "b")):
        for split in ("train", "test"):
            (tmp_path / "own" / subset).mkdir(parents=True, exist_ok=True)
            rows = [{"prompt": f"{letter} {split} {n}?", "completion": f"{n}."} for n in range(12)]
            write_rows(tmp_path / "own" / subset / f"{split}.jsonl", rows)
    recipe = story(data={"source": str(tmp_path / "own"), "subset": "hard"})
    async with opened(workspace, recipe, (160, 45)) as (app, pilot):
        form = (await wait_for(lambda: app.query(SetUp) and app.query_one(SetUp))).form
        subset, split = form.rows["data.subset"].field, form.rows["data.split"].field
        split.focus()
        await wait_for(lambda: set(split.suggestions) == {"train", "test"})
        assert set(subset.suggestions) == {"easy", "hard"}
        await press(pilot, "enter")
        await press(pilot, *["down"] * list(split.suggestions).index("test"), "enter")
        await wait_for(lambda: app.recipe.data.split == "test")
        await wait_for(lambda: app.data_state.report is not None and not app.data_state.busy)
        await wait_for(lambda: "b test 0?" in text_of(app.query_one(RowList)))


# the cleaned set


@pytest.mark.parametrize("ending", ["jsonl", pytest.param("parquet", marks=pytest.mark.slow)])
async def test_the_rows_that_are_left_are_saved_to_a_file_of_their_own(workspace, tmp_path, ending):
    recipe = story(data={"source": faulty(tmp_path), "held_out": 0.1, "leave_out": ["secret"], "duplicates": "first"})
    to = tmp_path / f"clean.{ending}"
    async with opened(workspace, recipe, (120, 36)) as (app, pilot):
        await rows_shown(app)
        await press(pilot, "k")
        await wait_for(lambda: app.built["data"].ask_line.input.has_focus)
        assert app.built["data"].ask_line.input.value == "faulty.clean.jsonl"
        app.built["data"].ask_line.input.value = ""
        await type_text(pilot, str(to))
        await press(pilot, "enter")
        await wait_for(to.exists, 60)
        await wait_for(lambda: "26 of 30 rows are in" in " ".join(screen_text(app).split()))
        assert app.query_one(RowList).has_focus
    if ending == "jsonl":
        saved = [json.loads(line) for line in to.read_text(encoding="utf-8").splitlines()]
    else:
        from pyarrow import parquet

        saved = parquet.read_table(to).to_pylist()
    assert len(saved) == 26
    assert not any(SECRET in row["completion"] for row in saved)


async def test_a_tree_of_messages_is_saved_as_the_conversations_that_are_left(workspace, tmp_path):
    recipe = story(data={"source": str(sample_folder() / "formats" / "oasst.jsonl"), "held_out": 0.0, "leave_out": [1]})
    to = tmp_path / "clean.jsonl"
    async with opened(workspace, recipe, (120, 36)) as (app, pilot):
        await rows_shown(app)
        left = app.data_state.report["train_rows"]
        await press(pilot, "k")
        ask = app.built["data"].ask_line
        await wait_for(lambda: "conversations that are left, as messages" in text_of(ask))
        ask.input.value = str(to)
        await press(pilot, "enter")
        await wait_for(to.exists, 60)
        await wait_for(lambda: "each a row of messages" in " ".join(screen_text(app).split()))
    saved = [json.loads(line) for line in to.read_text(encoding="utf-8").splitlines()]
    assert len(saved) == left
    assert all({"user", "assistant"} <= {turn["role"] for turn in row["messages"]} for row in saved)


async def test_plain_text_mixed_with_conversations_is_refused_before_a_file_is_asked_for(workspace, tmp_path):
    text = write_rows(tmp_path / "text.jsonl", [{"text": f"Once upon a time there were {n} foxes."} for n in range(9)])
    async with opened(workspace, story(data={"source": faulty(tmp_path), "mix": {text: 1.0}}), (120, 36)) as (
        app,
        pilot,
    ):
        await rows_shown(app)
        await press(pilot, "k")
        await wait_for(lambda: "no format holds both" in " ".join(screen_text(app).split()))
        assert not app.built["data"].ask_line.about


async def test_a_file_that_is_there_already_is_not_written_over(workspace, tmp_path):
    to = tmp_path / "there.jsonl"
    to.write_text("mine\n")
    async with opened(workspace, faulty_story(tmp_path), (120, 36)) as (app, pilot):
        await rows_shown(app)
        await press(pilot, "k")
        app.built["data"].ask_line.input.value = str(to)
        await press(pilot, "enter")
        await wait_for(lambda: "There is already a file" in screen_text(app))
    assert to.read_text() == "mine\n"
