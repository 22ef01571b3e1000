"""A command line in a workspace of its own, and one small run that many tests look at."""

import pytest
from command_line import RUN, SMALL, CommandLine


@pytest.fixture
def workbench(tmp_path):
    """The command line in a workspace of its own."""
    return CommandLine(tmp_path / "home", tmp_path)


@pytest.fixture(scope="session")
def taught(tmp_path_factory):
    """The command line in a workspace with one finished run, and what `train --json` said of it."""
    folder = tmp_path_factory.mktemp("taught")
    line = CommandLine(folder / "home", folder)
    line.said = line.document("train", "capitals", *SMALL, "--name", RUN, timeout=240)
    line.run = line.workspace / "runs" / RUN
    return line
