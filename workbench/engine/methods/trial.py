"""`python -m workbench.engine.methods.trial`: what a PEFT config trains on a skeleton, counted by building it.

Reads {"skeleton", "config", "module"} on standard input; writes one JSON line, {"by_module", "added"}, with
"untrained", a sentence, where it can be counted and not trained here; or {"refused": sentence}.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedConfig
from transformers.pytorch_utils import Conv1D

from workbench.core.errors import UserError
from workbench.core.models.skeleton import CONV1D, EMBEDDING, LINEAR, Module, Skeleton, skeleton_from_json
from workbench.engine import tuners

SMALL = 200_000_000
"""Parameters up to which a skeleton is filled with zeros where a kind cannot be built without values."""


class Part(nn.Module):
    """A module that holds others and knows the model's config, as an attention does."""

    def __init__(self, config: PreTrainedConfig) -> None:
        super().__init__()
        self.config = config


class Bones(nn.Module):
    """A model with a skeleton's modules, names and shapes, that computes nothing."""

    def __init__(self, skeleton: Skeleton) -> None:
        super().__init__()
        kind = type("BonesConfig", (PreTrainedConfig,), {"model_type": skeleton.model_type})
        self.config = kind(
            hidden_size=skeleton.hidden_size,
            num_hidden_layers=skeleton.layers,
            num_attention_heads=skeleton.heads,
            num_key_value_heads=skeleton.key_value_heads,
            head_dim=skeleton.head_dim,
            intermediate_size=skeleton.intermediate_size,
            vocab_size=skeleton.vocabulary,
            tie_word_embeddings=skeleton.tied,
        )
        self.name_or_path = ""
        self.dtype = torch.float32
        self._names: dict[str, str] = {}
        for module in skeleton.modules:
            parent: nn.Module = self
            *path, leaf = module.name.split(".")
            for part, below in zip(path, [*path[1:], leaf], strict=False):
                if not hasattr(parent, part):
                    parent.add_module(part, nn.ModuleList() if below.isdigit() else Part(self.config))
                parent = getattr(parent, part)
            parent.add_module(leaf, _bone(module))
            if module.kind == EMBEDDING and "in" not in self._names:
                self._names["in"] = module.name
        self._names["out"] = skeleton.output_layer

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    def get_input_embeddings(self) -> nn.Module:
        return self.get_submodule(self._names["in"])

    def get_output_embeddings(self) -> nn.Module:
        return self.get_submodule(self._names["out"])

    def prepare_inputs_for_generation(self, *_: Any, **__: Any) -> None:
        raise NotImplementedError

    def forward(self, *_: Any, **__: Any) -> None:
        raise NotImplementedError


def _bone(module: Module) -> nn.Module:
    """One module with the parameters that the skeleton says."""
    if module.kind == LINEAR:
        return nn.Linear(module.in_features, module.out_features, bias=module.has_bias)
    if module.kind == CONV1D:
        return Conv1D(module.out_features, module.in_features)
    if module.kind == EMBEDDING:
        rows, width = module.parameters[0][1]
        return nn.Embedding(rows, width)
    bone = nn.Module()
    for name, shape in module.parameters:
        bone.register_parameter(name, nn.Parameter(torch.empty(shape)))
    return bone


def count_trained(skeleton: Skeleton, config: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON line above. UserError where the config does not fit."""
    from workbench.engine.methods.any_peft import described, without_values, wrap
    from workbench.engine.methods.shapes_only import shapes_only

    with shapes_only():
        asked = described(without_values(config))
    try:
        with torch.device("meta"), shapes_only():
            built = wrap(Bones(skeleton), asked)
    except UserError:  # kinds that read values to start from
        if skeleton.total_parameters > SMALL:
            from workbench.engine.trace.fake import fake_tensors

            with fake_tensors(), shapes_only():
                built = wrap(Bones(skeleton), asked)
        else:
            built = wrap(Bones(skeleton), asked)
    names = sorted((module.name for module in skeleton.modules), key=len, reverse=True)
    sums: dict[str, int] = {}
    for name, parameter in built.named_parameters():
        if parameter.requires_grad:
            owner = next((one for one in names if f".{one}." in f".{name}."), name.split(".")[0])
            sums[owner] = sums.get(owner, 0) + parameter.numel()
    found = {"by_module": list(sums.items()), "added": True}
    reason = _reason_against_training(config)
    return found if reason is None else {**found, "untrained": reason}


def _reason_against_training(config: Mapping[str, Any]) -> str | None:
    from workbench.engine.methods.any_peft import peft_config_from

    try:
        peft_config_from(config)
    except UserError as error:
        return error.sentence
    return None


def answer(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to one such question."""
    skeleton = skeleton_from_json(asked["skeleton"])
    try:
        if skeleton is None:
            raise UserError("The model's skeleton is of another version; open the model again.")
        tuners.open_module(str(asked.get("module") or ""))
        return count_trained(skeleton, asked["config"])
    except UserError as error:
        return {"refused": error.sentence}


def main() -> int:
    sys.stdout.write(json.dumps(answer(json.loads(sys.stdin.read()))) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
