"""What is asked of every method on every architecture, each answer measured."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM

from workbench.core.errors import UserError
from workbench.core.recipe import Recipe, recipe_from_mapping
from workbench.engine.answer import answer_questions
from workbench.engine.methods import base_quantisation, build_method, count_trainable, method_callbacks
from workbench.engine.methods.merging import fold_adapter
from workbench.engine.methods.quicker import quicken
from workbench.engine.methods.stored import load_state, open_adapter, save_adapter, save_state
from workbench.engine.methods.switching import switch_off, switch_on
from workbench.engine.skeletons import build_skeleton

VOCABULARY = 256
STEPS = 8
CLOSE = 1e-4
"""Largest difference of a logit, relative to the largest, that float32's rounding explains."""

QUESTIONS = [[3, 7, 11, 20], [5, 9, 100, 42, 17, 8]]


@dataclass
class Found:
    """What came out for one method on one model."""

    counted: int = 0
    trained: int = 0
    first_loss: float = 0.0
    last_loss: float = 0.0
    changed: float = 0.0
    """Difference between tuned and base."""
    reloaded: float = 0.0
    """Difference after saving and opening in a fresh base."""
    off: float = 0.0
    """Difference between the base and the model switched off."""
    on_again: float = 0.0
    merged: float | str = 0.0
    """Difference after merging, or the sentence of the refusal."""
    cached: bool = False
    """Whether answers with the cache are those without."""


def recipe_for(method: dict[str, Any], **training: Any) -> Recipe:
    return recipe_from_mapping({"method": method, "training": {"steps": STEPS, **training}})


def load(folder: Path, recipe: Recipe) -> Any:
    quantisation = base_quantisation(recipe.method, "float32")
    options = {} if quantisation is None else {"quantization_config": quantisation, "device_map": {"": "cpu"}}
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, **options)
    model.eval()
    if quantisation is not None:
        from workbench.engine.methods.quantised import prepare_quantised

        prepare_quantised(model)
    return model


def ids() -> torch.Tensor:
    return torch.randint(3, VOCABULARY, (4, 12), generator=torch.Generator().manual_seed(3))


@torch.no_grad()
def logits(model: Any) -> torch.Tensor:
    model.eval()
    given = ids()
    return model(input_ids=given, attention_mask=torch.ones_like(given)).logits.float()


def distance(first: torch.Tensor, second: torch.Tensor) -> float:
    return float((first - second).abs().max() / first.abs().max().clamp(min=1.0))


class State:
    def __init__(self, steps: int) -> None:
        self.max_steps = steps
        self.global_step = 0


def fit(
    model: Any, recipe: Recipe, steps: int = STEPS, optimizer: Any = None, start: int = 0, total: int = STEPS
) -> tuple[list[float], Any]:
    """Losses of plain training steps, with the method's callbacks."""
    given = ids()
    if optimizer is None:
        optimizer = torch.optim.AdamW(
            [one for one in model.parameters() if one.requires_grad], lr=recipe.learning_rate, weight_decay=0.0
        )
        if recipe.method.knobs.get("plus", 1.0) != 1.0:
            quicken(optimizer, model, recipe.method.knobs["plus"])
    callbacks, state = method_callbacks(model, recipe), State(total)
    for callback in callbacks:
        callback.on_train_begin(None, state, None)
    losses = []
    model.train()
    for step in range(start, start + steps):
        torch.manual_seed(step)
        loss = model(input_ids=given, attention_mask=torch.ones_like(given), labels=given, use_cache=False).loss
        loss.backward()
        optimizer.step()
        state.global_step = step
        for callback in callbacks:
            callback.on_optimizer_step(None, state, None)
        optimizer.zero_grad()
        losses.append(float(loss.detach()))
    return losses, optimizer


def build(folder: Path, recipe: Recipe) -> Any:
    torch.manual_seed(recipe.training.seed)
    return build_method(load(folder, recipe), recipe, build_skeleton(folder))


@torch.no_grad()
def answers_without_cache(model: Any, count: int) -> list[list[int]]:
    found = []
    for question in QUESTIONS:
        tokens = list(question)
        for _ in range(count):
            tokens.append(int(model(input_ids=torch.tensor([tokens]), use_cache=False).logits[0, -1].argmax()))
        found.append(tokens[len(question) :])
    return found


def prove(folder: Path, method: dict[str, Any], work: Path) -> Found:
    """Everything above for one method on one model; UserError where the method refuses it before it starts."""
    recipe = recipe_for(method)
    skeleton = build_skeleton(folder)
    counted = recipe.method.facts.count(skeleton, recipe.method.knobs).total
    base = logits(load(folder, recipe))
    model = build(folder, recipe)
    found = Found(counted=counted, trained=count_trainable(model))
    losses, _ = fit(model, recipe)
    found.first_loss, found.last_loss = losses[0], losses[-1]
    tuned = logits(model)
    found.changed = distance(base, tuned)
    whole = not hasattr(model, "peft_config")
    if whole:
        model.save_pretrained(work)
        again = load(work, recipe)
        found.off, found.on_again = 0.0, 0.0
    else:
        save_adapter(model, work)
        again = open_adapter(load(folder, recipe), work)
        found.reloaded = distance(tuned, logits(again))
        switch_off(again)
        found.off = distance(base, logits(again))
        switch_on(again)
        found.on_again = distance(tuned, logits(again))
    found.reloaded = max(found.reloaded, distance(tuned, logits(again)))
    again.eval()
    found.cached = answer_questions(again, QUESTIONS, None, 0, 5) == answers_without_cache(again, 5)
    found.merged = merge(again, tuned) if not whole else "there is no adapter to merge"
    return found


def merge(model: Any, tuned: torch.Tensor) -> float | str:
    try:
        return distance(tuned, logits(fold_adapter(model)))
    except UserError as error:
        return error.sentence


def resume(folder: Path, method: dict[str, Any], work: Path) -> float:
    """Largest difference of the losses between a run and one that was stopped half-way and taken up by a fresh model."""
    recipe = recipe_for(method)
    straight, _ = fit(build(folder, recipe), recipe)
    half = STEPS // 2
    model = build(folder, recipe)
    before, optimizer = fit(model, recipe, half)
    whole = not hasattr(model, "peft_config")
    if whole:
        model.save_pretrained(work)
    else:
        save_adapter(model, work)
        save_state(model, work)
    states = optimizer.state_dict()
    fresh = build(folder, recipe)
    if whole:
        fresh.load_state_dict(load(work, recipe).state_dict())
    elif not load_state(fresh, work):
        fresh.load_adapter(str(work), "default", is_trainable=True)
    _, optimizer = fit(fresh, recipe, 0)
    optimizer.load_state_dict(states)
    after, _ = fit(fresh, recipe, STEPS - half, optimizer, start=half)
    return max(abs(one - other) for one, other in zip(straight, before + after, strict=True))
