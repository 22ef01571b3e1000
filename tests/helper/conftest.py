"""What the tests of the helper share."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from raw_helper import RawHelper

from workbench.core.places import Workspace, find_workspace

sys.path.insert(0, str(Path(__file__).parent.parent / "engine"))  # made_runs


@pytest.fixture(autouse=True)
def one_thread(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    return find_workspace(tmp_path / "workspace")


@pytest.fixture
def raw_helper(workspace):
    started = []

    def start(**environment: str) -> RawHelper:
        started.append(RawHelper(workspace, **environment))
        return started[-1]

    yield start
    for helper in started:
        if helper.process.poll() is None:
            helper.process.kill()
            helper.process.wait()
