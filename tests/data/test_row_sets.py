"""Where every row goes: each row in one of the uses, each finding with all of its rows, whatever their number."""

import json
import random

import pytest

from workbench.core.data.checks.findings import SHOWN
from workbench.core.data.checks.row_sets import USES, pack_rows, unpack_rows, unpack_sets
from workbench.core.data.clean import save_clean
from workbench.core.data.dataset import prepare_data
from workbench.core.data.inspect import inspect_data, list_rows, page_rows
from workbench.core.errors import UserError
from workbench.core.places import sample_folder, tiny_folder
from workbench.core.recipe import Recipe, change_recipe


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def asked(number, answer="It is what it is."):
    return {"instruction": f"Question {number} of many, and what is it for?", "output": answer}


OTHER = {"instruction": "Which river runs through Vienna and Budapest?", "output": "The Danube."}


def recipe_for(source, **data):
    return change_recipe(Recipe(), {"data.source": source, **{f"data.{name}": value for name, value in data.items()}})


def sets_of(recipe):
    return unpack_sets(inspect_data(recipe, tiny_folder(), sets=True)["row_sets"])


def test_row_numbers_are_the_same_after_packing_whatever_their_steps():
    chance = random.Random(7)
    for count in (0, 1, 2, 5000):
        rows = sorted(chance.sample(range(2_000_000), count))
        assert list(unpack_rows(pack_rows(rows))) == rows
    assert len(pack_rows(range(1_000_000))) < 40_000


def test_every_row_is_trained_on_or_held_out_or_left_out_and_never_two_of_them(tmp_path):
    rows = [asked(number) for number in range(60)]
    rows[3]["output"] = ""
    rows[9]["output"] = "word " * 300
    recipe = recipe_for(write(tmp_path / "rows.jsonl", rows), held_out=0.2, leave_out=[5, 6], max_length=100)
    sets, prepared = sets_of(recipe), prepare_data(recipe, tiny_folder())
    train, held_out, left_out = (set(sets[name].rows) for name in ("train", "held_out", "left_out"))
    assert train | held_out | left_out == set(range(60))
    assert len(train) + len(held_out) + len(left_out) == 60
    assert left_out == {3, 4, 5, 9}
    assert list(sets["cut"].rows) == [9]
    assert train == {item.row for item in prepared.train}
    assert held_out == {item.row for item in prepared.held_out}


def test_a_finding_with_more_rows_than_a_report_names_says_how_many_more_and_what_lists_them(tmp_path):
    rows = [asked(number) for number in range(50)] + [asked(0)] * 45
    source = write(tmp_path / "rows.jsonl", rows)
    report = inspect_data(recipe_for(source, held_out=0.0), tiny_folder())
    found = next(finding for finding in report["findings"] if finding["kind"] == "duplicate")
    assert (found["count"], found["rows"]) == (45, list(range(50, 50 + SHOWN)))
    assert found["more"] == 45 - SHOWN
    assert found["all_rows"] == f"workbench data rows {source} --of duplicate --json"
    listed = list_rows(recipe_for(source, held_out=0.0), tiny_folder(), "duplicate")
    assert listed == {"of": "duplicate", "file": source, "count": 45, "rows": list(range(50, 95))}
    assert list(sets_of(recipe_for(source, held_out=0.0))["duplicate"].rows) == listed["rows"]


def test_rows_of_findings_over_mixed_sources_stand_in_the_order_of_the_files(tmp_path):
    first = write(tmp_path / "first.jsonl", [asked(n, "word " * (400 if n % 3 == 0 else 4)) for n in range(30)])
    second = write(tmp_path / "second.jsonl", [asked(n + 100, "word " * (400 if n % 2 else 4)) for n in range(30)])
    recipe = recipe_for(first, mix={second: 1.0}, held_out=0.3, max_length=64)
    report = inspect_data(recipe, tiny_folder())
    assert report["findings"]
    for finding in report["findings"]:
        assert finding["rows"] == sorted(finding["rows"]), finding["kind"]
    expected = [n for n in range(30) if n % 3 == 0] + [30 + n for n in range(30) if n % 2]
    assert list(sets_of(recipe)["too_long"].rows) == expected


def test_rows_of_a_held_out_file_are_never_counted_among_those_of_the_source(tmp_path):
    source = write(tmp_path / "rows.jsonl", [asked(number) for number in range(30)])
    held = write(tmp_path / "held.jsonl", [asked(7), asked(99, "word " * 300), asked(98, ""), OTHER])
    recipe = recipe_for(source, held_out=held, max_length=64)
    sets = sets_of(recipe)
    assert (list(sets["train"].rows), sets["train"].of) == (list(range(30)), "source")
    assert (list(sets["held_out"].rows), sets["held_out"].of) == ([0, 3], "held_out")
    assert (list(sets["leak"].rows), sets["leak"].of) == ([0], "held_out")
    assert list(sets["held_out_too_long"].rows) == [1]
    assert list(sets["held_out_unusable"].rows) == [2]
    of_source = [item.rows for name, item in sets.items() if name not in USES and item.of == "source"]
    assert sorted(set().union(*of_source)) == list(sets["findings"].rows)
    assert not {"too_long", "no_answer"} & sets.keys()
    assert list_rows(recipe, tiny_folder(), "leak")["file"] == held
    page = page_rows(recipe, tiny_folder(), 0, 0, held_out=True, numbers=[3, 0])
    assert [(row["row"], row["raw"]["instruction"]) for row in page["rows"]] == [
        (3, OTHER["instruction"]),
        (0, asked(7)["instruction"]),
    ]


def test_an_unknown_name_of_rows_is_refused_with_the_names_there_are():
    with pytest.raises(UserError, match=r"There are no rows called 'nonsense'; there are train, held_out, cut"):
        list_rows(Recipe(), tiny_folder(), "nonsense")
    assert list_rows(Recipe(), tiny_folder(), "secret")["count"] == 0
    assert list_rows(Recipe(), tiny_folder())["counts"]["train"] == 155


def test_a_tree_of_messages_is_saved_clean_as_the_conversations_that_are_left(tmp_path):
    source = str(sample_folder() / "formats" / "oasst.jsonl")
    recipe = recipe_for(source, held_out=0.0)
    before = prepare_data(recipe, tiny_folder())
    saved = save_clean(change_recipe(recipe, {"data.leave_out": [1]}), tiny_folder(), tmp_path / "clean.jsonl")
    assert saved["format"] == "messages"
    assert saved["rows"] == len(before.train) - 1
    after = prepare_data(recipe_for(saved["path"], held_out=0.0), tiny_folder())
    assert after.report["format"] == "messages"
    assert [item.ids for item in after.train] == [item.ids for item in before.train if item.row != 0]
    parquet = save_clean(recipe, tiny_folder(), tmp_path / "clean.parquet")
    again = prepare_data(recipe_for(parquet["path"], held_out=0.0), tiny_folder())
    assert [item.ids for item in again.train] == [item.ids for item in before.train]


def test_mixed_formats_are_saved_as_messages_and_mixed_plain_text_is_refused_before_the_work(tmp_path):
    pairs = write(tmp_path / "pairs.jsonl", [asked(number) for number in range(4)])
    turns = [{"role": "user", "content": "Hello there?"}, {"role": "assistant", "content": "Good day to you."}]
    other = write(tmp_path / "turns.jsonl", [{"messages": turns}] * 2)
    recipe = recipe_for(pairs, mix={other: 1.0}, held_out=0.0)
    saved = save_clean(recipe, tiny_folder(), tmp_path / "clean.jsonl")
    assert (saved["rows"], saved["format"]) == (6, "messages")
    after = prepare_data(recipe_for(saved["path"], held_out=0.0), tiny_folder())
    assert [item.ids for item in after.train] == [item.ids for item in prepare_data(recipe, tiny_folder()).train]
    text = write(tmp_path / "text.jsonl", [{"text": "Once upon a time there was a fox."}])
    with pytest.raises(UserError, match="Plain text is mixed with conversations"):
        save_clean(recipe_for(pairs, mix={text: 1.0}, held_out=0.0), tiny_folder(), tmp_path / "other.jsonl")
