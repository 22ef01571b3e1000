"""Which rows a recipe takes: filters, first rows, mixes, splits, and what becomes of long ones; all by seed."""

import json
import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.core.data.dataset import prepare_data
from workbench.core.data.selection import read_filter
from workbench.core.data.splits import split_clusters, split_rows, split_stratified
from workbench.core.data.tokens.example import Example, fit_rows
from workbench.core.data.tokens.lengths import count_lengths, figures_at
from workbench.core.errors import UserError
from workbench.core.places import tiny_folder
from workbench.core.recipe import Recipe, change_recipe

ROW = {"lang": "en", "n": 3, "output": "one two three", "none": None, "two words": 1}


@pytest.mark.parametrize(
    ("expression", "passes"),
    [
        ('lang == "en" and words(output) > 2', True),
        ('lang in ["de", "fr"] or n >= 3', True),
        ("not (n < 5)", False),
        ("1 < n <= 3", True),
        ("missing > 3", False),
        ("none == None", True),
        ('"two" in output', True),
        ('lower(lang).startswith("e")', True),
        ('row["two words"] == 1', True),
        ("len(output) > 100", False),
        ('n > "x"', False),
    ],
)
def test_a_filter_tests_one_row(expression, passes):
    assert read_filter(expression)(ROW) is passes


@pytest.mark.parametrize(
    "expression",
    [
        "__import__('os')",
        "n.__class__",
        "(lambda: 1)()",
        "[x for x in output]",
        "output.format(1)",
        "9**9**9",
        "open('x')",
        "n ==",
        "",
        "f'{n}'",
        "n := 3",
        "(" * 500 + "n" + ")" * 500,
    ],
)
def test_a_filter_reaches_nothing_but_columns(expression):
    with pytest.raises(UserError, match=r"data\.filter"):
        read_filter(expression)


@settings(max_examples=200, deadline=2000)
@given(st.text(max_size=60))
def test_any_text_as_a_filter_is_a_test_or_a_sentence(text):
    try:
        assert read_filter(text)(ROW) in (True, False)
    except UserError as error:
        assert "data.filter" in error.sentence


def recipe_for(tmp_path, rows, name="rows.jsonl", **settings):
    (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    changes = {key.replace("__", "."): value for key, value in settings.items()}
    return change_recipe(Recipe(), {"data.source": str(tmp_path / name), **changes})


def rows_of(count, word="q"):
    return [
        {"instruction": f"{word} {number}?", "output": f"a {number}", "kind": "even" if number % 2 == 0 else "odd"}
        for number in range(count)
    ]


def test_first_and_filter_take_rows_from_the_start(tmp_path):
    recipe = recipe_for(tmp_path, rows_of(30), data__filter='kind == "odd"', data__first=4, data__held_out=0.0)
    prepared = prepare_data(recipe, tiny_folder())
    assert [item.row for item in prepared.train] == [1, 3, 5, 7]


def test_a_mix_takes_its_share_of_other_sources_by_seed(tmp_path):
    (tmp_path / "more.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows_of(100, "other")))
    recipe = recipe_for(tmp_path, rows_of(20), data__mix={"more.jsonl": 0.5}, data__held_out=0.0)
    rows = [item.row for item in prepare_data(recipe, tiny_folder()).train]
    assert rows[:20] == list(range(20))
    assert 30 < len(rows) - 20 < 70
    assert rows == [item.row for item in prepare_data(recipe, tiny_folder()).train]
    other = change_recipe(recipe, {"training.seed": 1})
    assert rows != [item.row for item in prepare_data(other, tiny_folder()).train]
    twice = change_recipe(recipe, {"data.mix": {"more.jsonl": 2}})
    assert len(prepare_data(twice, tiny_folder()).train) == 220
    with pytest.raises(UserError, match=r"data\.mix"):
        prepare_data(change_recipe(recipe, {"data.mix": {"more.jsonl": 0}}), tiny_folder())


def test_weights_take_whole_copies_and_a_share_of_one_more_by_seed(tmp_path):
    (tmp_path / "more.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows_of(200, "other")))
    mixed = {"more.jsonl": 2.5, str(tmp_path / "rows.jsonl"): 0.5}
    recipe = recipe_for(tmp_path, rows_of(200), data__mix=mixed, data__held_out=0.0)
    rows = [item.row for item in prepare_data(recipe, tiny_folder()).train]
    own, other = Counter(row for row in rows if row < 200), Counter(row for row in rows if row >= 200)
    assert set(own.values()) == {1}
    assert 70 < len(own) < 130
    assert len(other) == 200
    assert set(other.values()) == {2, 3}
    assert 470 < sum(other.values()) < 530
    assert rows == [item.row for item in prepare_data(recipe, tiny_folder()).train]
    report = prepare_data(recipe, tiny_folder()).report
    assert [(part["start"], part["weight"]) for part in report["sources"]] == [(0, 0.5), (200, 2.5)]


def test_rows_that_are_left_out_do_not_change_which_others_are_drawn(tmp_path):
    (tmp_path / "more.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows_of(100, "other")))
    recipe = recipe_for(tmp_path, rows_of(50), data__mix={"more.jsonl": 0.5}, data__held_out=0.0)
    before = {item.row for item in prepare_data(recipe, tiny_folder()).train}
    fewer = change_recipe(recipe, {"data.leave_out": [3, 7, 51, 61, 62, 90]})
    assert {item.row for item in prepare_data(fewer, tiny_folder()).train} == before - {2, 6, 50, 60, 61, 89}


@pytest.mark.parametrize("weight", [0, -1, 101, "2", True, None])
def test_a_weight_that_is_none_is_refused(tmp_path, weight):
    recipe = recipe_for(tmp_path, rows_of(5), data__mix={"more.jsonl": weight})
    with pytest.raises(UserError, match=r"data\.mix cannot take more\.jsonl"):
        prepare_data(recipe, tiny_folder())


def test_a_column_is_shared_out_evenly(tmp_path):
    rows = [{**row, "kind": "rare" if number < 10 else "usual"} for number, row in enumerate(rows_of(100))]
    recipe = recipe_for(tmp_path, rows, data__held_out=0.2, data__held_out_by="kind")
    held = [item.row for item in prepare_data(recipe, tiny_folder()).held_out]
    assert len(held) == 20
    assert sum(row < 10 for row in held) == 2
    with pytest.raises(UserError, match="held_out_by"):
        prepare_data(change_recipe(recipe, {"data.held_out_by": "colour"}), tiny_folder())


@given(st.lists(st.integers(0, 5), max_size=60), st.floats(0, 0.9), st.integers(0, 99))
def test_every_split_parts_all_rows_in_two_and_leaves_some_to_train_on(groups, share, seed):
    for train, held in (
        split_rows(len(groups), share, seed),
        split_stratified(groups, share, seed),
        split_clusters(groups, share, seed),
    ):
        assert sorted([*train, *held]) == list(range(len(groups)))
        assert train or not groups
    train, held = split_clusters(groups, share, seed)
    assert not {groups[place] for place in train} & {groups[place] for place in held}


def test_long_rows_can_be_split_into_rows_of_their_own(tmp_path):
    whole = Example(7, list(range(10)), [False] * 3 + [True] * 7)
    pieces = fit_rows(whole, 4, "split")
    assert [piece.ids for piece in pieces] == [(0, 1, 2, 3), (4, 5, 6, 7), (8, 9)]
    assert [piece.ids for piece in fit_rows(whole, 3, "split")] == [(3, 4, 5), (6, 7, 8)]  # no loss in the others
    rows = [{"text": "word " * 200}]
    prepared = prepare_data(recipe_for(tmp_path, rows, data__over_length="split", data__max_length=64), tiny_folder())
    assert len(prepared.train) > 1
    assert all(len(item.ids) <= 64 for item in prepared.train)


@settings(max_examples=60, deadline=2000)
@given(
    st.lists(st.tuples(st.integers(1, 40), st.integers(0, 40)), min_size=1, max_size=40),
    st.integers(1, 30),
    st.sampled_from(["drop", "cut_right", "cut_left", "split"]),
)
def test_figures_for_a_longest_length_are_those_of_the_rows_themselves(rows, limit, how):
    examples = []
    for total, answer in rows:
        trained = min(answer, total)
        examples.append(Example(0, [1] * total, [False] * (total - trained) + [True] * trained))
    figures = figures_at(count_lengths(examples), limit, how)
    assert figures["over"] == sum(len(item) > limit for item in examples)
    kept = [length for item in examples for length in _lengths(len(item), limit, how)]
    assert figures["kept_tokens"] == sum(kept)
    assert figures["lost_tokens"] == sum(map(len, examples)) - sum(kept)
    if how == "cut_right":
        assert figures["lost_ends"] == sum(item.last_trained + 1 > limit for item in examples)
    assert figures["sequences"] * limit >= sum(kept)
    assert figures["sequences"] <= len(kept)
    assert 0 <= figures["padding"] < 1


def _lengths(length, limit, how):
    if length <= limit:
        return [length]
    if how == "split":
        return [min(limit, length - start) for start in range(0, length, limit)]
    return [] if how == "drop" else [limit]


def best_fit(lengths, room):
    """Best fit, longest first, one row after the other, as a list of what is left in each sequence."""
    left = []
    for length in sorted(lengths, reverse=True):
        fits = [space for space in left if space >= length]
        if fits:
            left.remove(min(fits))
            left.append(min(fits) - length)
        else:
            left.append(room - length)
    return left


def test_packing_by_counts_is_best_fit_packing_row_by_row():
    chance = random.Random(11)
    for _ in range(200):
        room = chance.randint(4, 60)
        lengths = [chance.randint(1, room) for _ in range(chance.randint(1, 80))]
        counts = [[length, lengths.count(length)] for length in sorted(set(lengths))]
        found = figures_at({"total": counts, "answer_end": counts, "answer_start": counts}, room)
        assert found["sequences"] == len(best_fit(lengths, room))
