"""Adapters swap like specialists: one base, an adapter a task, switched in a chat, and fused into one that does both."""

import json
import time

import pytest
import yaml
from test_method_runs import train

from workbench.core.helper import Helper
from workbench.core.places import Workspace, sample_folder

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


def run(workspace, name, source, held_out, method, steps=160):
    folder = workspace.runs / name
    folder.mkdir(parents=True)
    recipe = {
        "model": {"path": "tiny"},
        "data": {"source": str(source), "held_out": str(held_out)},
        "method": method,
        "training": {
            "steps": steps, "micro_batch": 16, "effective_batch": 16, "score_rows": 200, "evaluate_every": 0,
            "checkpoint_every": 0, "threads": 1,
        },
    }  # fmt: skip
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    answer, _ = train(folder)
    assert answer.returncode == 0, answer.stdout
    return json.loads((folder / "facts.json").read_text())


def samples(task):
    return sample_folder() / f"{task}.jsonl", sample_folder() / f"{task}.held_out.jsonl"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """Both specialists, trained apart, and their fusion, trained on the rows of both."""
    made = Workspace(tmp_path_factory.mktemp("home"))
    facts = {task: run(made, task, *samples(task), {"name": "pfeiffer"}) for task in TASKS}
    both = [made.root / "both.jsonl", made.root / "both.held_out.jsonl"]
    for place, files in zip(both, zip(*(samples(task) for task in TASKS), strict=True), strict=True):
        place.write_text("".join(file.read_text() for file in files))
    adapters = [str(made.runs / task) for task in TASKS]
    facts["fused"] = run(made, "fused", *both, {"name": "fusion", "adapters": adapters})
    (made.root / "facts.json").write_text(json.dumps(facts))
    return made


def test_each_specialist_knows_its_task_and_the_fusion_knows_both(workspace):
    facts = json.loads((workspace.root / "facts.json").read_text())
    print({name: (one["score"], one["scored"], one["seconds"]) for name, one in facts.items()})
    assert all(facts[task]["score"] >= ENOUGH for task in TASKS)
    assert facts["fused"]["scored"] == 182
    assert facts["fused"]["score"] >= ENOUGH


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
