"""`workbench …` as a real process, as the tests call it."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

RUN = "taught"

SMALL = (
    "--set", "training.steps=20", "--set", "training.score_rows=8", "--set", "training.evaluate_every=10",
    "--set", "training.checkpoint_every=10", "--set", "training.threads=1",
)  # fmt: skip


class CommandLine:
    """`workbench …` in one workspace."""

    def __init__(self, workspace, folder):
        self.workspace = Path(workspace)
        self.folder = Path(folder)

    def environment(self, **more):
        kept = {
            key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "COLUMNS", "WORKBENCH_DEBUG")
        }
        return {**kept, "WORKBENCH_HOME": str(self.workspace), "HF_HUB_OFFLINE": "1", "PYTHONUTF8": "1", **more}

    def __call__(self, *arguments, input="", timeout=120, cwd=None, **environment):
        return subprocess.run(
            [sys.executable, "-m", "workbench", *map(str, arguments)],
            capture_output=True,
            text=True,
            input=input,
            timeout=timeout,
            cwd=cwd or self.folder,
            env=self.environment(**environment),
        )

    def start(self, *arguments, cwd=None, **environment):
        """The command as a process that goes on."""
        return subprocess.Popen(
            [sys.executable, "-m", "workbench", *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=cwd or self.folder,
            env=self.environment(**environment),
        )

    def document(self, *arguments, **rest):
        """The JSON document of a command that succeeds; nothing else may stand on its standard output."""
        done = self(*arguments, "--json", **rest)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def refused(self, *arguments, status=2, **rest):
        """The one sentence of a command that fails."""
        done = self(*arguments, **rest)
        assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
        assert "Traceback" not in done.stderr
        lines = done.stderr.strip().splitlines()
        assert len(lines) == 1, done.stderr
        return lines[0]


def wait_for(condition, seconds=60.0):
    """The first true value of `condition`; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError("it did not come about in time")
