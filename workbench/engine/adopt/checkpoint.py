"""AdapterHub's folders on disk: their configs and tensors."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from workbench.core.errors import UserError

CONFIG, FUSION_CONFIG = "adapter_config.json", "adapter_fusion_config.json"

FILES = {
    CONFIG: ("adapter.safetensors", "pytorch_adapter.bin"),
    FUSION_CONFIG: ("model_adapter_fusion.safetensors", "pytorch_model_adapter_fusion.bin"),
}
"""Where the weights stand beside each config."""


def read_tensors(folder: Path, config: str = CONFIG) -> dict[str, torch.Tensor]:
    """The checkpoint's tensors in float32, by name.

    A pickle is read with torch's restricted reader, which runs no code. UserError where there are none, or the file is
    damaged.
    """
    file = next((folder / name for name in FILES[config] if (folder / name).is_file()), None)
    if file is None:
        raise UserError(f"The adapter in {folder} has no weights; {' or '.join(FILES[config])} should hold them.")
    try:
        stored = load_file(file) if file.suffix == ".safetensors" else torch.load(file, "cpu", weights_only=True)
        return {str(name): value.float() for name, value in stored.items()}
    except (SafetensorError, OSError, RuntimeError, ValueError, EOFError, AttributeError, KeyError) as error:
        raise UserError(f"{file} is damaged, or holds more than tensors; get it again.", str(error)) from error
    except Exception as error:  # pickle's own errors
        raise UserError(f"{file} is damaged, or holds more than tensors; get it again.", str(error)) from error
