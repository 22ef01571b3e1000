"""On the bundled model every method learns to answer, with its own defaults, in seconds: the table of a seminar."""

import json
import resource
import subprocess
import sys

import pytest
from test_method_runs import prepared, train

pytestmark = pytest.mark.slow

METHODS = {
    "full": {"name": "full"},
    "lora": {"name": "lora"},
    "qlora": {"name": "qlora"},
    "dora": {"name": "lora", "dora": True},
    "houlsby": {"name": "houlsby"},
    "pfeiffer": {"name": "pfeiffer"},
    "parallel": {"name": "parallel"},
    "ia3": {"name": "ia3"},
    "bitfit": {"name": "bitfit", "add_missing": True},
    "prefix": {"name": "prefix"},
    "prompt": {"name": "prompt"},
    "p-tuning": {"name": "p-tuning"},
    "llama-adapter": {"name": "llama-adapter"},
    "layernorm": {"name": "layernorm"},
    "adalora": {"name": "adalora"},
    "vera": {"name": "vera"},
    "oft": {"name": "oft"},
    "miss": {"name": "miss"},
}
"""Nothing is set but what makes the method what it is: on a model without biases, BitFit adds some."""

TRAINING = {
    "micro_batch": 16, "effective_batch": 16, "score_rows": 86, "evaluate_every": 0, "checkpoint_every": 0,
    "threads": 1,
}  # fmt: skip

ENOUGH = 0.95
"""Share of the held-out capitals that every method names."""

PLACES = {"full": 1.0, "lora": 1.0, "prefix": 1.0, "ia3": 0.99, "bitfit": 0.99}
"""What was reached by the prototype with which this base model was first tried, to two figures."""

PATIENCE = 30.0
"""Seconds that training may take on two cores; on a busy machine, of a processor's time for all that the run does."""


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return tmp_path_factory.mktemp("home") / "runs"


@pytest.mark.parametrize("name", METHODS)
def test_a_method_answers_nearly_all_held_out_capitals_with_its_own_defaults(name, runs):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    answer, _ = train(prepared(runs / name, METHODS[name], steps=160, **TRAINING))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert answer.returncode == 0, answer.stdout
    facts = json.loads((runs / name / "facts.json").read_text())
    assert facts["base_score"] == 0.0
    assert facts["score"] >= ENOUGH
    assert round(facts["score"], 2) >= PLACES.get(name, ENOUGH)
    busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert min(facts["seconds"], busy) <= PATIENCE


def test_compare_prints_the_table_of_them_all(runs, tmp_path):
    made = [name for name in METHODS if (runs / name / "facts.json").is_file()]
    if len(made) < len(METHODS):
        pytest.skip("not every method has been run")
    answer = subprocess.run(
        [sys.executable, "-m", "workbench", "--workspace", str(runs.parent), "compare", "--markdown", *made],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    lines = [line for line in answer.stdout.splitlines() if line.startswith("|")]
    assert len(lines) == 2 + len(METHODS)
    print(answer.stdout)
