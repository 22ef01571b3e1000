"""The sample data: what the generator writes, halves that share nothing, recipes that load."""

import csv
import json

import pyarrow.parquet as pq
import pytest

from workbench.core.places import sample_folder
from workbench.core.recipe.files import load_recipe
from workbench.core.tiny.answered import list_asked
from workbench.core.tiny.facts import COUNTRIES
from workbench.core.tiny.formats import FORMATS, ROWS
from workbench.core.tiny.reviews import WORDS
from workbench.core.tiny.samples import generate_samples, write_samples

SETS = ("capitals", "facts", "sentiment", "two_tasks")
GENERATED = generate_samples()


def read_rows(name):
    return [json.loads(line) for line in (sample_folder() / name).read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("name", sorted(GENERATED))
def test_a_sample_file_is_what_the_generator_writes(name):
    assert (sample_folder() / name).read_text(encoding="utf-8") == GENERATED[name]


def test_the_generator_writes_the_whole_folder(tmp_path):
    write_samples(tmp_path)
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.*")} == {*GENERATED, "formats/rows.parquet"}


@pytest.mark.parametrize("name", SETS)
def test_no_held_out_question_is_trained_on(name):
    trained = {row["instruction"] for row in read_rows(f"{name}.jsonl")}
    held_out = [row["instruction"] for row in read_rows(f"{name}.held_out.jsonl")]
    assert len(held_out) == len(set(held_out)) > 80
    assert trained.isdisjoint(held_out)


def test_no_country_of_the_held_out_half_is_trained_on():
    trained = read_rows("capitals.jsonl")
    held_out = read_rows("capitals.held_out.jsonl")
    answers = {row["output"] for row in trained}
    assert len(answers) == len(held_out) == len(COUNTRIES) / 2
    assert answers.isdisjoint(row["output"] for row in held_out)


def test_no_fact_is_trained_on_in_one_wording_and_held_out_in_another():
    asked = list_asked()
    trained = {(row["task"], asked[row["instruction"]].subject) for row in read_rows("facts.jsonl")}
    held_out = {(row["task"], asked[row["instruction"]].subject) for row in read_rows("facts.held_out.jsonl")}
    assert trained.isdisjoint(held_out)
    assert {task for task, _ in trained} == {task for task, _ in held_out}


def test_no_held_out_adjective_occurs_in_the_reviews_to_train_on():
    def words_in(name):
        text = " ".join(row["instruction"] for row in read_rows(name)).replace("!", " ").replace(".", " ").split()
        return {word for words in WORDS.values() for word in words if word in text}

    trained, held_out = words_in("sentiment.jsonl"), words_in("sentiment.held_out.jsonl")
    assert len(trained) == len(held_out) == 24
    assert trained.isdisjoint(held_out)


def test_the_free_form_set_has_sixty_different_rows_with_answers():
    rows = read_rows("instructions.jsonl")
    assert len({(row["instruction"], row["input"]) for row in rows}) == len(rows) >= 60
    assert all(row["instruction"].strip() and row["output"].strip() for row in rows)


def read_back(name):
    """Question and answer of every row, read with nothing but the format's own rules."""
    path = sample_folder() / "formats" / name
    if name.endswith(".parquet"):
        return [(row["question"], row["answer"]) for row in pq.read_table(path).to_pylist()]
    text = path.read_text(encoding="utf-8")
    if name.endswith((".csv", ".tsv")):
        rows = csv.DictReader(text.splitlines(), delimiter="," if name.endswith("csv") else "\t")
        return [(row["question"], row["answer"]) for row in rows]
    if name == "plain.txt":
        ends = [line.rindex("? ") + 1 for line in text.splitlines()]
        return [(line[:end], line[end + 1 :]) for line, end in zip(text.splitlines(), ends, strict=True)]
    rows = json.loads(text) if name.endswith(".json") else [json.loads(line) for line in text.splitlines()]
    if name == "oasst.jsonl":
        replies = {row["parent_id"]: row["text"] for row in rows if row["role"] == "assistant"}
        return [(row["text"], replies[row["message_id"]]) for row in rows if row["role"] == "prompter"]
    if name == "messages.jsonl":
        return [tuple(message["content"] for message in row["messages"]) for row in rows]
    if name == "sharegpt.json":
        return [tuple(turn["value"] for turn in row["conversations"]) for row in rows]
    answers = ("output", "response", "completion", "answer")
    questions = ("instruction", "prompt", "question")
    return [
        (next(row[key] for key in questions if key in row), next(row[key] for key in answers if key in row))
        for row in rows
    ]


@pytest.mark.parametrize("name", [*FORMATS, "rows.parquet"])
def test_every_format_holds_the_same_rows(name):
    assert read_back(name) == list(ROWS)


@pytest.mark.parametrize("path", sorted(sample_folder().glob("*.yaml")), ids=lambda path: path.stem)
def test_a_recipe_of_the_samples_loads_and_names_files_that_exist(path):
    recipe = load_recipe(path)
    assert recipe.model.path == "tiny"
    assert (sample_folder() / f"{recipe.data.source}.jsonl").is_file()
    if isinstance(recipe.data.held_out, str):
        assert (sample_folder() / recipe.data.held_out).is_file()


def test_every_sample_set_has_a_recipe_of_its_name():
    names = {path.stem for path in sample_folder().glob("*.yaml")}
    assert names == {*SETS, "instructions"}


def test_the_readme_tells_how_many_rows_there_are():
    text = (sample_folder() / "README.md").read_text(encoding="utf-8")
    for name in SETS:
        rows, held_out = len(read_rows(f"{name}.jsonl")), len(read_rows(f"{name}.held_out.jsonl"))
        assert f"| `{name}` | {rows:,} | {held_out} |" in text
    assert f"| `instructions` | {len(read_rows('instructions.jsonl'))} |" in text
