"""Data from the Hub, searched, listed and asked, from the command line."""

import json
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parent.parent / "data"))

from small_hub import ASKED, put_into_cache

NAME = "ann/asked"


@pytest.fixture
def offline(workbench):
    """The environment of a machine whose Hub cache holds one data set."""
    home = workbench.folder / "hf"
    put_into_cache(home, NAME, ASKED)
    return {"HF_HOME": str(home)}


def test_splits_are_listed_chosen_and_inspected(workbench, offline):
    found = workbench.document("data", "splits", NAME, **offline)
    assert found["subsets"] == {"en": ["train", "test"], "de": ["train"]}
    assert workbench("data", "splits", NAME, **offline).stdout.splitlines() == ["en: train, test", "de: train"]
    report = workbench.document("inspect", NAME, "--subset", "en", "--split", "test", "--show-mask", "1", **offline)
    assert (report["source"], report["split"], report["splits"]) == (NAME, "test", ["train", "test"])
    assert (report["rows"], report["format"], len(report["masks"])) == (3, "alpaca", 1)
    assert "split       test of train, test" in workbench("inspect", NAME, "--subset", "en", "--split", "test").stdout


def test_what_the_hub_does_not_have_is_one_sentence(workbench, offline):
    assert "set data.subset to one of en, de" in workbench.refused("inspect", NAME, **offline)
    assert "is not in the Hub's cache" in workbench.refused("inspect", "ann/unknown", **offline)
    assert "is not in the Hub's cache" in workbench.refused("data", "splits", "ann/unknown", **offline)
    assert "There is no data at rows/nowhere.jsonl" in workbench.refused("inspect", "rows/nowhere.jsonl")


def test_a_run_trains_on_data_from_the_hub(workbench, offline):
    settings = ("data.source=ann/asked", "data.subset=en", "data.held_out=ann/asked:test", "training.steps=2",
                "training.score_rows=0", "training.evaluate_every=0", "training.threads=1")  # fmt: skip
    chosen = [word for setting in settings for word in ("--set", setting)]
    said = workbench.document("train", "capitals", *chosen, timeout=240, **offline)
    assert (said["state"], said["steps"]) == ("finished", 2)
    kept = (workbench.workspace / "runs" / said["run"] / "recipe.yaml").read_text()
    assert "source: ann/asked " in kept


def test_the_cleaned_rows_of_hub_data_are_saved(workbench, offline):
    saved = workbench.document(
        "data", "clean", NAME, "--subset", "en", "--to", "clean.jsonl", "--leave-out", "1", **offline
    )
    assert (saved["rows"], saved["source_rows"]) == (8, 9)
    assert json.loads((workbench.folder / "clean.jsonl").read_text().splitlines()[0])["instruction"] == "first 1?"


def test_rows_that_hold_a_text_are_counted_and_named(workbench):
    rows = [{"instruction": f"Ask {number}?", "output": "PARIS" if number % 3 == 0 else "no"} for number in range(10)]
    (workbench.folder / "rows.json").write_text(json.dumps(rows))
    assert workbench.document("data", "search", "rows.json", "--text", "paris") == {
        "rows": [0, 3, 6, 9],
        "total": 4,
        "searched": 10,
    }
    assert workbench("data", "search", "rows.json", "--text", "paris").stdout.splitlines() == [
        "4 of 10 rows hold 'paris'.",
        "Row 1, 4, 7, 10",
    ]
    assert "needs --text" in workbench.refused("data", "search", "rows.json")
    assert "needs --to" in workbench.refused("data", "clean", "rows.json")


def test_a_local_folders_splits_are_listed(workbench):
    for name in ("train.jsonl", "test.jsonl"):
        (workbench.folder / "set" / "en").mkdir(parents=True, exist_ok=True)
        (workbench.folder / "set" / "en" / name).write_text('{"instruction": "a", "output": "b"}\n' * 3)
    assert workbench.document("data", "splits", "set")["subsets"] == {"en": ["train", "test"]}
    assert workbench.document("inspect", "set", "--subset", "en", "--split", "test")["rows"] == 3


def test_questions_without_answers_are_inspected_refused_for_training_and_asked(taught):
    (taught.folder / "ask.jsonl").write_text("".join(json.dumps({"prompt": f"Capital {n}?"}) + "\n" for n in range(3)))
    report = taught.document("inspect", "ask.jsonl")
    assert (report["format"], report["trained_tokens"]) == ("instruction", 0)
    refused = taught.refused("train", "capitals", "--set", "data.source=ask.jsonl")
    assert "questions without answers" in refused
    answers = taught.document("chat", "taught", "--questions", "ask.jsonl", "--first", "2", "--max-tokens", "4")
    assert [answer["prompt"] for answer in answers] == ["Capital 0?", "Capital 1?"]
    assert "choose one of them" in taught.refused("chat", "taught", "--questions", "ask.jsonl", "--prompt", "a")


def test_rows_are_listed_by_what_becomes_of_them(workbench):
    rows = [{"instruction": f"Ask {number}?", "output": f"It is {number} then."} for number in range(30)]
    rows[4] = rows[2]
    (workbench.folder / "rows.json").write_text(json.dumps(rows))
    settings = ("rows.json", "--set", "data.held_out=0.2", "--leave-out", "1")
    counts = workbench.document("data", "rows", *settings)["counts"]
    assert (counts["train"], counts["held_out"], counts["left_out"], counts["duplicate"]) == (23, 6, 1, 1)
    held = workbench.document("data", "rows", *settings, "--of", "held_out")
    assert held["count"] == len(held["rows"]) == 6
    said = workbench("data", "rows", *settings, "--of", "duplicate").stdout.splitlines()
    assert said[0].startswith("duplicate: 1 rows of") and said[0].endswith("rows.json.") and said[1] == "Row 5"
    assert "There are no rows called 'x'" in workbench.refused("data", "rows", "rows.json", "--of", "x")


def test_a_row_is_printed_in_every_chat_template(workbench):
    found = workbench.document("data", "templates", "capitals", "--row", "2")
    assert [template["name"] for template in found["templates"]][:3] == ["own", "chatml", "alpaca"]
    said = workbench("data", "templates", "capitals", "--row", "2").stdout
    assert "own, which the recipe takes: 13 tokens" in said
    assert "<|im_start|>user\n  What is the capital of Denmark?" in said
    assert "There is no row 999" in workbench.refused("data", "templates", "capitals", "--row", "999")
