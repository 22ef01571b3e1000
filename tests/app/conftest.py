"""What the tests of the app share."""

from __future__ import annotations

from pathlib import Path

import pytest
from waiting import wait_for

from workbench.core.places import Workspace, find_workspace

__all__ = ["wait_for"]


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """An empty workspace."""
    return find_workspace(tmp_path / "workspace")
