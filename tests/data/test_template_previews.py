"""One row in every chat template: the tokens and the mask of training, beside what would be wrong."""

import json

import pytest

from workbench.core.data.dataset import prepare_data
from workbench.core.data.templates.previews import NAMES, preview_templates
from workbench.core.errors import UserError
from workbench.core.places import tiny_folder
from workbench.core.recipe import Recipe, change_recipe

TURNS = [
    {"role": "system", "content": "You are brief."},
    {"role": "user", "content": "Where is the fox, and why?"},
    {"role": "assistant", "content": "In the wood, for it lives there."},
]


def recipe_for(tmp_path, rows=({"messages": TURNS},), **data):
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return change_recipe(
        Recipe(),
        {"data.source": str(file), "data.held_out": 0.0, **{f"data.{key}": value for key, value in data.items()}},
    )


def previews(recipe, row=0):
    return {item["name"]: item for item in preview_templates(recipe, tiny_folder(), row)["templates"]}


@pytest.mark.parametrize("name", NAMES)
def test_a_preview_is_the_very_row_that_would_be_trained_on_with_that_template(tmp_path, name):
    shown = previews(recipe_for(tmp_path))[name]
    row = prepare_data(recipe_for(tmp_path, template=name), tiny_folder()).train[0]
    assert tuple(shown["ids"]) == row.ids
    assert tuple(shown["trained"]) == row.trained
    assert shown["trained_count"] == row.trained_tokens
    assert "Where is the fox" in shown["rendered"]


def test_the_chosen_template_is_marked_and_the_models_own_comes_first(tmp_path):
    found = preview_templates(recipe_for(tmp_path, template="gemma"), tiny_folder(), 0)["templates"]
    assert [item["name"] for item in found] == list(NAMES)
    assert [item["name"] for item in found if item["chosen"]] == ["gemma"]
    assert [item["name"] for item in found if not item["warnings"]] == ["own"]


def test_a_system_message_that_a_file_of_a_template_drops_is_told_beside_it(tmp_path):
    file = tmp_path / "deaf.jinja"
    file.write_text("{% for m in messages %}{% if m.role != 'system' %}{{ m.content }}{% endif %}{% endfor %}")
    shown = previews(recipe_for(tmp_path, template=str(file)))["deaf.jinja"]
    kinds = {warning["kind"] for warning in shown["warnings"]}
    assert shown["chosen"] and {"dropped_turn", "foreign_template", "no_end_token"} <= kinds


def test_a_template_that_refuses_a_row_says_so_and_the_others_are_shown(tmp_path):
    file = tmp_path / "strict.jinja"
    file.write_text("{{ raise_exception('No system turn, please') }}")
    found = previews(recipe_for(tmp_path, template=str(file)))
    assert "No system turn, please" in found["strict.jinja"]["problem"]
    assert found["chatml"]["problem"] is None and found["chatml"]["ids"]


@pytest.mark.parametrize(
    ("rows", "row", "sentence"),
    [
        ([{"messages": TURNS}], 4, "There is no row 5; rows go from 1 to 1."),
        ([{"messages": TURNS}, {"messages": []}], 1, "Row 2 cannot be rendered"),
        ([{"text": "Once upon a time."}], 0, "plain text, which is trained on as it stands"),
    ],
)
def test_what_cannot_be_shown_is_said_in_a_sentence(tmp_path, rows, row, sentence):
    with pytest.raises(UserError, match=sentence):
        preview_templates(recipe_for(tmp_path, rows), tiny_folder(), row)


def test_a_template_that_drops_a_call_of_a_tool_or_the_last_thoughts_is_told_by_preview_and_finding(tmp_path):
    call = {"type": "function", "function": {"name": "look_up", "arguments": {"what": "fox"}}}
    ends = {
        "calls": {"role": "assistant", "content": "", "tool_calls": [call]},
        "thinks": {
            "role": "assistant",
            "content": "In the wood.",
            "reasoning_content": "It lives there, so it must be.",
        },
    }
    for end in ends.values():
        recipe = recipe_for(tmp_path, [{"messages": [TURNS[1], end]}], template="chatml")
        kinds = {warning["kind"] for warning in previews(recipe)["chatml"]["warnings"]}
        assert "dropped_turn" in kinds
        assert "dropped_turn" in {item["kind"] for item in prepare_data(recipe, tiny_folder()).report["findings"]}
    file = tmp_path / "whole.jinja"
    file.write_text(
        "{% for m in messages %}{{ m.role }}: {{ m.reasoning_content }}{{ m.content }}{{ m.tool_calls | tojson }}\n{% endfor %}"
    )
    for end in ends.values():
        recipe = recipe_for(tmp_path, [{"messages": [TURNS[1], end]}], template=str(file))
        assert "dropped_turn" not in {warning["kind"] for warning in previews(recipe)["whole.jinja"]["warnings"]}
