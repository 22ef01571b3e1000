"""What is asked of every method on every architecture, each answer measured."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from workbench.core.errors import UserError
from workbench.core.recipe import Recipe, recipe_from_mapping
from workbench.engine.answer import answer_questions
from workbench.engine.methods import base_quantisation, build_method, count_trainable, method_callbacks, penalty_of
from workbench.engine.methods.merging import fold_adapter
from workbench.engine.methods.quicker import quicken
from workbench.engine.methods.stored import load_state, open_adapter, save_adapter, save_state
from workbench.engine.methods.switching import switch_off, switch_on
from workbench.engine.skeletons import build_skeleton as build_skeleton_anew

build_skeleton = lru_cache(maxsize=None)(build_skeleton_anew)

VOCABULARY = 256
QUICK = 7e-3
"""Learning rate of matrices on these narrow models; what is proved here does not hang on a method's default."""

STEPS = 8
HALF = 4
TOKENS = 3
"""Tokens that are generated with the cache and without."""

CLOSE = 1e-4
"""Largest difference of a logit, relative to the largest, that float32's rounding explains."""

QUESTIONS = [[3, 7, 11, 20], [5, 9, 100, 42, 17, 8]]


@dataclass
class Found:
    """What came out for one method on one model. Differences are of logits, relative to the largest one."""

    counted: int = 0
    trained: int = 0
    first_loss: float = 0.0
    last_loss: float = 0.0
    changed: float = 0.0
    """Difference between tuned and base."""
    reloaded: float = 0.0
    """Difference after saving, and opening in a fresh process."""
    off: float = 0.0
    """Difference there between the base and the model switched off."""
    on_again: float = 0.0
    merged: float | str = 0.0
    """Difference there after merging into the whole base, saving that and loading it as a plain model; or the sentence
    of the refusal."""
    cached: float = 0.0
    """How far below the likeliest token without the cache the token stands that was chosen with it."""
    resumed: float = 0.0
    """Largest difference of the losses when a fresh process takes the run up half-way."""


def recipe_for(method: dict[str, Any], **training: Any) -> Recipe:
    return recipe_from_mapping({"method": method, "training": {"steps": STEPS, **training}})


def load(folder: Path, recipe: Recipe, whole: bool = False) -> Any:
    quantisation = None if whole else base_quantisation(recipe.method, "float32")
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


@torch.no_grad()
def loss(model: Any) -> float:
    """The loss without dropout, which is what falls: a step's own is of other weights left out each time."""
    model.eval()
    given = ids()
    return float(model(input_ids=given, attention_mask=torch.ones_like(given), labels=given, use_cache=False).loss)


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
            [one for one in model.parameters() if one.requires_grad], lr=rate(model, recipe), weight_decay=0.0
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
        now = model(input_ids=given, attention_mask=torch.ones_like(given), labels=given, use_cache=False).loss
        now.backward()
        penalty = penalty_of(model)
        if penalty is not None:
            penalty.backward()
        optimizer.step()
        state.global_step = step
        for callback in callbacks:
            callback.on_optimizer_step(None, state, None)
        optimizer.zero_grad()
        losses.append(float(now.detach()))
    return losses, optimizer


def rate(model: Any, recipe: Recipe) -> float:
    """The learning rate that the recipe has on that model, and for matrices one with which a few steps show."""
    own = recipe.learning_rate_on(build_skeleton(Path(model.config._name_or_path)))
    return max(own, QUICK) if recipe.method.facts.by_width and recipe.training.learning_rate is None else own


def build(folder: Path, recipe: Recipe) -> Any:
    torch.manual_seed(recipe.training.seed)
    return build_method(load(folder, recipe), recipe, build_skeleton(folder))


@torch.no_grad()
def gap_of_cache(model: Any) -> float:
    """How far a token that was chosen with the cache stands below the likeliest one without, relative to the largest."""
    gaps = []
    for question, answer in zip(QUESTIONS, answer_questions(model, QUESTIONS, None, 0, TOKENS), strict=True):
        assert len(answer) == TOKENS
        for end in range(TOKENS):
            given = torch.tensor([question + answer[:end]])
            last = model(input_ids=given, use_cache=False).logits[0, -1]
            gaps.append(float((last.max() - last[answer[end]]) / last.abs().max().clamp(min=1.0)))
    return max(gaps)


def is_whole(model: Any) -> bool:
    """Whether the model itself was trained, not an adapter on it."""
    return not hasattr(model, "peft_config")


def save(model: Any, folder: Path) -> None:
    if is_whole(model):
        model.save_pretrained(folder)
    else:
        save_adapter(model, folder)


def train(folder: Path, method: dict[str, Any], work: Path) -> Found:
    """Train one method on one model, and leave in `work` all that another process needs to go on from.

    UserError where the method refuses the model before it starts.
    """
    recipe = recipe_for(method)
    counted = recipe.method.facts.count(build_skeleton(folder), recipe.method.knobs).total
    model = build(folder, recipe)
    found = Found(counted=counted, trained=count_trainable(model), first_loss=loss(model))
    _, optimizer = fit(model, recipe, HALF)
    save(model, work / "half")
    if not is_whole(model):
        save_state(model, work / "half")
    torch.save(optimizer.state_dict(), work / "half" / "optimizer.pt")
    after, _ = fit(model, recipe, STEPS - HALF, optimizer, start=HALF)
    found.last_loss = loss(model)
    save(model, work / "result")
    save_file({"tuned": logits(model).contiguous()}, work / "tuned.safetensors")
    (work / "losses.json").write_text(json.dumps(after), encoding="utf-8")
    return found


def come_back(job: dict[str, Any]) -> dict[str, Any]:
    """In a process that has not trained: open what `train` left, and measure it. The fields of `Found` that it fills."""
    torch.set_num_threads(1)
    folder, work, recipe = Path(job["folder"]), Path(job["work"]), recipe_for(job["method"])
    tuned = load_file(work / "tuned.safetensors")["tuned"]
    base = logits(load(folder, recipe))
    found = Found(changed=distance(base, tuned))
    if (work / "result" / "adapter_config.json").is_file():
        again = open_adapter(load(folder, recipe), work / "result")
        found.reloaded = distance(tuned, logits(again))
        switch_off(again)
        found.off = distance(base, logits(again))
        switch_on(again)
        found.on_again = distance(tuned, logits(again))
        found.cached = gap_of_cache(again)
        found.merged = merge(open_adapter(load(folder, recipe, whole=True), work / "result"), work / "merged")
    else:
        again = load(work / "result", recipe)
        found.reloaded = distance(tuned, logits(again))
        found.cached = gap_of_cache(again)
        found.merged = "there is no adapter to merge"
    found.resumed = resume(folder, recipe, work)
    named = ("changed", "reloaded", "off", "on_again", "merged", "cached", "resumed")
    return {name: value for name, value in asdict(found).items() if name in named}


def merge(model: Any, place: Path) -> float | str:
    """Difference between an adapter on a whole base and that base with the adapter folded in, saved and loaded."""
    tuned = logits(model)
    try:
        folded = fold_adapter(model)
    except UserError as error:
        return error.sentence
    here = distance(tuned, logits(folded))
    folded.save_pretrained(place)
    return max(here, distance(tuned, logits(AutoModelForCausalLM.from_pretrained(place, dtype=torch.float32))))


def resume(folder: Path, recipe: Recipe, work: Path) -> float:
    """Largest difference of the losses when the run is taken up from what it left half-way."""
    model = build(folder, recipe)
    if is_whole(model):
        model.load_state_dict(load(work / "half", recipe).state_dict())
    elif not load_state(model, work / "half"):
        model.load_adapter(str(work / "half"), "default", is_trainable=True)
    _, optimizer = fit(model, recipe, 0)
    optimizer.load_state_dict(torch.load(work / "half" / "optimizer.pt", weights_only=True))
    losses, _ = fit(model, recipe, STEPS - HALF, optimizer, start=HALF)
    expected = json.loads((work / "losses.json").read_text())
    return max(abs(one - other) for one, other in zip(expected, losses, strict=True))


def prove(folder: Path, method: dict[str, Any], work: Path) -> Found:
    """Everything above for one method on one model, in this process; UserError where the method refuses the model."""
    work.mkdir(parents=True, exist_ok=True)
    found = train(folder, method, work)
    return Found(**{**asdict(found), **come_back({"folder": str(folder), "method": method, "work": str(work)})})
