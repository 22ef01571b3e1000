"""Worker processes: the same tokens, masks and findings as without them, and none is left behind."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from unittest import mock

import psutil
import pytest

from workbench.core.data.conversations.turns import Conversation, Message, read_turns
from workbench.core.data.inspect import inspect_data
from workbench.core.data.templates.render import choose_template
from workbench.core.data.tokens import encode
from workbench.core.data.tokens.batches import Job, encode_batch
from workbench.core.data.tokens.encode import encode_stream
from workbench.core.data.tokens.shelf import Shelf
from workbench.core.data.tokens.tokenizer import open_tokenizer
from workbench.core.data.tokens.workers import encode_by_workers
from workbench.core.places import tiny_folder
from workbench.core.recipe import Recipe, change_recipe

TEMPLATE = choose_template(open_tokenizer(tiny_folder()))
WORKER = "workbench.core.data.tokens.worker"


def talk(number):
    said = f"the {number}th answer 🦊 " * (1 + number % 7)
    turns = [{"role": "user", "content": f"ask {number % 900}"}, {"role": "assistant", "content": said}]
    if number % 11 == 0:
        turns.insert(0, {"role": "narrator" if number % 22 else "system", "content": "be <|endoftext|> brief"})
        turns[0]["role"] = "tool" if number % 22 else "system"  # a role that the template refuses
    if number % 13 == 0:
        turns[-1]["weight"] = 0
        turns += [{"role": "user", "content": "more"}, {"role": "assistant", "content": "x", "reasoning": "hm"}]
    return read_turns(number, turns, {})


def seen(found):
    return [(item.row, done.example, done.error and done.error.sentence, done.look) for item, done in found]


def children():
    found = psutil.Process().children(recursive=True)
    return [child for child in found if child.is_running() and WORKER in " ".join(child.cmdline())]


def wait_until(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("train_on", ["answers", "last_answer", "completion", "everything"])
def test_workers_give_what_this_process_gives_in_the_same_order(train_on):
    talks = [item for item in map(talk, range(3000)) if item.problem is None]
    job = Job(TEMPLATE, train_on, looks=True)
    here = seen(zip(talks, encode_batch(talks, job), strict=True))
    assert seen(encode_stream(talks, job)) == here
    assert any(error for _, _, error, _ in here)
    assert not children()


def test_a_row_of_other_than_plain_values_is_done_here():
    odd = Conversation(0, (Message("user", "a"), Message("assistant", "b", {"name": Path("x")})))
    found = list(encode_by_workers([[odd]], Job(TEMPLATE)))
    assert seen(found) == seen([(odd, encode_batch([odd], Job(TEMPLATE))[0])])


def test_the_work_of_workers_that_are_killed_is_done_all_the_same():
    talks = [item for item in map(talk, range(6000)) if item.problem is None]
    job = Job(TEMPLATE, looks=True)
    found = encode_stream(talks, job)
    first = [next(found)]
    for child in children():
        child.kill()
    assert seen([*first, *found]) == seen(zip(talks, encode_batch(talks, job), strict=True))


def test_whoever_goes_ends_the_workers():
    found = encode_stream(map(talk, range(1, 10**9)), Job(TEMPLATE))
    next(found)
    assert children()
    found.close()
    assert not children()

    class Gone(BaseException):
        pass

    def check():
        raise Gone

    wide = Conversation(0, (Message("user", "a"), Message("assistant", "x" * 6_000_000)))
    started = time.monotonic()
    with pytest.raises(Gone):
        list(encode_stream([wide], Job(TEMPLATE), check))
    assert time.monotonic() - started < 5
    assert not children()


def test_workers_end_when_their_process_is_killed():
    code = (
        "from tests.data.test_workers import *\n"
        "found = encode_stream(map(talk, range(1, 10**9)), Job(TEMPLATE)); next(found)\n"
        "print(*[child.pid for child in children()], flush=True)\n"
        "for _ in found: pass\n"
    )
    root = Path(__file__).parents[2]
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=root)
    try:
        pids = list(map(int, process.stdout.readline().split()))
        assert pids
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    wait_until(lambda: not any(psutil.pid_exists(pid) for pid in pids))


def test_a_worker_imports_no_torch():
    code = (
        f"import {WORKER}, sys; print([name for name in ('torch', 'transformers', 'textual') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_rows_on_a_shelf_are_those_that_were_put_there():
    talks = [item for item in map(talk, range(400)) if item.problem is None]
    rows = [done.example for done in encode_batch(talks, Job(TEMPLATE)) if done.example]
    for held in (0, 1000, 1 << 30):
        shelf = Shelf(held)
        for row in rows:
            shelf.append(row)
        assert list(shelf) == rows
        assert [len(row) for row in shelf] == [len(row) for row in rows]
        for one, other in zip(shelf, rows, strict=True):
            for name in ("ids", "trained", "trained_tokens", "all_trained", "first_trained", "last_trained"):
                assert getattr(one, name) == getattr(other, name)
            assert one.token_at(-1) == other.token_at(-1)
            assert one.piece(1, 3, 2) == other.piece(1, 3, 2)


def test_a_report_is_the_same_with_and_without_workers(tmp_path):
    file = tmp_path / "x.jsonl"
    with file.open("w") as out:
        for number in range(2500):
            asked = f"question {number % 2000} about this and that and some other thing of the week"
            out.write(json.dumps({"instruction": asked, "output": f"see {number % 9}: me@example.org"}) + "\n")
    recipe = change_recipe(Recipe(), {"data.source": str(file), "data.max_length": 64})
    told = []
    report = inspect_data(recipe, tiny_folder(), 3, lambda done, total: told.append((done, total)))
    assert told[-1] == (2500, 2500)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    with mock.patch.object(encode, "FEW_ROWS", 10**9):
        assert inspect_data(recipe, tiny_folder(), 3) == report
