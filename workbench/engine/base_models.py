"""Base models in memory, from a folder that `workbench.engine.prepare` has made ready: safetensors, and no code."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, PreTrainedModel

from workbench.core.errors import UserError
from workbench.core.models.locate import locate_model
from workbench.core.models.ready import ready_folder
from workbench.core.places import Workspace
from workbench.core.recipe import ModelSection
from workbench.engine.failures import is_out_of_memory

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def find_model_folder(model: ModelSection, workspace: Workspace, progress: Callable[[str], None]) -> Path:
    """The folder with config.json, weights and tokenizer.json; prepared now where there is none yet."""
    folder = ready_folder(model, workspace)
    if folder is not None:
        return folder
    from workbench.engine.prepare import prepare_model

    return prepare_model(model, workspace, progress)


def load_base(
    model: ModelSection,
    folder: Path,
    precision: str,
    device: torch.device,
    quantisation: Any | None = None,
) -> PreTrainedModel:
    """The base model with its weights in `precision` on `device`, in evaluation mode.

    `folder` is what `find_model_folder` gave; `quantisation` a Transformers quantisation config, or None. UserError,
    in one sentence, for no weights, pickles only, damaged or missing weights, an unknown architecture, an attention
    kernel that is not there, and too little memory.
    """
    name = locate_model(model.path).name
    options: dict[str, Any] = {
        "dtype": DTYPES[precision],
        "use_safetensors": True,
        "trust_remote_code": False,
        "local_files_only": True,
        "output_loading_info": True,
    }
    if model.attention != "auto":
        options["attn_implementation"] = model.attention
    if quantisation is not None:
        options["quantization_config"] = quantisation
    if quantisation is not None or device.type != "cpu":
        options["device_map"] = {"": device}
    try:
        loaded, info = AutoModelForCausalLM.from_pretrained(folder, **options)
    except Exception as error:  # Transformers, safetensors and torch raise kinds of their own
        raise _as_user_error(error, name, model) from error
    missing = sorted(info.get("missing_keys") or ())
    if missing:
        raise UserError(
            f"The weights of {name} lack {len(missing)} of the model's tensors ({missing[0]} first), which would start "
            "from random numbers; get the whole model again.",
            "\n".join(missing),
        )
    if getattr(loaded, "is_quantized", False):
        from workbench.engine.four_bit import keep_one_kernel

        keep_one_kernel(loaded)
    if locate_model(model.path).kind == "hub":
        loaded.name_or_path = model.path  # so that a saved adapter names its base by the Hub id
    return loaded.eval()


def _as_user_error(error: Exception, name: str, model: ModelSection) -> UserError:
    """The sentence for what `from_pretrained` raised."""
    text = str(error)
    details = f"{type(error).__name__}: {text}"
    kind = type(error).__name__
    if is_out_of_memory(error):
        return UserError(f"The model {name} does not fit into memory; choose a smaller one, or QLoRA.", details)
    if "does not appear to have a file named" in text or "no file named model.safetensors" in text:
        return UserError(
            f"The model {name} has no weights as safetensors; pickled weights can run code when opened, "
            "so convert them first.",
            details,
        )
    if kind == "SafetensorError" or ("safetensors" in text.lower() and "header" in text.lower()):
        return UserError(f"The weights of {name} are damaged; get the model again.", details)
    if "trust_remote_code" in text:
        return UserError(f"The model {name} needs code of its own, which the workbench does not run.", details)
    if model.attention != "auto" and ("attention" in text.lower() or "flash" in text.lower()):
        return UserError(f"{name} cannot use the attention kernel {model.attention} here; set it to auto.", details)
    if "does not recognize this architecture" in text or "Unrecognized" in text:
        return UserError(
            f"The model {name} is of a kind that this version of Transformers cannot load as a causal language model; "
            "choose another, or update Transformers.",
            details,
        )
    if "size mismatch" in text or "mismatched" in text.lower():
        return UserError(f"The weights of {name} do not have the shapes that its config.json says.", details)
    first = text.strip().splitlines()[0][:200] if text.strip() else kind
    return UserError(f"The model {name} cannot be loaded ({first}).", details)
