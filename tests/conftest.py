"""What holds for every test."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

os.environ.setdefault("TORCHDYNAMO_DISABLE", "1")  # as in every process of the engine


@pytest.fixture(scope="session", autouse=True)
def no_workspace_at_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What a test keeps without naming a workspace stays out of the home folder of whoever runs it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKBENCH_HOME", str(tmp_path_factory.mktemp("home")))
        yield
