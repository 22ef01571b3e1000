"""The helper as a process: its wire, its life and its death."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from raw_helper import RawHelper

from workbench.core.errors import UserError
from workbench.core.places import find_workspace
from workbench.core.recipe import Recipe, recipe_to_mapping
from workbench.engine.helper.requests import serve
from workbench.engine.helper.wire import Wire

RECIPE = recipe_to_mapping(Recipe())
ROWS = {"recipe": RECIPE, "start": 0, "count": 2}
ENDLESS = {
    "model": {"path": "tiny"}, "messages": [{"role": "user", "content": "Hello"}], "temperature": 50.0,
    "max_new_tokens": 500,
}  # fmt: skip
"""At this temperature an end token is one of 3,072, so the answer goes on for seconds."""


def until(true, deadline=60.0):
    end = time.monotonic() + deadline
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def test_nonsense_lines_are_answered_and_do_no_harm(raw_helper):
    helper = raw_helper()
    for nonsense in (b"", b"nonsense", b"\xff\xfe\x00", b"[1, 2]", b"{}", b'{"do": 7, "id": 1}', b'{"do": "rows"}',
                     b'{"id": 1, "do": "rows", "args": 5}', b"[" * 100_000):  # fmt: skip
        helper.send(nonsense)
    helper.send({"id": 3, "do": "conquer", "args": {}})
    helper.send({"do": "cancel", "id": 99})
    helper.send({"id": 4, "do": "rows", "args": {}})
    helper.send({"id": 5, "do": "rows", "args": ROWS})
    assert len(helper.answer(5)["result"]["rows"]) == 2
    replies = [json.loads(line) for line in helper.lines]
    assert sum(reply["id"] is None for reply in replies) == 8
    by_id = {reply["id"]: reply for reply in replies}
    assert "'conquer'" in by_id[3]["error"]
    assert by_id[4]["error"] == "The helper was asked for rows without recipe."
    assert not any(reply.get("user") for reply in replies)


def has_torch(helper):
    return "libtorch" in Path(f"/proc/{helper.process.pid}/maps").read_text()


class Talking(RawHelper):
    """A helper that has looked at data, and then took tiny into memory; with what was seen of it on the way."""

    def begin(self):
        self.send({"id": 101, "do": "inspect", "args": {"recipe": RECIPE, "masks": 1}})
        self.send({"id": 102, "do": "rows", "args": ROWS})
        self.send({"id": 103, "do": "prepare", "args": {"model": {"path": "tiny"}}})
        for _ in (1, 2, 3):
            self.wait_for(lambda message: "result" in message)
        self.torch_for_data = MAPPED and has_torch(self)
        self.send({"id": 111, "do": "open_chat", "args": {"model": {"path": "tiny"}}})
        self.wait_for(lambda message: message.get("event") == "progress" and message["id"] == 111)
        self.send({"id": 112, "do": "rows", "args": ROWS})
        self.send({"id": 113, "do": "open_chat", "args": {"model": {"path": "tiny"}}})
        self.send({"do": "cancel", "id": 113})
        early = [self.wait_for(lambda message: "event" not in message) for _ in (1, 2)]
        self.early = {message["id"]: message for message in early}
        self.opened = self.answer(111)
        self.torch_for_chat = MAPPED and has_torch(self)
        self.lines.clear()


MAPPED = Path("/proc/self/maps").exists()
"""Linux says which libraries a process has mapped."""


@pytest.fixture(scope="module")
def talking(tmp_path_factory):
    """A helper with tiny in memory."""
    helper = Talking(find_workspace(tmp_path_factory.mktemp("talking")), OMP_NUM_THREADS="1")
    try:
        helper.begin()
        yield helper
    finally:
        helper.process.kill()
        helper.process.wait()


@pytest.mark.skipif(not MAPPED, reason="asks Linux which libraries a process has mapped")
def test_looking_at_data_loads_no_torch(talking):
    assert not talking.torch_for_data
    assert talking.torch_for_chat


def test_while_torch_is_being_imported_rows_are_answered_and_requests_cancelled(talking):
    assert list(talking.early[112]) == ["id", "result"]
    assert talking.early[113].get("cancelled") is True
    assert talking.opened["result"]["sides"] == ["base"]


def test_a_generation_stops_in_the_middle_when_cancelled(talking):
    talking.send({"id": 1, "do": "chat", "args": ENDLESS})
    talking.wait_for(lambda message: message.get("event") == "text")
    talking.send({"do": "cancel", "id": 1})
    assert talking.answer(1)["cancelled"] is True
    pieces = [line for line in talking.lines if json.loads(line).get("event") == "text"]
    assert 1 <= len(pieces) < 400
    talking.send({"id": 2, "do": "chat", "args": {**ENDLESS, "max_new_tokens": 1}})
    assert len(talking.answer(2)["result"]["base_ids"]) == 1


def test_chats_of_one_model_take_turns(talking):
    for number in (11, 12):
        talking.send({"id": number, "do": "chat", "args": {**ENDLESS, "max_new_tokens": 30, "seed": number}})
    for _ in (1, 2):
        talking.wait_for(lambda message: "result" in message)
    said = [message["id"] for message in map(json.loads, talking.lines) if message.get("event") in ("prompt", "text")]
    order = [number for number in said if number in (11, 12)]
    assert order in (sorted(order), sorted(order, reverse=True))
    assert set(order) == {11, 12}


def test_it_ends_with_its_standard_input_even_at_work(talking):
    """The last of those that talk with it."""
    talking.send({"id": 21, "do": "chat", "args": ENDLESS})
    talking.wait_for(lambda message: message.get("event") == "text" and message["id"] == 21)
    talking.process.stdin.close()
    assert talking.process.wait(timeout=10) == 0


def test_what_libraries_print_never_reaches_the_wire(raw_helper, tmp_path):
    noise = tmp_path / "noise"
    noise.mkdir()
    (noise / "sitecustomize.py").write_text(
        "import os, threading, time\n"
        "def loud():\n"
        "    while (os.fstat(1).st_dev, os.fstat(1).st_ino) != (os.fstat(2).st_dev, os.fstat(2).st_ino):\n"
        "        time.sleep(0.001)\n"
        "    while True:\n"
        "        os.write(1, b'noise from C')\n"
        "        print('noise from Python', flush=True)\n"
        "        time.sleep(0.001)\n"
        "threading.Thread(target=loud, daemon=True).start()\n"
    )
    helper = raw_helper(PYTHONPATH=str(noise))
    helper.send({"id": 1, "do": "rows", "args": ROWS})
    helper.answer(1)
    until(lambda: b"noise from C" in helper.log.read_bytes() and b"noise from Python" in helper.log.read_bytes())
    helper.send({"id": 2, "do": "rows", "args": ROWS})
    helper.answer(2)
    for line in helper.lines:
        assert set(json.loads(line)) <= {"id", "result", "event", "text", "done", "total"}


def test_ctrl_c_is_not_for_it_and_sigterm_is(raw_helper):
    helper = raw_helper()
    helper.send({"id": 1, "do": "rows", "args": ROWS})
    helper.answer(1)
    helper.process.send_signal(signal.SIGINT)
    helper.send({"id": 2, "do": "rows", "args": ROWS})
    assert "result" in helper.answer(2)
    helper.process.terminate()
    helper.process.wait(timeout=10)


def test_it_does_not_outlive_a_killed_parent(workspace):
    code = (
        "import asyncio, sys\n"
        "from workbench.core.helper import Helper\n"
        "from workbench.core.places import Workspace\n"
        "from pathlib import Path\n"
        "async def main():\n"
        "    helper = Helper(Workspace(Path(sys.argv[1])))\n"
        "    await helper.request('close_chat')\n"
        "    print(helper.pid, flush=True)\n"
        "    await asyncio.sleep(600)\n"
        "asyncio.run(main())\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code, str(workspace.root)], stdout=subprocess.PIPE, text=True)
    pid = int(parent.stdout.readline())
    assert psutil.pid_exists(pid)
    parent.kill()
    parent.wait()
    until(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)


@pytest.mark.parametrize(
    ("raised", "sentence", "user"),
    [
        (UserError("It is too small.", "more"), "It is too small.", True),
        (RuntimeError("first line\nsecond"), "RuntimeError: first line)", False),
        (MemoryError(), "The memory ran out", False),
        (OSError(28, "No space left on device"), "The disk is full", False),
        (SystemExit(3), "SystemExit: 3", False),
    ],
)
def test_every_error_becomes_a_sentence(raised, sentence, user):
    def fail(request):
        raise raised

    reading, writing = os.pipe()
    serve([b'{"id": 1, "do": "fail"}'], Wire(writing), {"fail": fail})
    with os.fdopen(reading, "rb") as wire:
        reply = json.loads(wire.readline())
    os.close(writing)
    assert sentence in reply["error"]
    assert "\n" not in reply["error"]
    assert reply["user"] is user
    assert ("Traceback" in reply["details"]) is not user
