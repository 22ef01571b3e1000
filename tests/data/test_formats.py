"""Trees of messages, whole or by their best replies, and questions without answers."""

import csv
import json

import pytest

from workbench.core.data.conversations.formats import detect_format
from workbench.core.data.dataset import prepare_data
from workbench.core.data.files.sources import read_table
from workbench.core.data.inspect import inspect_data, page_rows
from workbench.core.data.questions import read_questions
from workbench.core.data.search import search_rows
from workbench.core.data.splits import join_clusters
from workbench.core.errors import UserError
from workbench.core.places import tiny_folder
from workbench.core.recipe import Recipe, change_recipe


def message(name, parent, role, text, rank=None):
    return {"message_id": name, "parent_id": parent, "role": role, "text": text, "rank": rank}


TREE = [
    message("1", None, "prompter", "Hi"),
    message("2", "1", "assistant", "worse", 1),
    message("3", "1", "assistant", "better", 0),
    message("4", "3", "prompter", "unanswered"),
    message("5", "3", "prompter", "unanswered too"),
    message("6", "2", "prompter", "More?"),
    message("7", "6", "assistant", "More."),
    message("8", None, "prompter", "Alone?"),
    message("9", "missing", "assistant", "lost"),
]


def recipe_for(tmp_path, rows, **settings):
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return change_recipe(
        Recipe(), {"data.source": str(file), **{key.replace("__", "."): value for key, value in settings.items()}}
    )


def told(page):
    return [[turn["content"] for turn in row["messages"]] for row in page["rows"]]


def test_a_tree_gives_its_best_conversation_or_on_request_every_one(tmp_path):
    best = page_rows(recipe_for(tmp_path, TREE), tiny_folder(), 0, 9)
    assert told(best) == [["Hi", "better"], []]
    every = page_rows(recipe_for(tmp_path, TREE, data__paths="all"), tiny_folder(), 0, 9)
    assert told(every) == [["Hi", "better"], ["Hi", "worse", "More?", "More."], []]
    assert [row["row"] for row in every["rows"]] == [0, 1, 2]
    assert [row["raw"]["message_id"] for row in every["rows"]] == ["3", "7", "8"]
    assert every["rows"][2]["problem"] == "it has no prompt"


def test_a_message_that_is_its_own_ancestor_ends_the_path(tmp_path):
    rows = [
        message("1", None, "prompter", "a"),
        message("2", "1", "assistant", "b"),
        message("1", "2", "assistant", "c"),
    ]
    page = page_rows(recipe_for(tmp_path, rows, data__paths="all"), tiny_folder(), 0, 9)
    assert told(page) == [["a", "b", "c"]]


def test_a_findings_row_is_the_same_row_on_a_page_and_in_a_search(tmp_path):
    rows = [
        *TREE[:3],
        message("a", None, "prompter", "Key?"),
        message("b", "a", "assistant", "It is AKIAABCDEFGHIJKLMNOP now"),
    ]
    recipe = recipe_for(tmp_path, rows, data__held_out=0.0)
    found = {finding["kind"]: finding for finding in inspect_data(recipe, tiny_folder())["findings"]}
    assert found["secret"]["rows"] == search_rows(recipe, "akia")["rows"] == [1]
    assert "AKIA" in told(page_rows(recipe, tiny_folder(), 1, 1))[0][1]
    out = change_recipe(recipe, found["secret"]["fix"]["settings"])
    assert [item.row for item in prepare_data(out, tiny_folder()).train] == [0]


def test_all_conversations_of_a_tree_stay_on_one_side(tmp_path):
    rows = []
    for tree in range(20):
        rows.append(message(f"{tree}", None, "prompter", f"Question {tree}?"))
        rows += [message(f"{tree}.{n}", f"{tree}", "assistant", f"Answer {n} to {tree}.", n) for n in range(4)]
    for by in ("random", "clusters"):
        recipe = recipe_for(tmp_path, rows, data__paths="all", data__held_out=0.2, data__held_out_by=by)
        prepared = prepare_data(recipe, tiny_folder())
        assert (len(prepared.train), len(prepared.held_out)) == (64, 16)
        assert not {item.row // 4 for item in prepared.train} & {item.row // 4 for item in prepared.held_out}
        held = page_rows(recipe, tiny_folder(), 0, 99, held_out=True)
        assert [row["row"] for row in held["rows"]] == [item.row for item in prepared.held_out]


def test_clusters_are_joined_by_what_their_members_share():
    assert join_clusters([0, 1, 0, 3, 4], {1: 7, 2: 7, 4: 8}) == [0, 0, 0, 3, 4]
    assert join_clusters([0, 1, 2, 3], {0: 1, 1: 1, 2: 2, 3: 2}) == [0, 0, 2, 2]


@pytest.mark.parametrize(
    "rows",
    [
        [{"instruction": f"Tell me about {n}."} for n in range(9)],
        [{"prompt": f"Tell me about {n}.", "id": n} for n in range(9)],
        [{"question": f"What is {n}?", "system": "Be brief."} for n in range(9)],
        [{"prompt": [{"role": "user", "content": f"What is {n}?"}]} for n in range(9)],
    ],
    ids=["instruction", "prompt", "question and system", "turns"],
)
def test_questions_without_answers_are_known_shown_asked_and_not_trained_on(tmp_path, rows):
    recipe = recipe_for(tmp_path, rows)
    report = inspect_data(recipe, tiny_folder(), masks=2)
    assert report["format"] == "instruction"
    assert "no column like its answer" in report["format_reason"]
    assert (report["rows"], report["trained_tokens"], report["train_rows"], report["masks"]) == (9, 0, 0, [])
    found = {finding["kind"]: finding["count"] for finding in report["findings"]}
    assert found == {"question": 9}
    with pytest.raises(UserError, match="questions without answers, so nothing can be learnt"):
        prepare_data(recipe, tiny_folder())
    page = page_rows(recipe, tiny_folder(), 0, 3)["rows"]
    assert {row["problem"] for row in page} == {"it is a question without an answer"}
    assert not any(any(row["trained"]) for row in page)
    asked = read_questions(recipe.data, 4)
    assert [turns[-1]["role"] for turns in asked] == ["user"] * 4
    assert asked[0][:-1] == ([{"role": "system", "content": "Be brief."}] if "system" in rows[0] else [])


@pytest.mark.parametrize(("how", "cut"), [("cut_right", 50_000 - 64), ("cut_left", 50_000), ("drop", 50_000 - 64)])
def test_of_a_row_of_many_tokens_the_first_are_shown_and_the_rest_is_counted(tmp_path, how, cut):
    rows = [{"instruction": "Count.", "output": " ".join(map(str, range(30_000)))}]
    recipe = recipe_for(tmp_path, rows, data__max_length=64, data__over_length=how)
    row = page_rows(recipe, tiny_folder(), 0, 1)["rows"][0]
    assert len(row["ids"]) == len(row["tokens"]) == len(row["trained"]) == 50_000
    assert row["hidden"] > 0
    assert row["cut"] == cut


def test_a_mapping_of_a_prompt_alone_makes_questions(tmp_path):
    recipe = recipe_for(tmp_path, [{"q": "What?", "extra": 1}], data__mapping={"prompt": "q"})
    assert inspect_data(recipe, tiny_folder())["format"] == "instruction"
    named = recipe_for(tmp_path, [{"text": "a", "prompt": "b"}], data__format="instruction")
    assert detect_format(read_table(named.data.source), "instruction").mapping == {"prompt": "prompt"}


def test_questions_can_be_held_out_to_be_asked_in_the_chat(tmp_path):
    held = tmp_path / "held.jsonl"
    held.write_text("".join(json.dumps({"instruction": f"Ask {n}?"}) + "\n" for n in range(5)))
    rows = [{"instruction": f"Question {n}?", "output": f"Answer {n}."} for n in range(9)]
    recipe = recipe_for(tmp_path, rows, data__held_out=str(held))
    prepared = prepare_data(recipe, tiny_folder())
    assert (len(prepared.train), prepared.held_out, prepared.questions) == (9, (), ())
    page = page_rows(recipe, tiny_folder(), 0, 9, held_out=True)
    assert [row["problem"] for row in page["rows"]] == [None] * 5


def test_the_first_questions_of_answered_rows_leave_their_answers_out(tmp_path):
    turns = [{"role": role, "content": f"{role} {n}"} for n in range(2) for role in ("user", "assistant")]
    recipe = recipe_for(tmp_path, [{"messages": turns}, {"messages": []}, {"messages": turns[:2]}])
    assert [[turn["content"] for turn in asked] for asked in read_questions(recipe.data, 9)] == [
        ["user 0", "assistant 0", "user 1"],
        ["user 0"],
    ]
    with pytest.raises(UserError, match="asks anything"):
        read_questions(recipe_for(tmp_path, [{"text": "plain"}]).data, 9)


TURNS = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]


@pytest.mark.parametrize("first", [{"messages": None}, {"messages": []}, {"other": 1}])
def test_a_format_is_told_by_the_first_row_that_has_any_turns(tmp_path, first):
    report = inspect_data(recipe_for(tmp_path, [first, {"messages": TURNS}, {"messages": TURNS}]), tiny_folder())
    assert report["format"] == "messages"
    assert (report["rows"], report["usable_rows"]) == (3, 2)


def test_turns_that_a_table_holds_as_json_are_read(tmp_path):
    file = tmp_path / "x.csv"
    with file.open("w", newline="", encoding="utf-8") as out:
        csv.writer(out).writerows([["id", "messages"], ["1", json.dumps(TURNS)], ["2", json.dumps(TURNS)]])
    report = inspect_data(change_recipe(Recipe(), {"data.source": str(file)}), tiny_folder())
    assert (report["format"], report["usable_rows"]) == ("messages", 2)


def test_a_table_of_one_column_is_read_where_its_name_says_what_it_is(tmp_path):
    (tmp_path / "x.csv").write_text("text\nonce, upon a time\n")
    with pytest.raises(UserError, match="2 fields instead of 1"):
        read_table(str(tmp_path / "x.csv"))
    (tmp_path / "x.csv").write_text('text\n"once, upon a time"\nand then\n')
    assert detect_format(read_table(str(tmp_path / "x.csv"))).name == "text"
    (tmp_path / "x.csv").write_text("instruction;output\na;b\n")
    with pytest.raises(UserError, match="only one column"):
        read_table(str(tmp_path / "x.csv"))
