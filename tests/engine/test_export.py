"""Exports: adapters as they are, merged models that answer as base and adapter do."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest
import torch
from made_runs import load_tiny, make_full_run, make_lora_run, make_run, names_in, save_adapter
from peft import PeftModel
from transformers import AutoTokenizer

from workbench.core.errors import UserError
from workbench.core.places import find_workspace, tiny_folder
from workbench.core.recipe import load_recipe, recipe_from_mapping, save_recipe
from workbench.core.runs.folder import RunFolder
from workbench.engine.export.results import export_run

PROMPT = torch.tensor([[3, 342, 266, 271, 289, 268, 1556, 36, 204, 4]])


@pytest.fixture
def workspace(tmp_path):
    return find_workspace(tmp_path / "workspace")


def export(run, workspace, to, merge=False):
    return export_run(RunFolder(run), load_recipe(run / "recipe.yaml"), workspace, to, merge, lambda text: None)


@torch.no_grad()
def logits(model):
    return model(PROMPT).logits


def adapted_logits(adapter):
    return logits(PeftModel.from_pretrained(load_tiny(), adapter).eval())


def test_an_exported_adapter_loads_with_plain_peft_to_the_same_logits(workspace, tmp_path):
    run = make_lora_run(workspace)
    done = export(run, workspace, tmp_path / "deep" / "out")
    out = Path(done["path"])
    assert out == tmp_path / "deep" / "out"
    assert done["bytes"] == sum(file.stat().st_size for file in out.iterdir())
    assert (done["kind"], done["step"]) == ("adapter", None)
    assert torch.equal(adapted_logits(out), adapted_logits(run / "adapter"))
    assert not torch.allclose(adapted_logits(out), logits(load_tiny()), atol=0.1)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"use_rslora": True},
        {"use_dora": True},
        {"target_modules": ["q_proj", "embed_tokens"]},
        {"target_modules": ["q_proj", "lm_head"]},
    ],
)
def test_a_merged_model_has_the_logits_of_base_and_adapter(settings, workspace, tmp_path):
    run = make_lora_run(workspace, strength=0.3, **settings)
    done = export(run, workspace, tmp_path / "merged", merge=True)
    merged = load_tiny(tmp_path / "merged")
    wanted = adapted_logits(run / "adapter")
    difference = float((logits(merged) - wanted).abs().max())
    assert difference < 1e-3
    assert done["logit_difference"] < 1e-3
    assert done["merge_difference"] < 1e-3
    assert (done["kind"], done["precision"]) == ("model", "float32")
    assert float((logits(load_tiny()) - wanted).abs().max()) > 0.1


def test_a_merged_model_is_whole_and_says_what_it_is(workspace, tmp_path):
    run = make_lora_run(workspace, "brave-otter")
    (run / "facts.json").write_text(json.dumps({"precision": "bfloat16", "held_out_loss": 0.25, "base_loss": 2.5}))
    done = export(run, workspace, tmp_path / "merged", merge=True)
    out = tmp_path / "merged"
    assert {"config.json", "model.safetensors", "tokenizer.json", "chat_template.jinja"} <= set(names_in(out))
    assert json.loads((out / "config.json").read_text())["dtype"] == "bfloat16"
    assert done["precision"] == "bfloat16"
    assert 0 < done["logit_difference"] < 1.0
    assert done["merge_difference"] < 1e-3
    card = (out / "README.md").read_text()
    assert "# brave-otter" in card
    assert "| Held-out loss | 2.5000 | 0.2500 |" in card
    assert str(tmp_path) not in card
    tokenizer = AutoTokenizer.from_pretrained(out)
    talk = [{"role": "user", "content": "Hello"}]
    assert tokenizer.apply_chat_template(talk, tokenize=False) == AutoTokenizer.from_pretrained(
        tiny_folder()
    ).apply_chat_template(talk, tokenize=False)


def test_the_template_that_was_trained_with_goes_along(workspace, tmp_path):
    run = make_lora_run(workspace)
    save_recipe(recipe_from_mapping({"data": {"template": "chatml"}}), run / "recipe.yaml")
    export(run, workspace, tmp_path / "merged", merge=True)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "merged")
    text = tokenizer.apply_chat_template(
        [{"role": "user", "content": "Hi"}], tokenize=False, add_generation_prompt=True
    )
    assert text == "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"


def test_a_qlora_run_is_merged_into_the_full_precision_base(workspace, tmp_path):
    run = make_run(workspace, "quantised", "qlora")
    save_adapter(run / "adapter", strength=0.3)
    export(run, workspace, tmp_path / "merged", merge=True)
    config = json.loads((tmp_path / "merged" / "config.json").read_text())
    assert "quantization_config" not in config
    assert torch.allclose(logits(load_tiny(tmp_path / "merged")), adapted_logits(run / "adapter"), atol=1e-3)


def test_a_fully_trained_run_exports_its_model_and_has_nothing_to_merge(workspace, tmp_path):
    run = make_full_run(workspace)
    done = export(run, workspace, tmp_path / "out")
    assert done["kind"] == "model"
    assert torch.equal(logits(load_tiny(tmp_path / "out")), logits(load_tiny(run / "model")))
    with pytest.raises(UserError, match="has no adapter to merge"):
        export(run, workspace, tmp_path / "merged", merge=True)


def test_a_stopped_run_exports_its_newest_checkpoint_without_the_trainer_s_state(workspace, tmp_path):
    run = make_run(workspace, "stopped")
    save_adapter(run / "checkpoints" / "step-40")
    (run / "checkpoints" / "step-40" / "optimizer.pt").write_bytes(b"state")
    done = export(run, workspace, tmp_path / "out")
    assert done["step"] == 40
    assert names_in(tmp_path / "out") == ["README.md", "adapter_config.json", "adapter_model.safetensors"]


def test_nothing_is_overwritten(workspace, tmp_path):
    run = make_lora_run(workspace)
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "mine.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    for to, sentence in (("taken", "is not empty"), ("file", "is a file")):
        with pytest.raises(UserError, match=sentence):
            export(run, workspace, tmp_path / to)
    assert (tmp_path / "taken" / "mine.txt").read_text() == "mine"
    (tmp_path / "empty").mkdir()
    export(run, workspace, tmp_path / "empty")


def test_a_full_disk_leaves_nothing_behind(workspace, tmp_path, monkeypatch):
    import shutil

    run = make_lora_run(workspace)
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10, 9, 1))
    for merge in (False, True):
        with pytest.raises(UserError, match=r"The export needs .* has 1 bytes left"):
            export(run, workspace, tmp_path / "out", merge)
    monkeypatch.undo()

    def full(*args, **more):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(UserError, match="is full"):
        export(run, workspace, tmp_path / "out")
    assert names_in(tmp_path) == ["workspace"]


def test_an_adapter_of_another_model_is_refused(workspace, tmp_path):
    from safetensors.torch import load_file, save_file

    run = make_lora_run(workspace)
    file = run / "adapter" / "adapter_model.safetensors"
    weights = load_file(file)
    first = next(iter(weights))
    save_file({key: value for key, value in weights.items() if key != first}, file)
    with pytest.raises(UserError, match="1 tensors have no counterpart"):
        export(run, workspace, tmp_path / "out", merge=True)
    save_file({key: torch.zeros(3, 3) for key in weights}, file)
    with pytest.raises(UserError, match="does not fit the base model"):
        export(run, workspace, tmp_path / "out", merge=True)
    file.write_bytes(b"\x00" * 40)
    with pytest.raises(UserError, match="damaged"):
        export(run, workspace, tmp_path / "out", merge=True)
    assert not (tmp_path / "out").exists()


def test_the_command_prints_one_json_line_or_one_sentence(workspace, tmp_path):
    run = make_lora_run(workspace)

    def command(*arguments):
        line = [sys.executable, "-m", "workbench.engine.export", *map(str, arguments)]
        return subprocess.run(line, capture_output=True, text=True, check=False)

    done = command(run, "--to", tmp_path / "out", "--merge")
    assert done.returncode == 0
    (line,) = done.stdout.splitlines()
    assert json.loads(line)["path"] == str(tmp_path / "out")
    again = command(run, "--to", tmp_path / "out")
    assert (again.returncode, again.stdout) == (2, "")
    assert again.stderr == f"{tmp_path / 'out'} is not empty; export to a new folder.\n"
    missing = command(tmp_path / "nowhere", "--to", tmp_path / "other")
    assert (missing.returncode, missing.stdout) == (2, "")
    assert missing.stderr == f"There is no run at {tmp_path / 'nowhere'}; name the folder of one.\n"
