"""BitFit as a PEFT tuner: each adapter holds the change of every bias (Ben Zaken et al. 2021, section 3)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from peft import PeftConfig
from peft.tuners.tuners_utils import check_adapters_to_merge
from torch import nn

from workbench.core.errors import UserError
from workbench.engine.tuners.wrapping import BASE_ROW, WrappingLayer, WrappingModel, output_width


@dataclass
class BitFitConfig(PeftConfig):
    """Which modules' biases change; saved as PEFT's adapter_config.json."""

    target_modules: set[str] | list[str] | str | None = field(
        default=None, metadata={"help": "Full names of the modules whose bias changes, or a regular expression."}
    )
    exclude_modules: set[str] | list[str] | str | None = field(
        default=None, metadata={"help": "Modules whose bias stays after all."}
    )
    add_missing: bool = field(
        default=False, metadata={"help": "Give targeted linear layers without a bias one that starts at zero."}
    )
    modules_to_save: list[str] | None = field(default=None, metadata={"help": "Modules trained and saved whole."})

    def __post_init__(self) -> None:
        super().__post_init__()
        self.peft_type = "BITFIT"
        if isinstance(self.target_modules, list):
            self.target_modules = set(self.target_modules)


class BitFitLayer(WrappingLayer):
    """A module with a bias, and each adapter's change of it."""

    adapter_layer_names = ("bitfit_bias",)

    def __init__(self, base_layer: nn.Module) -> None:
        super().__init__(base_layer)
        self.bitfit_bias = nn.ParameterDict()
        self._bias_added = False

    def add(self, name: str, config: BitFitConfig) -> None:
        """A new adapter on this module."""
        bias = getattr(self.get_base_layer(), "bias", None)
        size = bias.numel() if bias is not None else output_width(self.get_base_layer())
        self.bitfit_bias[name] = nn.Parameter(torch.zeros(size))
        self._move_adapter_to_device_of_base_layer(name)
        self.set_adapter(self.active_adapters, inference_mode=config.inference_mode)

    def merge(self, safe_merge: bool = False, adapter_names: list[str] | None = None) -> None:  # noqa: ARG002
        base = self.get_base_layer()
        for name in check_adapters_to_merge(self, adapter_names) or []:
            if name not in self.bitfit_bias:
                continue
            change = self.bitfit_bias[name].data
            if getattr(base, "bias", None) is None:
                base.bias = nn.Parameter(torch.zeros_like(change, dtype=_dtype_of(base)), requires_grad=False)
                self._bias_added = True
            base.bias.data = base.bias.data + change.to(base.bias.dtype)
            self.merged_adapters.append(name)

    def unmerge(self) -> None:
        base = self.get_base_layer()
        while self.merged_adapters:
            change = self.bitfit_bias[self.merged_adapters.pop()].data
            base.bias.data = base.bias.data - change.to(base.bias.dtype)
        if self._bias_added:
            base.bias, self._bias_added = None, False

    def forward(self, given: torch.Tensor, *args: Any, adapter_names: list[str] | None = None, **kwargs: Any) -> Any:
        if self.disable_adapters and self.merged:
            self.unmerge()
        output = self.base_layer(given, *args, **kwargs)
        if self.disable_adapters or self.merged:
            return output
        if adapter_names is not None:
            return output + self._changes(adapter_names, output)
        for name in self.active_adapters:
            if name in self.bitfit_bias:
                output = output + self.bitfit_bias[name].to(output.dtype)
        return output

    def _changes(self, names: list[str], output: torch.Tensor) -> torch.Tensor:
        """Each row's change of the bias, shape [batch, 1, …, width]."""
        nothing = torch.zeros_like(next(iter(self.bitfit_bias.values())))
        found = [self.bitfit_bias[one] if one != BASE_ROW and one in self.bitfit_bias else nothing for one in names]
        return torch.stack(found).view(len(names), *[1] * (output.dim() - 2), -1).to(output.dtype)


class BitFitModel(WrappingModel):
    """The tuner: puts `BitFitLayer`s around the modules that its config names."""

    prefix = "bitfit_"
    tuner_layer_cls = BitFitLayer

    def _prepare_adapter_config(self, peft_config: BitFitConfig, model_config: dict[str, Any]) -> BitFitConfig:  # noqa: ARG002
        if not peft_config.target_modules:
            raise UserError("BitFit's config must name its target_modules; this model may have no biases.")
        return peft_config

    def _create_and_replace(
        self,
        peft_config: BitFitConfig,
        adapter_name: str,
        target: nn.Module,
        target_name: str,
        parent: nn.Module,
        current_key: str,  # noqa: ARG002
    ) -> None:
        if isinstance(target, BitFitLayer):
            target.add(adapter_name, peft_config)
            return
        if getattr(target, "bias", None) is None and not peft_config.add_missing:
            return
        layer = BitFitLayer(target)
        layer._active_adapter = list(self.active_adapters)
        layer.add(adapter_name, peft_config)
        if adapter_name not in self.active_adapters:
            layer.bitfit_bias.requires_grad_(False)
        self._replace_module(parent, target_name, layer, target)


def _dtype_of(base: nn.Module) -> torch.dtype:
    """The numbers of a bias that the base has not had: its weight's, or float32 beside a quantised weight."""
    dtype: Any = base.weight.dtype
    return dtype if dtype.is_floating_point else torch.float32
