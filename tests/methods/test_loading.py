"""The code with which a result is loaded outside runs as it stands, also for kinds that PEFT has not."""

import os
import subprocess
import sys

import pytest
import torch
from proof import build, load, recipe_for
from test_peft_configs import OWN
from transformers import AutoModelForCausalLM, AutoTokenizer

from workbench.core.places import tiny_folder
from workbench.core.recipe import recipe_from_mapping
from workbench.core.runs.loading import loading_code, opens_with_peft
from workbench.engine.methods.stored import open_adapter, save_adapter

METHODS = {
    "houlsby": {"name": "houlsby"},
    "fusion": {"name": "fusion"},
    "bitfit": {"name": "bitfit", "add_missing": True},
    "own": {"name": "peft", "kind": "THIN"},
}


def shaken(method, seed=0):
    """A built method whose trained numbers do something."""
    model = build(tiny_folder(), recipe_for(method, seed=seed))
    torch.manual_seed(seed)
    with torch.no_grad():
        for one in model.parameters():
            if one.requires_grad:
                one.add_(0.3 * torch.randn_like(one))
    return model


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
def test_the_code_that_loads_a_result_of_our_own_kind_runs_and_answers_as_it_does_here(name, tmp_path):
    method = dict(METHODS[name])
    if name == "fusion":
        method["adapters"] = [str(tmp_path / str(seed)) for seed in (1, 2)]
        for seed, place in enumerate(method["adapters"]):
            save_adapter(shaken({"name": "pfeiffer"}, seed), tmp_path / place)
    if name == "own":
        method["module"] = str(tmp_path / "thin.py")
        (tmp_path / "thin.py").write_text(OWN)
    save_adapter(shaken(method), tmp_path / "adapter")
    recipe = recipe_from_mapping({"method": method})
    assert not opens_with_peft(tmp_path / "adapter", recipe)
    code = loading_code(recipe, tmp_path / "adapter", "float32", "What is the capital of Kenya?")
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=200, cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    tokenizer = AutoTokenizer.from_pretrained(tiny_folder())
    question = [{"role": "user", "content": "What is the capital of Kenya?"}]
    prompt = tokenizer.apply_chat_template(question, add_generation_prompt=True, return_tensors="pt", return_dict=True)

    def said(model):
        given = model.generate(**prompt, max_new_tokens=40, do_sample=False)[0, prompt["input_ids"].shape[1] :]
        return tokenizer.decode(given, skip_special_tokens=True)

    here = said(open_adapter(load(tiny_folder(), recipe_for({"name": "lora"})), tmp_path / "adapter"))
    assert done.stdout.strip() == here.strip()
    assert here != said(AutoModelForCausalLM.from_pretrained(tiny_folder()).eval())
