"""Pretraining as a person runs it: it can be stopped, killed and resumed, and bad input gets a sentence."""

import contextlib
import io
import json
import signal
import subprocess
import sys
import time

import pytest
import torch

from workbench.core.models.skeleton import skeleton_from_json
from workbench.core.places import tiny_folder
from workbench.core.tiny.corpus import build_corpus
from workbench.engine.pretrain.__main__ import main
from workbench.engine.pretrain.muon import Muon, orthogonalise
from workbench.engine.pretrain.stream import Stream, find_inside_numbers, join_documents
from workbench.engine.pretrain.tokenizer import train_tokenizer

SMALL = ("--documents", "600", "--steps", "6", "--threads", "1", "--checkpoint-every", "2", "--json")
DEADLINE = 120


def command(target, *more):
    return [sys.executable, "-m", "workbench.engine.pretrain", "--to", str(target), *more]


def read_events(text):
    return [json.loads(line) for line in text.splitlines()]


def run(target, *more):
    return subprocess.run(command(target, *more), capture_output=True, text=True, timeout=DEADLINE, check=False)


def run_here(target, *more):
    """The same in this process, which has torch already."""
    out, err = io.StringIO(), io.StringIO()
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = main(["--to", str(target), *more])
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    return subprocess.CompletedProcess(["pretrain"], status, out.getvalue(), err.getvalue())


def wait_for_checkpoint(process, target, step):
    """Until a checkpoint of at least this step is complete."""
    end = time.monotonic() + DEADLINE
    progress = target / "pretraining" / "progress.json"
    while time.monotonic() < end:
        try:
            if json.loads(progress.read_text())["progress"]["step"] >= step:
                return
        except OSError:
            pass
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)
    raise AssertionError("no checkpoint in time")


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    target = tmp_path_factory.mktemp("whole") / "model"
    done = run_here(target, *SMALL)
    assert done.returncode == 0, done.stderr
    return target, read_events(done.stdout)


def test_a_finished_run_leaves_a_loadable_model_and_no_checkpoint(uninterrupted):
    target, events = uninterrupted
    names = {path.name for path in target.iterdir()}
    assert names == {path.name for path in tiny_folder().iterdir()}
    skeleton = skeleton_from_json(json.loads((target / "skeleton.json").read_text(encoding="utf-8")))
    assert skeleton.total_parameters == events[0]["parameters"]
    assert events[-1]["recall"]["capitals"][1] == 172
    assert [event["event"] for event in events][-3:] == ["recall", "base", "end"]
    card = (target / "README.md").read_text(encoding="utf-8")
    assert "600 short documents" in card
    assert "6 steps of 2,048 tokens" in card


@pytest.mark.parametrize(
    "blow",
    [
        pytest.param(signal.SIGKILL, id="killed with -9", marks=pytest.mark.slow),
        pytest.param(signal.SIGINT, id="stopped with ctrl-c", marks=pytest.mark.slow),
    ],
)
def test_pretraining_stopped_and_resumed_ends_on_the_same_weights_and_losses(tmp_path, uninterrupted, blow):
    target = tmp_path / "model"
    process = subprocess.Popen(command(target, *SMALL), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for_checkpoint(process, target, 2)
    process.send_signal(blow)
    process.communicate(timeout=DEADLINE)
    assert process.returncode == (130 if blow == signal.SIGINT else -signal.SIGKILL)
    done = run(target, "--resume", "--threads", "1", "--json")
    assert done.returncode == 0, done.stderr
    whole, events = uninterrupted
    resumed = read_events(done.stdout)
    assert 0 < resumed[0]["step"] < 6
    assert (target / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
    losses = {event["step"]: event["loss"] for event in events if event["event"] == "step"}
    again = {event["step"]: event["loss"] for event in resumed if event["event"] == "step"}
    assert again[6] == losses[6]


def test_resuming_where_nothing_was_started_is_one_sentence(tmp_path):
    done = run(tmp_path / "none", "--resume")
    assert done.returncode == 2
    assert done.stderr.strip() == (
        f"There is no pretraining run to resume in {tmp_path / 'none'}; start one without --resume."
    )


def test_a_folder_with_something_in_it_is_left_alone(tmp_path):
    (tmp_path / "precious.txt").write_text("keep")
    done = run(tmp_path, *SMALL)
    assert done.returncode == 2
    assert "is not an empty folder" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["precious.txt"]


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    done = run(tmp_path / "file" / "below", *SMALL)
    assert done.returncode == 2
    assert "cannot be made" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_damaged_checkpoint_is_one_sentence(tmp_path):
    (tmp_path / "pretraining").mkdir()
    (tmp_path / "pretraining" / "progress.json").write_text("{")
    done = run(tmp_path, "--resume")
    assert done.returncode == 2
    assert "cannot be read" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_batches_depend_on_nothing_but_the_step():
    documents = build_corpus(600)
    tokenizer = train_tokenizer(documents)
    tokens = join_documents(tokenizer, documents)
    inside = find_inside_numbers(tokenizer, tokens)
    forward = [Stream(tokens, inside, 5).batch(step) for step in range(20)]
    other = Stream(tokens, inside, 5)
    assert all(torch.equal(other.batch(step), forward[step]) for step in reversed(range(20)))
    assert not torch.equal(Stream(tokens, inside, 6).batch(0), forward[0])


def test_muon_moves_all_singular_values_near_one():
    torch.manual_seed(0)
    for shape in ((3, 128, 128), (2, 352, 128), (2, 128, 352)):
        values = torch.linalg.svdvals(orthogonalise(torch.randn(shape)))
        assert (values.median() - 0.95).abs() < 0.3
        assert values.max() < 1.3


def test_muon_steps_as_torch_does():
    torch.manual_seed(0)
    start, gradients = torch.randn(64, 32), torch.randn(4, 64, 32)
    ours, theirs = torch.nn.Parameter(start.clone()), torch.nn.Parameter(start.clone())
    steps = (
        Muon([ours], lr=0.02, momentum=0.95, weight_decay=0.01),
        torch.optim.Muon([theirs], lr=0.02, momentum=0.95, weight_decay=0.01, adjust_lr_fn="original"),
    )
    for gradient in gradients:
        for parameter, optimizer in zip((ours, theirs), steps, strict=True):
            parameter.grad = gradient.clone()
            optimizer.step()
    moved = (theirs - start).norm()
    assert (ours - theirs).norm() < 0.02 * moved  # theirs iterates in bfloat16


def test_a_corpus_too_short_for_one_batch_is_one_sentence(tmp_path):
    done = run_here(tmp_path / "model", "--documents", "3", "--steps", "2")
    assert done.returncode == 2
    assert done.stderr.strip() == "A corpus of 3 documents fills no batch; use more with --documents."


def test_resuming_with_another_seed_is_refused(tmp_path):
    (tmp_path / "pretraining").mkdir()
    written = {"settings": {"seed": 0, "steps": 9, "documents": 600}, "progress": {"step": 2, "seconds": 1.0}}
    (tmp_path / "pretraining" / "progress.json").write_text(json.dumps(written))
    done = run(tmp_path, "--resume", "--seed", "1")
    assert done.returncode == 2
    assert done.stderr.strip() == "The stopped run began with --seed 0, not 1; resume it without --seed."


@pytest.mark.parametrize("wrong", [("--steps", "0"), ("--seed", "-1"), ("--threads", "many")])
def test_a_number_that_is_none_is_refused(tmp_path, wrong):
    done = run(tmp_path / "model", *wrong)
    assert done.returncode == 2
    assert "is not a whole number from" in done.stderr
    assert not (tmp_path / "model").exists()


def test_no_window_begins_inside_a_number():
    documents = ["10 plus 10 is 20."] * 4000
    tokenizer = train_tokenizer(documents)
    tokens = join_documents(tokenizer, documents)
    inside = find_inside_numbers(tokenizer, tokens)
    firsts = {int(row[0]) for seed in range(12) for row in Stream(tokens, inside, seed).batch(0)}
    assert tokenizer.convert_tokens_to_ids("1") in firsts
    assert tokenizer.convert_tokens_to_ids("0") not in firsts
