"""One optimizer step as the trainer takes it, on fake tensors, with every allocation in the log."""

from __future__ import annotations

import contextlib
import inspect
from typing import Any

import torch
from peft import PeftType
from torch import nn

from workbench.core.memory.loop import Loop
from workbench.core.memory.row_shape import RowShape
from workbench.core.methods.lora import plus_ratio
from workbench.core.recipe import Recipe
from workbench.engine.answer import inner_model
from workbench.engine.methods.quicker import quicken
from workbench.engine.trace.layers import Layers, UnevenError, without_skipped
from workbench.engine.trace.log import OUTPUTS, AllocationLog
from workbench.engine.trace.mixed import Mixed
from workbench.engine.trace.repeat import Mark
from workbench.engine.trace.stand_in import STAND_IN


def make_batch(model: Any, recipe: Recipe, rows: RowShape, device: torch.device, loop: Loop) -> dict[str, Any]:
    """The largest micro-batch that the rows make, as the trainer's collator lays it out."""
    shape = (recipe.training.micro_batch, rows.tokens)
    ids = torch.zeros(shape, dtype=torch.long, device=device)
    batch: dict[str, Any] = {"input_ids": ids, "labels": torch.zeros_like(ids)}
    batch["position_ids" if recipe.data.packing is True else "attention_mask"] = torch.ones_like(ids)
    taken = inspect.signature(type(inner_model(model)).forward).parameters
    takes_rest = any(one.kind is one.VAR_KEYWORD for one in taken.values())
    if "logits_to_keep" in taken and takes_rest and not loop.every_logit:
        kept = max(1, min(rows.trained, rows.tokens - 1))
        # the trainer gives a mask, whose count of places no fake tensor knows; places give logits of the same shape
        batch["logits_to_keep"] = torch.zeros(kept, dtype=torch.long, device=device)
        batch["shift_labels"] = torch.zeros(shape[0] * kept, dtype=torch.long, device=device)
    if TASKS & {config.peft_type for config in getattr(model, "peft_config", {}).values()}:
        batch["task_ids"] = torch.zeros(shape[0], dtype=torch.long, device=device)
    if takes_rest:
        batch["num_items_in_batch"] = torch.tensor(shape[0] * rows.trained, device=device)
    return batch


def make_optimizer(model: Any, recipe: Recipe, loop: Loop) -> torch.optim.Optimizer:
    """The recipe's optimizer over what is trained, as Trainer makes it."""
    training = recipe.training
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    rate, decay = recipe.learning_rate_on(None), training.weight_decay  # memory does not depend on the rate
    optimizer: Any
    if training.optimizer == "adamw":
        each = loop.for_each
        optimizer = torch.optim.AdamW(
            trained, lr=rate, weight_decay=decay, foreach=each or None, fused=None if each else True
        )
    elif training.optimizer == "sgd":
        optimizer = torch.optim.SGD(trained, lr=rate, weight_decay=decay)
    elif training.optimizer == "adafactor":
        from transformers.optimization import Adafactor

        optimizer = Adafactor(trained, lr=rate, weight_decay=decay, scale_parameter=False, relative_step=False)
    else:
        from workbench.engine.trace.small_states import bitsandbytes_adamw

        optimizer = bitsandbytes_adamw(trained, training.optimizer, rate, decay)
    if plus_ratio(recipe.method.knobs) != 1.0:
        quicken(optimizer, model, plus_ratio(recipe.method.knobs))
    return optimizer


TASKS = {PeftType.POLY, PeftType.MULTITASK_PROMPT_TUNING}
"""Kinds that ask for the number of each row's task."""


class Stepper:
    """Takes one optimizer step and tells the log what is what.

    With `layers`, the forward and backward passes go through a few of them alone, and `marks` says which events are
    whose; the optimizer's step is the whole model's.
    """

    def __init__(
        self, model: Any, recipe: Recipe, rows: RowShape, log: AllocationLog, loop: Loop, layers: Layers | None = None
    ) -> None:
        self.model = model
        self.recipe = recipe
        self.rows = rows
        self.log = log
        self.loop = loop
        self.device = next(parameter.device for parameter in model.parameters())
        self.optimizer = make_optimizer(model, recipe, loop)
        self.outputs: Any = None
        self.layers = layers
        self.marks: list[Mark] = []
        self.gradients: dict[str, int] = {}
        """Number of each trained parameter's gradient in the log, by its name."""
        self._sweep = (0, "forward")
        self._parameters = {id(parameter): name for name, parameter in model.named_parameters()}
        self._names: dict[int, str] = {id(module): name for name, module in model.named_modules()}
        self._inside: list[nn.Module] = []
        log.module = lambda: self._names.get(id(self._inside[-1]), "") if self._inside else ""

    def take(self, autocast: torch.dtype | None) -> None:
        """One step: every micro-batch forth and back, then the optimizer. Gradients are let go at its end."""
        mixed = Mixed(autocast) if autocast is not None and self.device.type == STAND_IN else None
        hooks = [
            nn.modules.module.register_module_forward_pre_hook(lambda module, _: self._inside.append(module)),
            nn.modules.module.register_module_forward_hook(self._leave, always_call=True),
        ]
        for parameter in self.model.parameters():
            if parameter.requires_grad:
                hooks.append(parameter.register_post_accumulate_grad_hook(self._tell_gradient))
        try:
            with mixed or contextlib.nullcontext():
                with without_skipped(self.layers, self._enter, self._mark) if self.layers else contextlib.nullcontext():
                    for number in range(min(2, self.recipe.accumulation)):
                        self._micro_batch(number, autocast, mixed)
                if self.layers:
                    self._fill_gradients(self.layers)
                self._update()
        finally:
            for hook in hooks:
                hook.remove()

    def _leave(self, *_: Any) -> None:
        self._inside.pop()

    def _tell_gradient(self, parameter: torch.Tensor) -> None:
        self.log.tell([parameter.grad], "gradients")
        number = self.log.number_of(parameter.grad)
        if number is not None:
            self.gradients[self._parameters[id(parameter)]] = number

    def _mark(self, layer: int | None = None) -> None:
        self.marks.append(Mark(len(self.log.events), self._sweep, layer))

    def _enter(self, layer: int, hidden: torch.Tensor) -> None:
        """A layer begins. Its backward pass ends when its input's gradient is there."""
        if self.layers is None or self.log.phase != "forward":  # it is computed again
            return
        if not isinstance(hidden, torch.Tensor):
            raise UnevenError("layers hand on more than a tensor")
        self._mark(layer)
        period = self.layers.period
        if layer not in period.skipped and hidden.requires_grad:
            before = (period.skipped.start if layer == period.end else layer) - 1
            hidden.register_hook(lambda _: self._mark(before))

    def _fill_gradients(self, layers: Layers) -> None:
        """Give the skipped layers gradients, of which the log sees nothing but their numbers."""
        seen = len(self.log.events)
        for number in layers.period.skipped:
            for name, parameter in layers.modules[number].named_parameters(f"{layers.prefix}{number}"):
                if parameter.requires_grad and parameter.grad is None:
                    parameter.grad = torch.empty_like(parameter)
                    self._tell_gradient(parameter)
                    self.gradients[name] = self.gradients[self._parameters[id(parameter)]]
        del self.log.events[seen:]

    def _micro_batch(self, number: int, autocast: torch.dtype | None, mixed: Mixed | None) -> None:
        self.log.phase, self._sweep = "forward", (number, "forward")
        self._mark()
        batch = make_batch(self.model, self.recipe, self.rows, self.device, self.loop)
        real = autocast is not None and mixed is None
        with torch.autocast(self.device.type, autocast) if real else contextlib.nullcontext():
            outputs = self.model(**batch, use_cache=self.loop.caches)
        loss = outputs.loss
        if autocast is not None and not self.loop.keeps_outputs:
            outputs.logits = outputs.logits.float()  # accelerate gives mixed precision's outputs back in float32
        if mixed is not None:
            mixed.clear()
            mixed.forward = False
        self.outputs = outputs if self.loop.keeps_outputs else None
        del outputs, batch
        self.log.phase, self._sweep = "backward", (number, "backward")
        self._mark()
        # the engine itself: Tensor.backward leaves function modes, and a layer computed again would be in other numbers
        torch.autograd.graph._engine_run_backward(
            (loss,), (torch.ones_like(loss),), False, False, (), allow_unreachable=True, accumulate_grad=True
        )
        self._inside.clear()
        if mixed is not None:
            mixed.forward = True

    def _update(self) -> None:
        self.log.phase, self._sweep = "optimizer", (0, "optimizer")
        self._mark()
        trained = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        if self.loop.clips and self.recipe.training.max_grad_norm:
            torch.nn.utils.clip_grad_norm_(trained, self.recipe.training.max_grad_norm)
        self.optimizer.step()
        for state in self.optimizer.state.values():
            self.log.tell(_tensors(state), "optimizer")
        if hasattr(getattr(self.model, "base_model", None), "rankallocator"):
            self._weigh_ranks()
        self.optimizer.zero_grad(set_to_none=True)
        self._let_outputs_go()

    def _let_outputs_go(self) -> None:
        """Release what the loop has held on to, and say of that memory what it was: it goes in the next step."""
        seen = len(self.log.events)
        self.outputs = None
        for event in self.log.events[seen:]:
            self.log.roles.setdefault(event.number, OUTPUTS)

    def _weigh_ranks(self) -> None:
        """AdaLoRA's means of how much each rank matters: three numbers for each that is trained."""
        allocator = self.model.base_model.rankallocator
        allocator.update_ipt(self.model.base_model)
        kept = (allocator.ipt, allocator.exp_avg_ipt, allocator.exp_avg_unc)
        self.log.tell([one for held in kept for one in held.values()], "optimizer")


def _tensors(state: Any) -> list[torch.Tensor]:
    return [one for one in state.values() if isinstance(one, torch.Tensor)]
