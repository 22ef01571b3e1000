"""Rows that hold a text, found over the whole set."""

import asyncio
import csv
import json

import pyarrow
import pyarrow.feather
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.core.data.files.sources import read_table
from workbench.core.data.inspect import page_rows
from workbench.core.data.search import holds, search_rows
from workbench.core.errors import UserError
from workbench.core.helper import Helper
from workbench.core.places import Workspace, tiny_folder
from workbench.core.recipe import Recipe, change_recipe, recipe_to_mapping

ROWS = [
    {"instruction": "Capital of France?", "output": "Paris."},
    {"instruction": "Größte Stadt?", "output": "ISTANBUL"},
    {"instruction": "A tab\tand a \\ slash", "output": "ok", "more": {"deep": ["found here", 7]}},
    {"instruction": "paris again", "output": "no"},
]


def recipe_for(tmp_path, rows=ROWS, ascii=True):
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row, ensure_ascii=ascii) + "\n" for row in rows), encoding="utf-8")
    return change_recipe(Recipe(), {"data.source": str(file)})


@pytest.mark.parametrize("ascii", [True, False])
@pytest.mark.parametrize(
    ("text", "rows"),
    [("PARIS", [0, 3]), ("größte", [1]), ("istanbul", [1]), ("\tand", [2]), ("\\ s", [2]), ("found", [2]), ("7", [2]), ("nowhere", []), ("instruction", [])],
)  # fmt: skip
def test_values_are_searched_however_they_are_written(tmp_path, ascii, text, rows):
    assert search_rows(recipe_for(tmp_path, ascii=ascii), text) == {"rows": rows, "total": len(rows), "searched": 4}


def test_a_search_goes_on_from_a_row_counts_all_and_names_ten_thousand(tmp_path):
    recipe = recipe_for(tmp_path, [{"instruction": "same", "output": str(number)} for number in range(12_000)])
    found = search_rows(recipe, "same")
    assert (len(found["rows"]), found["total"]) == (10_000, 12_000)
    assert search_rows(recipe, "same", 11_990)["rows"] == list(range(11_990, 12_000))
    with pytest.raises(UserError, match="nothing to search for"):
        search_rows(recipe, "")


def test_every_source_is_searched_and_a_bad_row_holds_nothing(tmp_path):
    recipe = recipe_for(tmp_path)
    (tmp_path / "more.jsonl").write_text(
        '{"instruction": "a", "output": "b"}\nparis\n{"instruction": "Paris", "output": "b"}\n'
    )
    mixed = change_recipe(recipe, {"data.mix": {"more.jsonl": 0.5}, "data.on_bad_row": "skip"})
    assert search_rows(mixed, "paris")["rows"] == [0, 3, 6]


TEXTS = st.text(st.sampled_from('aAbäÄßſK\\"\n\t/1{'), max_size=6)


@settings(max_examples=150, deadline=2000)
@given(st.lists(TEXTS, min_size=1, max_size=4), TEXTS.filter(bool), st.booleans())
def test_lines_that_are_not_parsed_hold_nothing(tmp_path_factory, values, text, ascii):
    file = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    file.write_text(
        "".join(json.dumps({"output": value, "instruction": "x"}, ensure_ascii=ascii) + "\n" for value in values),
        "utf-8",
    )
    found = search_rows(change_recipe(Recipe(), {"data.source": str(file)}), text)["rows"]
    assert found == [number for number, row in enumerate(read_table(str(file)).rows) if holds(row, text.lower())]


@pytest.mark.parametrize("kind", ["parquet", "csv", "arrow", "nested.parquet"])
@pytest.mark.parametrize("text", ["paris", "ÖSSTE", "stanbul", "nowhere", "K", "found"])
def test_tables_are_searched_like_lines(tmp_path, kind, text):
    rows = [
        {"instruction": row["instruction"], "output": row["output"] if number else None}
        for number, row in enumerate(ROWS)
    ]
    rows += [{"instruction": "\u212aelvin İ", "output": ""}] * 3000
    file = tmp_path / f"rows.{kind}"
    if kind == "csv":
        with file.open("w", newline="", encoding="utf-8") as out:
            writer = csv.DictWriter(out, ["instruction", "output"])
            writer.writeheader()
            writer.writerows(rows)
    else:
        if kind == "nested.parquet":
            rows = [{**row, "more": [{"deep": "found"}]} for row in rows]
        table = pyarrow.Table.from_pylist(rows)
        write = pyarrow.feather.write_feather if kind == "arrow" else pyarrow.parquet.write_table
        write(table, file)
    found = search_rows(change_recipe(Recipe(), {"data.source": str(file)}), text)
    assert found["rows"] == [
        number for number, row in enumerate(read_table(str(file)).rows) if holds(row, text.lower())
    ]


def test_a_file_that_has_changed_is_read_again(tmp_path):
    recipe = recipe_for(tmp_path)
    assert search_rows(recipe, "paris")["total"] == 2
    assert len(page_rows(recipe, tiny_folder(), 0, 9)["rows"]) == 4
    recipe_for(tmp_path, [*ROWS, ROWS[0]])
    assert search_rows(recipe, "paris")["total"] == 3
    assert len(page_rows(recipe, tiny_folder(), 0, 9)["rows"]) == 5


async def test_the_helper_searches_with_progress_and_can_be_stopped(tmp_path):
    recipe = recipe_to_mapping(recipe_for(tmp_path, [{"instruction": "a", "output": str(n)} for n in range(300_000)]))
    seen = []
    async with Helper(Workspace(tmp_path / "home")) as helper:
        found = await helper.request("search", seen.append, recipe=recipe, text="299999", start=0)
        assert found["rows"] == [299_999]
        assert {"done", "total"} <= set(seen[0])
        begun = asyncio.Event()
        going = asyncio.create_task(
            helper.request("search", lambda event: begun.set(), recipe=recipe, text="a", start=0)
        )
        await asyncio.wait_for(begun.wait(), 20)
        going.cancel()
        with pytest.raises(asyncio.CancelledError):
            await going
        assert (await helper.request("search", recipe=recipe, text="no such", start=0))["total"] == 0
