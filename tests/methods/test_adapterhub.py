"""AdapterHub's checkpoints, opened with our tuners.

With `ADAPTERHUB_PYTHON`, an interpreter whose environment has the library `adapters`, logits are compared with that
library's own: `python -m venv hub && hub/bin/pip install adapters` makes one.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from adapterhub_reference import IDS
from architectures import make
from proof import CLOSE, build, distance, load, recipe_for

from workbench.core.errors import UserError
from workbench.core.places import Workspace, tiny_folder
from workbench.core.recipe import load_recipe
from workbench.core.runs.folder import RunFolder
from workbench.engine.adopt.adapterhub import take_over
from workbench.engine.adopt.taking import adopt
from workbench.engine.methods.stored import open_adapter, save_adapter
from workbench.engine.skeletons import build_skeleton

HUB_PYTHON = os.environ.get("ADAPTERHUB_PYTHON")

SETTINGS = {
    "houlsby": {"mh_adapter": True, "output_adapter": True, "original_ln_before": False, "non_linearity": "swish"},
    "pfeiffer": {"mh_adapter": False, "output_adapter": True, "original_ln_before": True, "non_linearity": "relu"},
    "parallel": {
        "mh_adapter": False, "output_adapter": True, "original_ln_before": False, "non_linearity": "relu",
        "is_parallel": True, "scaling": 4.0,
    },
}  # fmt: skip
COMMON = {"original_ln_after": True, "residual_before_ln": True, "dropout": 0.0, "inv_adapter": None, "scaling": 1.0}
STEMS = {"llama": "model.layers", "gpt2": "transformer.h"}


@torch.no_grad()
def logits(model):
    return model.eval()(input_ids=torch.tensor(IDS)).logits


def checkpoint(folder, kind, model_type="llama", size=4, width=64, blocks=(0, 1), **settings):
    """An adapter's folder in AdapterHub's form, with tensors by chance."""
    folder.mkdir(parents=True)
    config = {**COMMON, **SETTINGS[kind], "reduction_factor": width / size, **settings}
    values = {"config": config, "hidden_size": width, "model_type": model_type, "name": "one", "version": "adapters.1.3.0"}  # fmt: skip
    (folder / "adapter_config.json").write_text(json.dumps(values))
    draw = torch.Generator().manual_seed(1)
    tensors = {}
    for block in blocks:
        for part in ("attention", "output") if config["mh_adapter"] else ("output",):
            stem = f"{STEMS[model_type]}.{block}.{part}_adapters.adapters.one"
            for name, shape in (
                ("adapter_down.0.weight", (size, width)), ("adapter_down.0.bias", (size,)),
                ("adapter_up.weight", (width, size)), ("adapter_up.bias", (width,)),
            ):  # fmt: skip
                tensors[f"{stem}.{name}"] = torch.randn(shape, generator=draw) * 0.1
    torch.save(tensors, folder / "pytorch_adapter.bin")
    return tensors


def ours(folder, kind, tensors, **knobs):
    """Our own adapter of that kind with those tensors, put in by the order of blocks and parts."""
    model = build(folder, recipe_for({"name": kind, **knobs}))
    layers = [one for one in model.modules() if hasattr(one, "bottleneck_adapters")]
    wanted = iter(tensors.values())
    with torch.no_grad():
        for layer in layers:
            inside = layer.bottleneck_adapters["default"]
            for one in (inside.down.weight, inside.down.bias, inside.up.weight, inside.up.bias):
                one.copy_(next(wanted))
    return model


@pytest.mark.parametrize("architecture", ["llama", "gpt2"])
@pytest.mark.parametrize("kind", SETTINGS)
def test_a_checkpoint_of_adapterhubs_is_our_adapter_with_its_tensors(kind, architecture, models, tmp_path):
    folder = make(models, architecture)
    tensors = checkpoint(tmp_path / "hub", kind, architecture)
    taken = take_over(load(folder, recipe_for({"name": "lora"})), build_skeleton(folder), tmp_path / "hub")
    knobs = {"houlsby": {"non_linearity": "silu"}, "pfeiffer": {}, "parallel": {"scale": 4.0, "reads": "stream"}}
    assert distance(logits(ours(folder, kind, tensors, **knobs[kind])), logits(taken)) == 0.0
    assert distance(logits(load(folder, recipe_for({"name": "lora"}))), logits(taken)) > 0.01
    save_adapter(taken, tmp_path / "ours")
    again = open_adapter(load(folder, recipe_for({"name": "lora"})), tmp_path / "ours")
    assert distance(logits(taken), logits(again)) == 0.0


@pytest.fixture
def run(tmp_path):
    """An empty run folder in a workspace."""
    made = RunFolder(tmp_path / "home" / "runs" / "taken")
    made.path.mkdir(parents=True)
    return made


def take(folder, run):
    return adopt(folder, "tiny", run, Workspace(run.path.parent.parent), lambda _: None)


def test_an_imported_adapter_is_a_run_whose_recipe_trains_such_an_adapter(run, tmp_path):
    checkpoint(tmp_path / "hub", "houlsby", width=128, blocks=(1, 3))
    facts = take(tmp_path / "hub", run)
    recipe = load_recipe(run.recipe)
    assert recipe.method.name == "houlsby"
    assert recipe.method.knobs["layers"] == "1,3"
    assert recipe.method.knobs["non_linearity"] == "silu"
    counted = recipe.method.facts.count(build_skeleton(tiny_folder()), recipe.method.knobs).total
    assert facts["trainable_parameters"] == counted == 4 * (2 * 128 * 4 + 128 + 4)
    assert (run.adapter / "adapter_model.safetensors").is_file()


@pytest.mark.parametrize("method", [{"name": "lora", "rank": 2}, {"name": "prefix"}, {"name": "fusion"}], ids=str)
def test_pefts_own_folders_are_taken_as_they_are(method, run, tmp_path):
    if method["name"] == "fusion":
        for seed in (1, 2):
            save_adapter(build(tiny_folder(), recipe_for({"name": "pfeiffer"}, seed=seed)), tmp_path / str(seed))
        method = {**method, "adapters": [str(tmp_path / "1"), str(tmp_path / "2")]}
    model = build(tiny_folder(), recipe_for(method))
    save_adapter(model, tmp_path / "given")
    facts = take(tmp_path / "given", run)
    assert facts["trainable_parameters"] == sum(one.numel() for one in model.parameters() if one.requires_grad)
    recipe = load_recipe(run.recipe)
    counted = recipe.method.facts.count(build_skeleton(tiny_folder()), recipe.method.knobs).total
    assert counted == facts["trainable_parameters"]
    assert (
        distance(logits(model), logits(open_adapter(load(tiny_folder(), recipe_for({"name": "lora"})), run.adapter)))
        == 0.0
    )


def test_an_adapter_that_changes_the_base_itself_is_not_taken_over(run, tmp_path):
    from peft import LoraConfig, get_peft_model

    base = load(tiny_folder(), recipe_for({"name": "lora"}))
    config = LoraConfig(r=2, init_lora_weights="pissa", target_modules=["q_proj"], task_type="CAUSAL_LM")
    get_peft_model(base, config).save_pretrained(tmp_path / "given")
    with pytest.raises(UserError, match="changes the base's own weights"):
        take(tmp_path / "given", run)
    with pytest.raises(UserError, match="There is no adapter in"):
        take(tmp_path, run)


@pytest.mark.slow
def test_the_command_makes_a_run_to_chat_with_or_leaves_nothing_behind(tmp_path):
    def workbench(*words):
        return subprocess.run(
            [sys.executable, "-m", "workbench", "--workspace", str(tmp_path / "home"), *words],
            capture_output=True, text=True, timeout=240, cwd=tmp_path,
        )  # fmt: skip

    checkpoint(tmp_path / "hub", "pfeiffer", width=128, blocks=range(4))
    checkpoint(tmp_path / "other", "pfeiffer", width=64)
    done = workbench("import", "hub", "--name", "taken", "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["run"], said["state"], said["method"]) == ("taken", "finished", "pfeiffer")
    assert said["trainable_parameters"] == 4 * (2 * 128 * 4 + 128 + 4)
    for folder, reason in (("other", "is 64 wide and the model 128"), ("nowhere", "There is no folder")):
        done = workbench("import", folder, "--name", folder)
        assert done.returncode == 2
        assert reason in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
    assert [one.name for one in (tmp_path / "home" / "runs").iterdir()] == ["taken"]
    answers = json.loads(workbench("chat", "taken", "--prompt", "Hello.", "--max-tokens", "4", "--json").stdout)
    assert answers[0]["tuned_tokens"]


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"inv_adapter": "nice"}, r"set in a way that ours cannot be \(inv_adapter\)"),
        ({"ln_after": True}, r"set in a way that ours cannot be \(ln_after\)"),
        ({"architecture": "prompt_tuning"}, "is AdapterHub's prompt_tuning; bottleneck adapters"),
        ({"mh_adapter": True, "output_adapter": False}, "stands in other places than"),
        ({"non_linearity": "mish"}, "the non-linearity mish, which ours has not"),
        ({"scaling": "learned"}, "the scaling learned, which ours has not"),
    ],
)
def test_what_ours_cannot_be_is_refused_in_a_sentence(settings, reason, models, tmp_path):
    folder = make(models, "llama")
    checkpoint(tmp_path / "hub", "houlsby", **settings)
    with pytest.raises(UserError, match=reason):
        take_over(load(folder, recipe_for({"name": "lora"})), build_skeleton(folder), tmp_path / "hub")


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        ({"width": 32}, "is 32 wide and the model 64"),
        ({"blocks": (0, 7)}, "a part in block 7 behind attention, which this model has not"),
    ],
)
def test_an_adapter_of_another_model_is_refused_in_a_sentence(made, reason, models, tmp_path):
    folder = make(models, "llama")
    checkpoint(tmp_path / "hub", "houlsby", **made)
    with pytest.raises(UserError, match=reason):
        take_over(load(folder, recipe_for({"name": "lora"})), build_skeleton(folder), tmp_path / "hub")


def test_a_pickle_that_would_run_code_is_not_opened(models, tmp_path):
    import pickle

    class Bad:
        def __reduce__(self):
            return Path.touch, (tmp_path / "ran",)

    folder = make(models, "llama")
    checkpoint(tmp_path / "hub", "pfeiffer")
    (tmp_path / "hub" / "pytorch_adapter.bin").write_bytes(pickle.dumps({"x": Bad()}))
    with pytest.raises(UserError, match="holds more than tensors"):
        take_over(load(folder, recipe_for({"name": "lora"})), build_skeleton(folder), tmp_path / "hub")
    assert not (tmp_path / "ran").exists()


@pytest.mark.skipif(not HUB_PYTHON, reason="ADAPTERHUB_PYTHON names no interpreter with AdapterHub's adapters")
@pytest.mark.parametrize("architecture", ["llama", "gpt2", "mistral"])
def test_logits_are_those_of_adapterhubs_own_library(architecture, models, tmp_path):
    folder = make(models, architecture)
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
    prefixes = {} if architecture == "gpt2" else {"prefixes": True}
    subprocess.run(
        [HUB_PYTHON, str(Path(__file__).with_name("adapterhub_reference.py"))],
        input=json.dumps({"base": str(folder), "work": str(tmp_path), **prefixes}), text=True, check=True, env=environment,
    )  # fmt: skip
    expected = {name: torch.tensor(one) for name, one in json.loads((tmp_path / "answer.json").read_text()).items()}
    base = expected.pop("base")
    assert distance(base, logits(load(folder, recipe_for({"name": "lora"})))) <= CLOSE
    for kind, theirs in expected.items():
        taken = take_over(load(folder, recipe_for({"name": "lora"})), build_skeleton(folder), tmp_path / kind)
        print(architecture, kind, distance(theirs, logits(taken)), distance(theirs, base))
        assert distance(theirs, logits(taken)) <= CLOSE < 0.01 < distance(theirs, base)
