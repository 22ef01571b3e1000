"""The tables of measured runs that the estimate was held against, as the app, its help and the command show them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from workbench.app.panes.memory.elsewhere import elsewhere_help, elsewhere_view
from workbench.core.memory.accuracy import Held, accuracy_tables, keep_table
from workbench.core.words import size_text

ROWS = [Held("a", 1000, 1010, 1000), Held("b", 1000, 970, 1050), Held("c", 1000, 1000, 990)]


def test_a_table_comes_back_from_its_file_with_its_middle_and_its_worst_error(tmp_path):
    table = keep_table(tmp_path / "x.json", "Measured", "reserved", "GPU", {"torch": "2"}, "two steps", ROWS)
    assert table.rows == tuple(ROWS)
    assert table.middle == pytest.approx(0.01)
    assert table.worst == pytest.approx(-0.03)
    assert "3 configurations on GPU" in table.sentence
    assert "3.0% too low at worst" in table.sentence


LIMITS = {"reserved": (0.03, 0.08), "allocated": (0.005, 0.005)}
"""Largest middle and worst error of the trace: of what CUDA reserves, and of what real steps allocate."""

PUBLISHED = (0.01, 0.06)
"""The same, of what others have published."""


@pytest.mark.parametrize("table", accuracy_tables(), ids=lambda table: table.title)
def test_every_kept_table_says_when_where_and_with_what_it_was_measured_and_keeps_the_promise(table):
    assert table.rows
    assert table.date and table.device and table.source and table.versions["torch"]
    middle, worst = PUBLISHED if table.title == "Published by others" else LIMITS[table.of]
    assert table.middle <= middle
    assert abs(table.worst) <= worst


def test_the_help_of_the_memory_pane_lists_every_measured_run():
    said = elsewhere_help()
    for table in accuracy_tables():
        assert table.sentence in said
        assert table.sentence in elsewhere_view().plain
        for row in table.rows:
            assert row.what in said
            assert size_text(row.measured) in said


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_bench_measures_real_steps_here_and_holds_the_trace_against_them(tmp_path):
    bench = str(Path(__file__).parents[1] / "bench" / "measured_memory.py")
    told = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    lines = tmp_path / "measured.jsonl"
    for words in (["measure", "--to", str(lines), "--only", "dropout 0.1"], ["compare", str(lines)]):
        done = subprocess.run([sys.executable, bench, *words], capture_output=True, text=True, env=told)
        assert done.returncode == 0, done.stderr
    measured = json.loads(lines.read_text())
    assert measured["measured"]["allocated"] > 0
    assert "1 configurations" in done.stdout
