"""Loading base models: what cannot be used is said in a sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from workbench.core.errors import UserError
from workbench.core.recipe import ModelSection
from workbench.engine.base_models import load_base

CPU = torch.device("cpu")


def load(folder: Path, attention: str = "auto", precision: str = "float32") -> object:
    return load_base(ModelSection(path=str(folder), attention=attention), folder, precision, CPU)


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_weights_are_held_in_the_precision_that_is_asked_for(
    precision: str, model_folder: Callable[[str], Path]
) -> None:
    model = load(model_folder("llama"), precision=precision)
    assert model.dtype == getattr(torch, precision)  # type: ignore[attr-defined]
    assert not model.training  # type: ignore[attr-defined]


def test_a_folder_with_pickles_only_is_refused(model_folder: Callable[[str], Path]) -> None:
    folder = model_folder("llama")
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x02.")
    with pytest.raises(UserError, match="pickles only"):
        load(folder)


def test_half_of_the_weights_is_not_a_model(model_folder: Callable[[str], Path]) -> None:
    folder = model_folder("llama")
    weights = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    with pytest.raises(UserError, match="are damaged; get the model again"):
        load(folder)


def test_tensors_that_are_not_there_are_not_made_up(model_folder: Callable[[str], Path]) -> None:
    from safetensors.torch import load_file, save_file

    folder = model_folder("llama")
    tensors = load_file(folder / "model.safetensors")
    del tensors["model.layers.1.mlp.down_proj.weight"]
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(UserError, match=r"lack 1 of the model's tensors \(model.layers.1.mlp.down_proj.weight first\)"):
        load(folder)


def test_an_architecture_that_nobody_knows_is_refused(model_folder: Callable[[str], Path]) -> None:
    folder = model_folder("llama")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "nosuch"}))
    with pytest.raises(UserError, match="of a kind that this version of Transformers cannot load"):
        load(folder)


def test_code_that_comes_with_a_model_is_not_run(model_folder: Callable[[str], Path], tmp_path: Path) -> None:
    folder = model_folder("llama")
    config = json.loads((folder / "config.json").read_text())
    config.update(model_type="mine", auto_map={"AutoConfig": "mine.Mine", "AutoModelForCausalLM": "mine.Mine"})
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "mine.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    with pytest.raises(UserError, match="code of its own, which the workbench does not run"):
        load(folder)
    assert not (tmp_path / "ran").exists()


def test_an_attention_kernel_that_is_not_here_is_named(model_folder: Callable[[str], Path]) -> None:
    with pytest.raises(UserError, match="cannot use the attention kernel flash_attention_2"):
        load(model_folder("llama"), attention="flash_attention_2")
