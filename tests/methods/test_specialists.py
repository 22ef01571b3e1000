"""Adapters swap like specialists: one base, an adapter a task, switched in a chat, and fused into one that does both."""

import json
import subprocess
import sys
import time

import pytest

from workbench.core.helper import Helper
from workbench.core.places import Workspace

pytestmark = pytest.mark.slow

TASKS = ("capitals", "sentiment")

ENOUGH = 0.9
"""Share of a task's held-out questions that its own adapter, and the fusion of both, answer right."""

QUICK = 0.1
"""Seconds that a switch may take."""

QUESTIONS = {
    "capitals": ("What is the capital of Kenya?", "Nairobi."),
    "sentiment": ("Rate this review: The soup was delightful.", "positive"),
}


def workbench(workspace, *words):
    """`workbench …` as a person types it, in that workspace and in no folder of note."""
    done = subprocess.run(
        [sys.executable, "-m", "workbench", "--workspace", str(workspace.root), *words],
        capture_output=True, text=True, timeout=900, cwd=workspace.root,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """Both specialists, trained apart, and their fusion, trained on the rows of both: by the README's commands."""
    made = Workspace(tmp_path_factory.mktemp("home"))
    threads = ("--set", "training.threads=1")
    for task in TASKS:
        workbench(made, "train", task, "--name", task, "--set", "method.name=pfeiffer", *threads)
    workbench(made, "train", "two_tasks", "--name", "fused", *threads)
    return made


def test_each_specialist_knows_its_task_and_the_fusion_knows_both(workspace):
    facts = {one["run"]: one for one in json.loads(workbench(workspace, "compare", *TASKS, "fused", "--json"))}
    print({name: (one["score"], one["scored"], one["seconds"]) for name, one in facts.items()})
    assert all(facts[task]["score"] >= ENOUGH for task in TASKS)
    assert facts["fused"]["scored"] == 182
    assert facts["fused"]["score"] >= ENOUGH


def test_the_fusion_answers_both_tasks_in_a_chat(workspace):
    asked = [word for question, _ in QUESTIONS.values() for word in ("--prompt", question)]
    answers = json.loads(workbench(workspace, "chat", "fused", *asked, "--max-tokens", "12", "--json"))
    assert [one["tuned"].strip() for one in answers] == [expected for _, expected in QUESTIONS.values()]


async def test_specialists_are_switched_in_a_chat_in_under_a_tenth_of_a_second(workspace):
    helper = Helper(workspace)
    try:
        for task in TASKS:  # the first time, each is read from disk
            await helper.request("open_chat", run=str(workspace.runs / task))
        took = []
        for task in TASKS * 3:
            began = time.perf_counter()
            opened = await helper.request("open_chat", run=str(workspace.runs / task))
            took.append(time.perf_counter() - began)
            assert opened["shares_base"]
            question, expected = QUESTIONS[task]
            said = await helper.request(
                "chat", messages=[{"role": "user", "content": question}], sides=["tuned"], max_new_tokens=12
            )
            assert said["tuned"].strip() == expected
        print([round(seconds, 4) for seconds in took])
        assert sorted(took)[len(took) // 2] < QUICK
    finally:
        await helper.close()
