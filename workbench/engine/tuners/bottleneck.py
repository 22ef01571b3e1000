"""Bottleneck adapters and AdapterFusion as a PEFT tuner.

Houlsby et al. 2019, section 2.1; Pfeiffer et al. 2021, section 3; He et al. 2022, section 3.3 for the parallel one.
"""

from __future__ import annotations

import math
import re
from typing import Any

import torch
from torch import nn
from transformers.activations import ACT2FN

from workbench.core.errors import UserError
from workbench.engine.tuners.bottleneck_config import BottleneckConfig
from workbench.engine.tuners.wrapping import WrappingLayer, WrappingModel, as_hidden, rows_of

PARALLEL = "parallel"

NO_MERGE = "Bottleneck adapters have a non-linearity, so they cannot be folded into the base's weights."


class Bottleneck(nn.Module):
    """What one adapter adds: s·W_up·σ(W_down·h); zero at the start."""

    def __init__(self, config: BottleneckConfig) -> None:
        super().__init__()
        self.down = nn.Linear(config.width, config.bottleneck_size)
        self.up = nn.Linear(config.bottleneck_size, config.width)
        self.non_linearity = ACT2FN[config.non_linearity]
        self.drop = nn.Dropout(config.dropout)
        self.scale = config.scale
        nn.init.kaiming_uniform_(self.down.weight, a=math.sqrt(5))
        nn.init.zeros_(self.down.bias)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        inner = self.down(hidden.to(self.down.weight.dtype))
        added: torch.Tensor = self.drop(self.up(self.non_linearity(inner))) * self.scale
        return added.to(hidden.dtype)


class Fusion(nn.Module):
    """Attention over the adapters' outputs (Pfeiffer et al. 2021, section 3.2)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width, bias=False)
        for linear in (self.query, self.key):
            nn.init.normal_(linear.weight, std=0.02)
            nn.init.zeros_(linear.bias)
        with torch.no_grad():
            self.value.weight.fill_(1e-6)
            self.value.weight.fill_diagonal_(1.0)

    def forward(self, hidden: torch.Tensor, added: list[torch.Tensor]) -> torch.Tensor:
        """`hidden` and each of `added` have the shape [batch, tokens, width]."""
        dtype = self.query.weight.dtype
        values = torch.stack(added, dim=2).to(dtype)
        query = self.query(hidden.to(dtype)).unsqueeze(2)
        weights = (query @ self.key(values).transpose(-1, -2)).softmax(-1)
        return (weights @ self.value(values)).squeeze(2).to(hidden.dtype)


class BottleneckLayer(WrappingLayer):
    """A module of the base with bottleneck adapters behind it or beside it."""

    adapter_layer_names = ("bottleneck_adapters", "bottleneck_fusion")
    other_param_names = ("fused", "beside")

    def __init__(self, base_layer: nn.Module) -> None:
        super().__init__(base_layer)
        self.bottleneck_adapters = nn.ModuleDict()
        self.bottleneck_fusion = nn.ModuleDict()
        self.fused: dict[str, list[str]] = {}
        self.beside: dict[str, bool] = {}
        self.elsewhere: set[str] = set()
        self._read: torch.Tensor | None = None

    def listen(self, sibling: nn.Module) -> None:
        """Let adapters that read elsewhere read what goes into `sibling`, which runs before this module."""

        def keep(_: nn.Module, given: tuple[Any, ...]) -> None:
            self._read = given[0]

        sibling.register_forward_pre_hook(keep)

    def add(self, name: str, config: BottleneckConfig) -> None:
        """A new adapter on this module, or a fusion of adapters that it has; UserError where one of them is missing."""
        self.beside[name] = config.placement == PARALLEL
        if config.reads:
            self.elsewhere.add(name)
        if config.fuse:
            missing = [one for one in config.fuse if one not in self.bottleneck_adapters]
            if missing:
                raise UserError(f"AdapterFusion needs the adapters {', '.join(missing)} to be loaded first.")
            self.fused[name] = list(config.fuse)
            self.bottleneck_fusion[name] = Fusion(config.width)
        else:
            self.bottleneck_adapters[name] = Bottleneck(config)
        self._move_adapter_to_device_of_base_layer(name)
        self.set_adapter(self.active_adapters, inference_mode=config.inference_mode)

    def merge(self, *_: Any, **__: Any) -> None:
        raise NotImplementedError(NO_MERGE)

    def unmerge(self) -> None:
        raise NotImplementedError(NO_MERGE)

    def _added(self, name: str, hidden: torch.Tensor) -> torch.Tensor | None:
        """What adapter `name` adds to its input; None where it is not on this module."""
        if name in self.bottleneck_fusion:
            added = [self.bottleneck_adapters[one](hidden) for one in self.fused[name]]
            fused: torch.Tensor = self.bottleneck_fusion[name](hidden, added)
            return fused
        if name in self.bottleneck_adapters:
            alone: torch.Tensor = self.bottleneck_adapters[name](hidden)
            return alone
        return None

    def _input(self, name: str, hidden: torch.Tensor, given: Any, read: Any) -> Any:
        """What adapter `name` reads: its module's output, its input, or a sibling's input."""
        if name in self.elsewhere:
            return read
        return given if self.beside.get(name) else hidden

    def forward(self, *args: Any, adapter_names: list[str] | None = None, **kwargs: Any) -> Any:
        output = self.base_layer(*args, **kwargs)
        if self.disable_adapters:
            return output
        hidden = as_hidden(output)
        given: Any = args[0] if args else kwargs.get("hidden_states")
        read, self._read = self._read, None
        if adapter_names is not None:
            hidden = hidden.clone()
            for name, rows in rows_of(adapter_names).items():
                added = self._added(name, self._input(name, hidden, given, read)[rows])
                if added is not None:
                    hidden[rows] = hidden[rows] + added
        else:
            for name in self.active_adapters:
                added = self._added(name, self._input(name, hidden, given, read))
                if added is not None:
                    hidden = hidden + added
        return (hidden, *output[1:]) if isinstance(output, tuple) else hidden


class BottleneckModel(WrappingModel):
    """The tuner: puts `BottleneckLayer`s around the modules that its config names."""

    prefix = "bottleneck_"
    tuner_layer_cls = BottleneckLayer

    def _prepare_adapter_config(self, peft_config: BottleneckConfig, model_config: dict[str, Any]) -> BottleneckConfig:
        if not peft_config.target_modules:
            raise UserError("A bottleneck adapter's config must name its target_modules.")
        if not peft_config.width:
            peft_config.width = int(model_config["hidden_size"])
        return peft_config

    def _create_and_replace(
        self,
        peft_config: BottleneckConfig,
        adapter_name: str,
        target: nn.Module,
        target_name: str,
        parent: nn.Module,
        current_key: str,  # noqa: ARG002
    ) -> None:
        if isinstance(target, BottleneckLayer):
            if peft_config.reads and not target.elsewhere:
                target.listen(getattr(parent, peft_config.reads))
            target.add(adapter_name, peft_config)
            return
        layer = BottleneckLayer(target)
        if peft_config.reads:
            layer.listen(getattr(parent, peft_config.reads))
        layer._active_adapter = list(self.active_adapters)
        layer.add(adapter_name, peft_config)
        if adapter_name not in self.active_adapters:
            layer.bottleneck_adapters.requires_grad_(False)
            layer.bottleneck_fusion.requires_grad_(False)
        self._replace_module(parent, target_name, layer, target)

    @classmethod
    def _remove_adapter_name_from_key(cls, key: str, adapter_name: str) -> str:
        """PEFT strips a name that stands last or last but one; ours stands deeper.

        Without this, an adapter that is loaded under another name keeps its random weights, and nothing says so.
        """
        return re.sub(rf"(\.bottleneck_(?:adapters|fusion))\.{re.escape(adapter_name)}\.", r"\1.", key)

    def _check_merge_allowed(self) -> None:
        raise NotImplementedError(NO_MERGE)
