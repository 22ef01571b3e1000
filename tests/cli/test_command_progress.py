"""Long work on data says how far it is where somebody looks, and ctrl-c ends it in one sentence."""

import json
import os
import pty
import signal
import subprocess
import sys
import time

import psutil
import pytest


class Watched:
    """A command whose standard error is a terminal, and its standard output a pipe or the same terminal."""

    def __init__(self, workbench, *arguments, piped):
        self.mine, theirs = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "workbench", *map(str, arguments)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE if piped else theirs, stderr=theirs,
            cwd=workbench.folder, env=workbench.environment(),
        )  # fmt: skip
        os.close(theirs)
        self.seen = ""

    def read(self, until="", seconds=120):
        """What stands on the terminal, up to a text or the end."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not (until and until in self.seen):
            try:
                piece = os.read(self.mine, 65536)
            except OSError:  # its end
                break
            if not piece:
                break
            self.seen += piece.decode("utf-8", "replace")
        return self.seen


@pytest.fixture
def large(workbench):
    file = workbench.folder / "large.jsonl"
    rows = "".join(
        json.dumps({"instruction": f"ask {number} {'and so on ' * 20}", "output": f"say {number}"}) + "\n"
        for number in range(1000)
    )
    with file.open("w") as out:
        for _ in range(400):
            out.write(rows)
    return file


def test_inspect_says_how_far_it_is_and_ctrl_c_ends_it_in_one_sentence(workbench, large):
    watched = Watched(workbench, "inspect", large, piped=False)
    assert " rows; ctrl-c stops." in watched.read(until="ctrl-c stops.")
    below = psutil.Process(watched.process.pid).children(recursive=True)
    watched.process.send_signal(signal.SIGINT)
    said = watched.read().rpartition("\x1b[K")[2].strip()
    assert watched.process.wait(60) == 130
    assert said == "Stopped; no run was touched."
    assert not [child for child in below if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]


def test_a_document_for_another_program_comes_without_progress(workbench, large):
    watched = Watched(workbench, "data", "search", large, "--text", "no such words at all", "--json", piped=True)
    assert watched.read() == ""
    assert json.loads(watched.process.stdout.read())["searched"] == 400_000
    assert watched.process.wait(60) == 0


def test_quick_work_says_nothing_of_itself(workbench):
    watched = Watched(workbench, "data", "search", "capitals", "--text", "Peru", piped=True)
    assert watched.read() == ""
    assert watched.process.wait(60) == 0
