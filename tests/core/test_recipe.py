"""The recipe: what it takes, what it refuses, and how it is kept."""

import resource
import signal

import pytest

from workbench.core.errors import UserError
from workbench.core.knobs import knobs_of
from workbench.core.methods import METHODS
from workbench.core.recipe import (
    change_recipe,
    load_recipe,
    parse_settings,
    recipe_from_mapping,
    recipe_from_text,
    recipe_to_mapping,
    recipe_to_yaml,
    save_recipe,
)
from workbench.core.recipe.sections import SECTIONS


@pytest.mark.parametrize("method", METHODS)
def test_a_recipe_written_as_yaml_is_read_back_the_same(method):
    recipe = recipe_from_mapping(
        {"method": {"name": method}, "data": {"mapping": {"prompt": "a, b", "answer": "c: d #"}}}
    )
    assert recipe_from_text(recipe_to_yaml(recipe)) == recipe


def test_every_key_in_the_yaml_carries_its_own_meaning_as_a_comment():
    text = recipe_to_yaml(recipe_from_mapping({}))
    for section, kind in SECTIONS.items():
        assert f"{section}:" in text
        for knob in knobs_of(kind).values():
            assert knob.help in text


@pytest.mark.parametrize(
    ("values", "parts"),
    [
        ({"method": {"rank": 0}}, ["method.rank", "0", "from 1"]),
        ({"method": {"rank": True}}, ["method.rank", "True"]),
        ({"method": {"rnak": 8}}, ["method.rnak", "did you mean method.rank"]),
        ({"trainning": {}}, ["trainning", "training"]),
        ({"training": {"steps": 1.5}}, ["training.steps", "1.5", "whole number"]),
        ({"training": {"learning_rate": float("nan")}}, ["training.learning_rate", "nan"]),
        ({"training": {"schedule": "wild"}}, ["training.schedule", "linear, cosine, constant"]),
        ({"training": {"micro_batch": 3}}, ["training.effective_batch", "multiple", "3"]),
        ({"method": {"name": "magic"}}, ["method.name", "magic", "lora"]),
        ({"data": {"held_out": 0.95}}, ["data.held_out", "0.95", "0.9"]),
        ({"model": "tiny"}, ["model", "mapping"]),
        ([1, 2], ["mapping"]),
    ],
)
def test_a_wrong_recipe_is_refused_with_the_key_the_value_and_what_would_be_accepted(values, parts):
    with pytest.raises(UserError) as refused:
        recipe_from_mapping(values)
    for part in parts:
        assert part in refused.value.sentence
    assert "\n" not in refused.value.sentence


@pytest.mark.parametrize("text", ["a: [", "model: {path: tiny", "\t- x"])
def test_text_that_is_no_yaml_is_refused_with_its_line(text):
    with pytest.raises(UserError, match="not valid YAML"):
        recipe_from_text(text)


def test_a_number_such_as_2e_3_is_a_number_in_a_recipe_file():
    assert recipe_from_text("training: {learning_rate: 2e-3}").training.learning_rate == 0.002


def test_a_layers_number_is_text_as_a_range_of_layers_is():
    recipe = change_recipe(recipe_from_mapping({}), parse_settings(["method.layers=0"]))
    assert recipe.method.knobs["layers"] == "0"


def test_a_setting_changes_one_key_and_leaves_the_rest():
    recipe = recipe_from_mapping({})
    changed = change_recipe(
        recipe, parse_settings(["method.rank=4", "training.learning_rate=1e-3", "data.held_out=x.jsonl"])
    )
    before, after = recipe_to_mapping(recipe), recipe_to_mapping(changed)
    assert after["method"].pop("rank") == 4
    assert after["training"].pop("learning_rate") == 0.001
    assert after["data"].pop("held_out") == "x.jsonl"
    for values in before.values():
        for key in ("rank", "learning_rate", "held_out"):
            values.pop(key, None)
    assert before == after


def test_another_method_starts_from_its_own_defaults():
    recipe = recipe_from_mapping({"method": {"name": "lora", "rank": 64}})
    assert change_recipe(recipe, {"method.name": "qlora"}).method.knobs["rank"] == 8
    assert "rank" not in change_recipe(recipe, {"method.name": "full"}).method.knobs


@pytest.mark.parametrize("item", ["rank=8", "method.rank", "=", ""])
def test_a_setting_that_is_no_section_key_value_is_refused(item):
    with pytest.raises(UserError, match=r"section\.key=value"):
        parse_settings([item])


def test_paths_in_a_recipe_are_taken_from_its_own_folder(tmp_path, monkeypatch):
    (tmp_path / "mine.jsonl").write_text('{"prompt": "a", "completion": "b"}\n')
    (tmp_path / "recipe.yaml").write_text("data: {source: mine.jsonl}\nmodel: {path: tiny}\n")
    monkeypatch.chdir("/")
    recipe = load_recipe(tmp_path / "recipe.yaml")
    assert recipe.data.source == str(tmp_path / "mine.jsonl")
    assert recipe.model.path == "tiny"


def test_a_recipe_that_is_missing_a_folder_or_not_text_is_one_sentence(tmp_path):
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00\x01")
    for path in (tmp_path / "none.yaml", tmp_path, tmp_path / "binary.yaml"):
        with pytest.raises(UserError):
            load_recipe(path)


def test_a_recipe_that_cannot_be_written_leaves_the_old_one(tmp_path):
    file = tmp_path / "recipe.yaml"
    save_recipe(recipe_from_mapping({}), file)
    before = file.read_text()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16, limits[1]))  # as on a full disk, a write fails half-way
    try:
        with pytest.raises(UserError, match="cannot be written"):
            save_recipe(recipe_from_mapping({"method": {"rank": 2}}), file)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert file.read_text() == before
    assert [item.name for item in tmp_path.iterdir()] == ["recipe.yaml"]


def test_another_method_takes_its_own_learning_rate_unless_one_is_given_or_both_want_the_same():
    recipe = recipe_from_text("training: {learning_rate: 2e-3}")
    assert change_recipe(recipe, {"method.rank": 4}).training.learning_rate == 0.002
    assert change_recipe(recipe, {"method.name": "qlora"}).training.learning_rate == 0.002
    assert change_recipe(recipe, {"method.name": "ia3"}).training.learning_rate is None
    given = {"method.name": "ia3", "training.learning_rate": 0.05}
    assert change_recipe(recipe, given).training.learning_rate == 0.05
