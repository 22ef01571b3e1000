"""The pretraining loop: next-token prediction with Muon on the matrices and AdamW on the rest."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.nn.functional import cross_entropy
from torch.optim import AdamW, Optimizer
from transformers import LlamaForCausalLM

from workbench.engine.pretrain.muon import Muon
from workbench.engine.pretrain.stream import Stream
from workbench.engine.pretrain.target import Progress, Settings

MUON_RATE = 0.02
ADAMW_RATE = 5e-3
WARM_UP = 50
"""Steps of warm-up; a tenth of a run shorter than 500 steps."""
LOWEST = 0.02
"""The share of the peak learning rate that the cosine ends on."""


@dataclass(frozen=True)
class Step:
    """One step that was made."""

    step: int
    """Steps done, this one included."""
    loss: float
    """Mean cross-entropy of the batch before the step, in nats a token."""
    tokens: int
    """Tokens seen so far."""
    seconds: float
    """Seconds of training so far, in all sittings."""


def build_optimizers(model: LlamaForCausalLM) -> list[Optimizer]:
    """Muon for the matrices inside the layers, AdamW for the embedding and the norms."""
    named = list(model.named_parameters())
    matrices = [parameter for name, parameter in named if parameter.ndim == 2 and "embed" not in name]
    rest = [parameter for name, parameter in named if parameter.ndim != 2 or "embed" in name]
    return [
        Muon(matrices, lr=MUON_RATE, momentum=0.95, weight_decay=0.01),
        AdamW(rest, lr=ADAMW_RATE, betas=(0.9, 0.95), weight_decay=0.0, fused=True),
    ]


def rate_share(step: int, steps: int) -> float:
    """The share of the peak learning rate at a step counted from 0: linear warm-up, then a cosine."""
    warm_up = max(1, min(WARM_UP, steps // 10))
    cosine = 0.5 * (1 + math.cos(math.pi * step / steps))
    return min(1.0, (step + 1) / warm_up) * (LOWEST + (1 - LOWEST) * cosine)


def measure_loss(model: LlamaForCausalLM, batch: torch.Tensor) -> torch.Tensor:
    """Mean next-token cross-entropy over token ids of shape (rows, tokens + 1)."""
    hidden = model.model(input_ids=batch[:, :-1], use_cache=False).last_hidden_state
    return cross_entropy(model.lm_head(hidden).flatten(0, 1), batch[:, 1:].flatten())


def train(
    model: LlamaForCausalLM,
    optimizers: list[Optimizer],
    stream: Stream,
    settings: Settings,
    done: Progress,
    after_step: Callable[[Step], bool],
) -> Progress:
    """Train from where `done` says to the last step, or until `after_step` returns False."""
    peaks = (MUON_RATE, ADAMW_RATE)
    model.train()
    step, seconds = done.step, done.seconds
    while step < settings.steps:
        began = time.perf_counter()
        share = rate_share(step, settings.steps)
        for optimizer, peak in zip(optimizers, peaks, strict=True):
            for group in optimizer.param_groups:
                group["lr"] = peak * share
        batch = stream.batch(step)
        loss = measure_loss(model, batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        step += 1
        value = loss.item()
        seconds += time.perf_counter() - began
        tokens = step * (batch.shape[1] - 1) * batch.shape[0]
        if not after_step(Step(step, value, tokens, seconds)):
            break
    return Progress(step, seconds)
