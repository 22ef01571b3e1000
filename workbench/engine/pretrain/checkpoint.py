"""A pretraining run on disk: enough to go on as if it had never stopped, and nothing that would be unpickled."""

import shutil
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch.optim import Optimizer
from transformers import LlamaForCausalLM

from workbench.core.errors import RunFailedError
from workbench.core.files import write_json_atomically
from workbench.engine.pretrain.target import Progress, Settings


def save_checkpoint(
    folder: Path, settings: Settings, progress: Progress, model: LlamaForCausalLM, optimizers: list[Optimizer]
) -> None:
    """Write the checkpoint aside and then move it into place: it is complete or absent. Raises RunFailedError."""
    tensors = {f"model.{name}": value for name, value in model.named_parameters()}
    for index, optimizer in enumerate(optimizers):
        for parameter, state in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{parameter}.{key}": value for key, value in state.items()}
    aside, old = folder.with_name(folder.name + ".new"), folder.with_name(folder.name + ".old")
    try:
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        save_file({name: value.detach().contiguous() for name, value in tensors.items()}, aside / "state.safetensors")
        write_json_atomically(aside / "progress.json", {"settings": asdict(settings), "progress": asdict(progress)})
        shutil.rmtree(old, ignore_errors=True)
        if folder.exists():
            folder.rename(old)
        aside.rename(folder)
    except (OSError, SafetensorError) as error:
        raise RunFailedError(
            f"The checkpoint of step {progress.step:,} could not be written to {folder} ({error}); "
            "make room there and go on with --resume."
        ) from None
    shutil.rmtree(old, ignore_errors=True)


def load_state(folder: Path, model: LlamaForCausalLM, optimizers: list[Optimizer]) -> None:
    """Put weights and optimizer states back, bit for bit."""
    tensors = load_file(folder / "state.safetensors")
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(tensors[f"model.{name}"])
    for index, optimizer in enumerate(optimizers):
        whole = optimizer.state_dict()
        states: dict[int, dict[str, torch.Tensor]] = {}
        for name, value in tensors.items():
            if name.startswith(f"optimizer.{index}."):
                _, _, parameter, key = name.split(".", 3)
                states.setdefault(int(parameter), {})[key] = value
        optimizer.load_state_dict({"state": states, "param_groups": whole["param_groups"]})
