"""Wrong input ends with one plain sentence, and help comes at once."""

import os
import re
import sqlite3
import subprocess
import sys

import pytest

from workbench.cli.parser import MODULES

VERBS = [verb for verb in MODULES if verb != "app"]


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(workbench, verb):
    done = workbench(verb, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith(f"usage: workbench {verb}")
    assert "--workspace" in done.stdout


def test_help_lists_every_verb_and_the_version_is_the_package_s(workbench):
    from workbench import __version__

    listed = workbench("--help").stdout
    assert all(re.search(rf"^    {verb} ", listed, re.MULTILINE) for verb in VERBS)
    assert workbench("--version").stdout == f"workbench {__version__}\n"


def test_the_help_of_train_lists_every_key_of_a_recipe_with_its_meaning(workbench):
    listed = " ".join(workbench("train", "--help").stdout.split())
    assert "training.micro_batch Rows that go through the model at once. [8]" in listed
    assert "method.quantisation (qlora)" in listed


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["trian"], "There is no command 'trian'; did you mean train?"),
        (["inspect", "capitals", "--shwo-mask", "2"], "workbench inspect has no option --shwo-mask; did you mean --show-mask?"),
        (["train"], "workbench train needs RECIPE; workbench train --help says more."),
        (["inspect", "capitals", "--max-length", "x"], "--max-length cannot be 'x', it takes a whole number from 8 up;"),
        (["train", "capitalz"], "There is no recipe named capitalz; give a file, or one of"),
        (["train", "./nowhere.yaml"], "There is no recipe at nowhere.yaml; check the path."),
        (["estimate", "--set", "method.rnk=4"], "method.rnk is not a key of a recipe; did you mean method.rank?"),
        (["estimate", "--set", "method.rank=0"], "method.rank cannot be 0; it takes a whole number from 1"),
        (["estimate", "--set", "method.rank=129"], "method.rank cannot be 129; q_proj is a 128×128 matrix"),
        (["estimate", "--set", "rank=4"], "The setting 'rank=4' is not of the form section.key=value"),
        (["estimate", "--method", "lorra"], "method.name cannot be 'lorra'; it takes "),
        (["inspect", "missing.json"], "There is no data at missing.json;"),
        (["inspect", "capitals", "--model", "./nowhere"], "There is no model at nowhere; check the path."),
        (["watch", "nobody"], "There is no run named nobody; workbench runs lists them."),
        (["watch", "latest"], "There are no runs yet; start one with: workbench demo"),
        (["compare", "nobody"], "There is no run named nobody"),
        (["demo", "--json"], "workbench demo --json tells no story; add --headless."),
        ([], "The app needs a terminal;"),
    ],
)  # fmt: skip
def test_wrong_input_gets_one_sentence_that_says_what_to_do(workbench, arguments, sentence):
    said = workbench.refused(*arguments)
    assert said.startswith(sentence)


def test_data_that_cannot_be_read_is_named_with_the_place(workbench):
    (workbench.folder / "empty.json").write_text("")
    (workbench.folder / "broken.jsonl").write_text('{"instruction": "a", "output": "b"}\n{"instruction": \n')
    with sqlite3.connect(workbench.folder / "rows.parquet") as base:
        base.execute("create table rows (a)")
    assert "is empty; give a file with at least one instruction" in workbench.refused("inspect", "empty.json")
    assert re.search(r"line 2\W.*not valid JSON", workbench.refused("inspect", "broken.jsonl"))
    assert "is not a whole .parquet file, though its name says so" in workbench.refused("inspect", "rows.parquet")


def test_an_unwritable_workspace_is_refused_whatever_the_verb(workbench):
    (workbench.folder / "a-file").write_text("")
    said = workbench.refused("runs", "--workspace", "a-file")
    assert "is a file; name a folder with --workspace or WORKBENCH_HOME" in said
    assert workbench.refused("--workspace", "a-file", "doctor") == said


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is unwritable for root")
def test_a_workspace_without_permission_is_refused(workbench):
    closed = workbench.folder / "closed"
    closed.mkdir(mode=0o500)
    assert "cannot be" in workbench.refused("runs", "--workspace", closed / "home")


def test_a_traceback_is_shown_on_request_only(workbench):
    done = workbench("watch", "nobody", WORKBENCH_DEBUG="1")
    assert done.returncode == 2
    assert "Traceback" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("There is no run named nobody")


def test_a_reader_that_closes_early_is_met_with_silence(workbench):
    command = f"{sys.executable} -m workbench train --help | head -n 1"
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, env=workbench.environment(), timeout=60
    )
    assert done.stdout.startswith("usage: workbench train")
    assert done.stderr == ""


def test_an_output_without_unicode_gets_plain_letters(workbench):
    done = workbench("estimate", PYTHONUTF8="0", PYTHONIOENCODING="ascii")
    assert done.returncode == 0
    assert done.stdout.isascii()
    assert "#" in done.stdout


def test_nothing_that_is_piped_holds_a_control_character(workbench):
    for verb in (["methods"], ["doctor"], ["estimate"], ["inspect", "capitals", "--show-mask", "1"]):
        assert "\x1b" not in workbench(*verb).stdout
