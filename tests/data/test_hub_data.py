"""Data from the Hub: listed, fetched once by a process of its own, then read like any other data."""

import json

import pytest
from small_hub import ASKED, COMMIT, SEPARATED, SmallHub, put_into_cache, rows

from workbench.core.data.dataset import prepare_data
from workbench.core.data.files.hub import about_fetched, fetched_folder, hub_data, hub_sources, unfetched
from workbench.core.data.files.sources import read_table
from workbench.core.data.inspect import page_rows
from workbench.core.data.search import search_rows
from workbench.core.errors import UserError
from workbench.core.places import Workspace, tiny_folder
from workbench.core.recipe import Recipe, change_recipe
from workbench.engine.fetching import fetch_data, list_choices

NAME = "ann/asked"


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path / "home")


@pytest.fixture
def offline(tmp_path, monkeypatch):
    """A machine without a network, with one data set in the Hub's cache."""
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    put_into_cache(tmp_path / "hf", NAME, ASKED)


def recipe_of(**settings):
    return change_recipe(
        Recipe(), {"data.source": NAME, **{key.replace("__", "."): value for key, value in settings.items()}}
    )


def fetch_all(recipe, workspace):
    for data in unfetched(recipe.data, workspace):
        fetch_data(data, workspace, lambda text: None)


def refused(recipe, workspace):
    with pytest.raises(UserError) as error:
        fetch_all(recipe, workspace)
    assert "\n" not in error.value.sentence
    return error.value.sentence


def test_subsets_and_splits_are_listed_from_the_cache(offline):
    found = list_choices(NAME, None, lambda text: None)
    assert found["subsets"] == {"en": ["train", "test"], "de": ["train"]}
    assert found["revision"] == COMMIT


def test_a_split_is_fetched_once_and_read_as_rows(offline, workspace):
    recipe = recipe_of(data__subset="en", data__held_out=0.0)
    with pytest.raises(UserError, match="has not been fetched"):
        prepare_data(recipe, tiny_folder(), workspace=workspace)
    fetch_all(recipe, workspace)
    prepared = prepare_data(recipe, tiny_folder(), workspace=workspace)
    assert len(prepared.train) == 9
    assert (prepared.report["source"], prepared.report["split"]) == (NAME, "train")
    assert prepared.report["splits"] == ["train", "test"]
    assert unfetched(recipe.data, workspace) == ()
    about = about_fetched(hub_sources(recipe.data)[0], workspace)
    assert (about["revision"], about["rows"]) == (COMMIT, 9)


def test_another_split_can_be_held_out_and_another_subset_be_mixed_in(offline, workspace):
    recipe = recipe_of(data__subset="en", data__held_out=f"{NAME}:test", data__mix={f"{NAME}:de:train": 1.0})
    fetch_all(recipe, workspace)
    prepared = prepare_data(recipe, tiny_folder(), workspace=workspace)
    assert len(prepared.train) == 11
    assert [question.prompt for question in prepared.questions] == ["test 0?", "test 1?", "test 2?"]


def test_the_cards_own_settings_are_kept_and_nothing_else_is_left(tmp_path, offline, workspace):
    put_into_cache(tmp_path / "hf", "ann/separated", SEPARATED)
    recipe = recipe_of(data__source="ann/separated")
    fetch_all(recipe, workspace)
    folder = fetched_folder(hub_sources(recipe.data)[0], workspace)
    assert read_table(str(folder)).rows[1] == {"instruction": "Was?", "output": "Das."}
    assert sorted(path.name for path in folder.parent.iterdir()) == [folder.name]


def test_labels_are_read_by_their_names(tmp_path, offline, workspace):
    card = (
        "---\ndataset_info:\n  features:\n  - name: text\n    dtype: string\n  - name: label\n    dtype:\n"
        "      class_label:\n        names:\n          '0': bad\n          '1': good\n  splits:\n  - name: train\n"
        "    num_examples: 2\n---\n"
    )
    put_into_cache(tmp_path / "hf", "ann/films", {"README.md": card, "train.csv": "text,label\nDull.,0\nFine.,1\n"})
    recipe = recipe_of(
        data__source="ann/films", data__mapping={"prompt": "text", "answer": "label"}, data__held_out=0.0
    )
    fetch_all(recipe, workspace)
    page = page_rows(recipe, tiny_folder(), 0, 9, workspace=workspace)["rows"]
    assert [row["messages"][1]["content"] for row in page] == ["bad", "good"]
    assert [row["raw"]["label"] for row in page] == ["bad", "good"]
    assert search_rows(recipe, "GOOD", workspace=workspace)["rows"] == [1]


def test_what_is_not_there_is_said_in_one_sentence_with_what_there_is(offline, workspace):
    assert "set data.subset to one of en, de" in refused(recipe_of(), workspace)
    assert "no subset 'fr'; it has en, de" in refused(recipe_of(data__subset="fr"), workspace)
    assert "no split 'dev'; it has train, test" in refused(recipe_of(data__subset="en", data__split="dev"), workspace)
    sentence = refused(recipe_of(data__source="ann/unknown"), workspace)
    assert "ann/unknown is not in the Hub's cache" in sentence
    assert "cannot be reached" in sentence
    sentence = refused(recipe_of(data__subset="en", data__revision="b" * 40), workspace)
    assert "is not in the Hub's cache" in sentence


def test_a_cancelled_fetch_leaves_nothing_and_no_process(offline, workspace):
    class Cancelled(BaseException):
        pass

    def stop():
        raise Cancelled

    data = hub_data(NAME, recipe_of(data__subset="en").data)
    with pytest.raises(Cancelled):
        fetch_data(data, workspace, lambda text: None, stop)
    assert not fetched_folder(data, workspace).exists()


def test_a_data_set_of_pictures_is_refused(tmp_path, monkeypatch, workspace):
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    put_into_cache(tmp_path / "hf", NAME, {"a.png": "x", "b.png": "y"})
    assert "holds no rows of text" in refused(recipe_of(), workspace)


def test_a_broken_file_on_the_hub_is_a_sentence(tmp_path, monkeypatch, workspace):
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    put_into_cache(tmp_path / "hf", NAME, {"rows.jsonl": '{"a": 1}\n{"a"\n'})
    assert "cannot be read as rows" in refused(recipe_of(), workspace)
    assert list((workspace.cache / "data").iterdir()) == []


@pytest.mark.parametrize("name", ["rows/train.jsonl", "a/b/c", "owner/na me", "../up/x", "capitals", "a/b:c:d:e"])
def test_a_path_is_no_hub_id(name):
    assert hub_data(name, Recipe().data) is None


def test_a_folder_of_that_name_is_read_and_not_the_hub(tmp_path, monkeypatch):
    (tmp_path / "ann" / "asked").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert hub_data(NAME, Recipe().data) is None


def test_only_the_files_of_the_split_come_over_the_network(tmp_path, monkeypatch, workspace):
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    with SmallHub({NAME: ASKED}) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.address)
        assert list_choices(NAME, None, lambda text: None)["subsets"] == {"en": ["train", "test"], "de": ["train"]}
        recipe = recipe_of(data__subset="en", data__split="test")
        fetch_all(recipe, workspace)
        prepared = prepare_data(recipe, tiny_folder(), workspace=workspace)
        assert prepared.report["rows"] == 3
        assert not [path for path in hub.asked if path.endswith(("train-0.jsonl", "rows.jsonl"))]
        assert "There is no data set ann/unknown on the Hub" in refused(
            recipe_of(data__source="ann/unknown"), workspace
        )
        wrong = recipe_of(data__subset="en", data__revision="nowhere")
        assert "has no revision nowhere; check data.revision" in refused(wrong, workspace)
    # The Hub is gone now: what was fetched is still there, and what was not says so.
    fetch_all(recipe, workspace)
    assert prepare_data(recipe, tiny_folder(), workspace=workspace).report["rows"] == 3
    assert "Only a part of ann/asked is in the Hub's cache" in refused(recipe_of(data__subset="en"), workspace)


def test_a_split_of_a_local_folder_is_chosen_by_name(tmp_path):
    for name, word, count in (("train-0.jsonl", "a", 3), ("test.jsonl", "b", 2), ("README.md", "# About", 0)):
        (tmp_path / name).write_text(rows(word, count) or word)
    table = read_table(str(tmp_path))
    assert (len(table.rows), table.split, table.splits) == (3, "train", ("train", "test"))
    assert len(read_table(str(tmp_path), split="test").rows) == 2
    with pytest.raises(UserError, match="no split 'dev'; it has train, test"):
        read_table(str(tmp_path), split="dev")
    (tmp_path / "test.jsonl").rename(tmp_path / "others.jsonl")
    assert len(read_table(str(tmp_path)).rows) == 5
    with pytest.raises(UserError, match=r"one file, which has no split 'test'; set data\.split to null"):
        read_table(str(tmp_path / "others.jsonl"), split="test")


def test_a_subset_of_a_local_folder_is_a_folder_in_it(tmp_path):
    for name in ("en", "de"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "rows.jsonl").write_text(rows(name, 2))
    assert json.dumps(read_table(str(tmp_path), subset="de").rows[0]).startswith('{"instruction": "de 0')
    with pytest.raises(UserError, match="no subset 'fr'; it has de, en"):
        read_table(str(tmp_path), subset="fr")
    with pytest.raises(UserError, match="no subset"):
        read_table(str(tmp_path), subset="..")
