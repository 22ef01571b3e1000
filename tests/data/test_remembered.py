"""The report on data is kept, and made anew as soon as anything it depends on is another."""

from __future__ import annotations

import json

from workbench.core.data.dataset import prepare_data
from workbench.core.data.remembered import data_report
from workbench.core.places import Workspace, tiny_folder
from workbench.core.recipe import Recipe, change_recipe


def recipe_over(tmp_path, answers, **settings):
    file = tmp_path / "rows.jsonl"
    rows = [{"instruction": f"Say {word}.", "output": word} for word in answers]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return change_recipe(Recipe(), {"data.source": str(file), **settings})


def test_a_second_look_gives_the_same_report_without_reading_the_rows(tmp_path, monkeypatch):
    workspace, recipe = (
        Workspace(tmp_path / "home"),
        recipe_over(tmp_path, ["one", "two", "three", "four", "five", "six"]),
    )
    first = data_report(recipe, tiny_folder(), workspace)
    assert first == json.loads(json.dumps(prepare_data(recipe, tiny_folder()).report))
    monkeypatch.setattr("workbench.core.data.dataset.prepare_data", None)  # calling it would fail
    assert data_report(recipe, tiny_folder(), workspace) == first


def test_another_file_or_another_choice_is_another_report(tmp_path):
    workspace = Workspace(tmp_path / "home")
    first = data_report(recipe_over(tmp_path, ["one", "two", "three", "four", "five"]), tiny_folder(), workspace)
    longer = data_report(
        recipe_over(tmp_path, ["one", "two", "three", "four", "five", "six", "seven"]), tiny_folder(), workspace
    )
    assert (first["rows"], longer["rows"]) == (5, 7)
    part = recipe_over(tmp_path, ["one", "two", "three", "four", "five", "six", "seven"], **{"data.first": 4})
    assert data_report(part, tiny_folder(), workspace)["rows"] == 4


def test_questions_without_answers_are_named_in_the_order_of_the_file(tmp_path):
    file = tmp_path / "asked.jsonl"
    file.write_text("".join(json.dumps({"instruction": f"Say {number}."}) + "\n" for number in range(12)))
    recipe = change_recipe(Recipe(), {"data.source": str(file)})
    report = data_report(recipe, tiny_folder(), Workspace(tmp_path / "home"), needs_answers=False)
    (found,) = (one for one in report["findings"] if one["kind"] == "question")
    assert found["rows"] == sorted(found["rows"])


def test_a_cache_that_cannot_be_written_costs_nothing_but_time(tmp_path):
    (tmp_path / "home").write_text("a file where the folder should be")
    recipe = recipe_over(tmp_path, ["one", "two", "three", "four", "five"])
    assert data_report(recipe, tiny_folder(), Workspace(tmp_path / "home"))["rows"] == 5
