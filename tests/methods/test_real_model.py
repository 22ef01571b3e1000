"""On a real model and real instructions every method lowers the held-out loss below the base's, in a few steps.

`WORKBENCH_REAL_MODEL` names a model (a folder, or a .gguf such as SmolLM2-135M-Instruct's) and
`WORKBENCH_REAL_DATA` a file of instructions. It takes a minute or so for each method on two quiet cores.
"""

import json
import os
import subprocess
import sys

import pytest
import yaml

from workbench.core.places import Workspace

MODEL, DATA = os.environ.get("WORKBENCH_REAL_MODEL"), os.environ.get("WORKBENCH_REAL_DATA")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(not (MODEL and DATA), reason="WORKBENCH_REAL_MODEL and WORKBENCH_REAL_DATA name none"),
]

METHODS = {
    "LoRA": {"name": "lora", "targets": "q+v"},
    "QLoRA": {"name": "qlora", "targets": "q+v"},
    "DoRA": {"name": "lora", "targets": "q+v", "dora": True},
    "Houlsby": {"name": "houlsby"},
    "IA3": {"name": "ia3"},
    "prefix": {"name": "prefix"},
    "BitFit": {"name": "bitfit", "add_missing": True},
}

STEPS = int(os.environ.get("WORKBENCH_REAL_STEPS", "12"))


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """One for all, so that the model is made ready once."""
    made = Workspace(tmp_path_factory.mktemp("home"))
    made.runs.mkdir()
    return made


@pytest.mark.parametrize("name", METHODS)
def test_a_method_lowers_the_held_out_loss_with_its_own_defaults(name, workspace):
    folder = workspace.runs / name
    folder.mkdir()
    recipe = {
        "model": {"path": MODEL},
        "data": {"source": DATA, "first": 100, "held_out": 0.12, "max_length": 96},
        "method": METHODS[name],
        "training": {
            "steps": STEPS, "micro_batch": 4, "effective_batch": 4, "score_rows": 0, "evaluate_every": 0,
            "checkpoint_every": 0,
        },
    }  # fmt: skip
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    done = subprocess.run(
        [sys.executable, "-m", "workbench.engine.train", str(folder)], capture_output=True, text=True, timeout=1700
    )
    assert done.returncode == 0, done.stdout
    facts = json.loads((folder / "facts.json").read_text())
    print(name, {key: facts[key] for key in ("base_loss", "held_out_loss", "trainable_parameters", "seconds")})
    assert facts["held_out_loss"] < facts["base_loss"]
