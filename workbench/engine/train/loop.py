"""The training loop: Transformers' Trainer with our order of rows, our checkpoints, and a word after every step."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import SequentialSampler
from transformers import PrinterCallback, Trainer, TrainingArguments
from transformers.trainer import TRAINER_STATE_NAME

from workbench.core.errors import RunFailedError
from workbench.core.methods.lora import plus_ratio
from workbench.core.recipe import Recipe
from workbench.engine.methods import penalty_of
from workbench.engine.methods.quicker import quicken
from workbench.engine.methods.stored import load_state, save_adapter, save_state
from workbench.engine.train.batches import COUNTS
from workbench.engine.train.numbers import Numbers

OPTIMIZERS = {
    "adamw": "adamw_torch_fused",
    "adamw_8bit": "adamw_bnb_8bit",
    "paged_adamw": "paged_adamw_32bit",
    "paged_adamw_8bit": "paged_adamw_8bit",
    "adafactor": "adafactor",
    "sgd": "sgd",
}
"""Transformers' names of the recipe's optimizers."""


@dataclass(frozen=True)
class StepFigures:
    """What one optimizer step came to."""

    step: int
    loss: float
    learning_rate: float
    grad_norm: float | None
    """None where it is not finite, as after a step that float16 skipped."""
    tokens: int
    """Tokens in this step, padding left out."""
    trained_tokens: int


def trainer_arguments(
    recipe: Recipe, numbers: Numbers, steps: int, accumulation: int, folder: Path, learning_rate: float
) -> TrainingArguments:
    """Transformers' arguments for a run of `recipe`; everything that Trainer would do on its own is off."""
    training = recipe.training
    return TrainingArguments(
        output_dir=str(folder),
        max_steps=steps,
        per_device_train_batch_size=training.micro_batch,
        gradient_accumulation_steps=accumulation,
        learning_rate=learning_rate,
        weight_decay=training.weight_decay,
        max_grad_norm=training.max_grad_norm or math.inf,  # the norm is measured where nothing is clipped, too
        optim=OPTIMIZERS[training.optimizer],
        seed=training.seed,
        data_seed=training.seed,
        bf16=numbers.autocast is torch.bfloat16,
        fp16=numbers.autocast is torch.float16,
        use_cpu=numbers.device.type == "cpu",
        dataloader_pin_memory=numbers.device.type == "cuda",
        ddp_find_unused_parameters=False,
        logging_strategy="steps",
        logging_steps=1,
        logging_nan_inf_filter=False,
        save_strategy="no",
        eval_strategy="no",
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        label_names=["labels"],
    )


def rate_share(step: int, steps: int, warmup: float, schedule: str) -> float:
    """The share of the peak learning rate at a step counted from 0: linear warm-up, then the schedule.

    No step has the rate 0: warm-up over w steps goes 1/(w+1), 2/(w+1), …, and the last step of a falling schedule is
    the one before 0.
    """
    rising = int(warmup * steps)
    if step < rising:
        return (step + 1) / (rising + 1)
    done = (step - rising) / max(1, steps - rising)
    if schedule == "linear":
        return max(0.0, 1.0 - done)
    return 0.5 * (1.0 + math.cos(math.pi * min(1.0, done))) if schedule == "cosine" else 1.0


class RunTrainer(Trainer):
    """Trainer that calls `after_step` with every step's figures, and stops when it says so."""

    def __init__(self, *, recipe: Recipe, after_step: Callable[[StepFigures], bool], **rest: Any) -> None:
        super().__init__(**rest)
        self.recipe = recipe
        self._after_step = after_step
        self._counts = torch.zeros(2, dtype=torch.long, device=self.args.device)
        self.remove_callback(PrinterCallback)

    def _get_train_sampler(self, train_dataset: Any = None) -> SequentialSampler:
        return SequentialSampler(train_dataset if train_dataset is not None else self.train_dataset)

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> LambdaLR:
        training = self.recipe.training
        self.lr_scheduler = LambdaLR(
            optimizer or self.optimizer,
            lambda step: rate_share(step, num_training_steps, training.warmup, training.schedule),
        )
        self._created_lr_scheduler = True
        return self.lr_scheduler

    def training_step(self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None) -> torch.Tensor:
        self._counts += inputs.pop(COUNTS).to(self._counts.device)
        loss: torch.Tensor = super().training_step(model, inputs, num_items_in_batch)
        if not torch.isfinite(loss):  # before the optimizer takes it into the weights
            rate = self._get_learning_rate()
            raise RunFailedError(
                f"The loss is no longer a number at step {self.state.global_step + 1} (learning rate {rate:.3g}); "
                "start again with a lower training.learning_rate."
            )
        penalty = penalty_of(self.accelerator.unwrap_model(model))
        if penalty is not None:  # its gradient counts, and no figure of the loss holds it
            self.accelerator.backward(penalty / self.current_gradient_accumulation_steps)
        return loss

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:  # noqa: ARG002
        return 0  # counting them walks through all parameters at every micro-batch

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:  # noqa: ARG002
        """Called by Trainer when a step is over, with its mean loss, gradient norm and learning rate."""
        self.control.should_log = False
        if "loss" not in logs:
            return
        counts = self.accelerator.reduce(self._counts, reduction="sum")
        tokens, trained = (int(value) for value in counts.tolist())
        self._counts.zero_()
        norm = logs.get("grad_norm")
        figures = StepFigures(
            step=self.state.global_step,
            loss=logs["loss"],
            learning_rate=logs["learning_rate"],
            grad_norm=norm if norm is not None and math.isfinite(norm) else None,
            tokens=tokens,
            trained_tokens=trained,
        )
        if self._after_step(figures):
            self.control.should_training_stop = True

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        """Write the adapter's, or the model's, weights and config; no pickled arguments, and no question to the Hub."""
        if not self.args.should_save:
            return
        model: Any = self.accelerator.unwrap_model(self.model)
        if hasattr(model, "peft_config"):
            save_adapter(model, Path(str(output_dir)))
            save_state(model, Path(str(output_dir)))
        else:
            model.save_pretrained(output_dir, state_dict=state_dict)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        """Put back what was trained: from the exact state where the method has one, else as Trainer does."""
        if not load_state(self.accelerator.unwrap_model(self.model), Path(resume_from_checkpoint)):
            super()._load_from_checkpoint(resume_from_checkpoint, model)

    def create_optimizer(self, model: Any = None) -> Any:
        """Trainer's optimizer; with LoRA+, the B matrices in groups that learn so many times faster."""
        optimizer = super().create_optimizer() if model is None else super().create_optimizer(model)
        ratio = plus_ratio(self.recipe.method.knobs)
        if ratio != 1.0:
            quicken(optimizer, self.model, ratio)
        return optimizer

    def save_state_in(self, folder: Path) -> None:
        """Write all that an exact resumption needs: weights, optimizer, schedule, random numbers, step."""
        path = str(folder)
        self.save_model(path, _internal_call=True)
        self._save_optimizer_and_scheduler(path)
        self._save_scaler(path)
        self._save_rng_state(path)
        if self.args.should_save:
            self.state.save_to_json(str(folder / TRAINER_STATE_NAME))
