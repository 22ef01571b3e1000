"""Tuners that PEFT does not have, as PEFT tuners: importing this module makes their files loadable with PEFT's calls.

PEFT's mappings go by `PeftType`, a string enumeration, so a plain string is as good a key; `register_peft_method`
takes members of the enumeration only, to which nothing can be added.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import peft.mapping
from peft import PeftType

from workbench.core.errors import UserError
from workbench.core.methods.peft_kinds import module_file
from workbench.engine.tuners.bitfit import BitFitConfig, BitFitModel
from workbench.engine.tuners.bottleneck import BottleneckModel
from workbench.engine.tuners.bottleneck_config import BottleneckConfig
from workbench.engine.tuners.gated_prompt import GatedPromptModel

OWN = {
    "BOTTLENECK": (BottleneckConfig, BottleneckModel),
    "BITFIT": (BitFitConfig, BitFitModel),
}


def register(kind: str, config: type, model: Any) -> None:
    """Make a kind of adapter known to PEFT under a name: its config class, and its tuner, a `BaseTuner` with a prefix.

    The config sets its own `peft_type` to the name. A module of the user's own calls this.
    """
    mappings: tuple[Any, ...] = (
        peft.mapping.PEFT_TYPE_TO_CONFIG_MAPPING, peft.mapping.PEFT_TYPE_TO_TUNER_MAPPING,
        peft.mapping.PEFT_TYPE_TO_PREFIX_MAPPING,
    )  # fmt: skip
    for mapping, value in zip(mappings, (config, model, model.prefix), strict=True):
        mapping[kind] = value


def open_module(path: str) -> None:
    """Run a Python file of the user's own, which registers its tuners; nothing for an empty path, or a second time.

    UserError where it fails.
    """
    name = f"workbench_tuner_{Path(path).stem}" if path else ""
    if not path or getattr(sys.modules.get(name), "__file__", None) == path:
        return
    spec = importlib.util.spec_from_file_location(name, path)
    try:
        if spec is None or spec.loader is None:
            raise ImportError("it is no Python file")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    except Exception as error:  # a person's own code fails in its own ways
        sys.modules.pop(name, None)
        said = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        raise UserError(
            f"The tuner in {path} cannot be imported ({type(error).__name__}: {said}); mend it, or leave "
            "method.module empty.",
            f"{type(error).__name__}: {error}",
        ) from error


def open_modules(knobs: Mapping[str, Any]) -> None:
    """Run the module of the user's own that a method's knobs name, if any; UserError where it is none, or fails."""
    if knobs.get("module"):
        open_module(str(module_file(str(knobs["module"]))))


for _name, (_config, _model) in OWN.items():
    register(_name, _config, _model)
peft.mapping.PEFT_TYPE_TO_TUNER_MAPPING[PeftType.ADAPTION_PROMPT] = GatedPromptModel

__all__ = [
    "OWN",
    "BitFitConfig",
    "BitFitModel",
    "BottleneckConfig",
    "BottleneckModel",
    "open_module",
    "open_modules",
    "register",
]
