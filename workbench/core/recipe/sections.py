"""The sections of a recipe and their keys."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from workbench.core.errors import UserError
from workbench.core.knobs import Knob, knob, knobs_of, section_from
from workbench.core.methods import METHODS, Method, method_named
from workbench.core.models.skeleton import Skeleton


@dataclass(frozen=True, slots=True)
class ModelSection:
    """Which base model."""

    path: str = knob("tiny", "Base model: tiny (bundled), a folder, a .gguf file, or a Hub id.")
    revision: str | None = knob(None, "Branch, tag or commit of a Hub model; null takes the default branch.")
    attention: str = knob("auto", "Attention kernel.", choices=("auto", "sdpa", "eager", "flash_attention_2"))


@dataclass(frozen=True, slots=True)
class DataSection:
    """Which rows, how they are read, and which tokens are trained on."""

    source: str = knob("capitals", "Data: a bundled sample's name, a file, a folder of files, or a Hub id.")
    subset: str | None = knob(None, "Subset of a Hub data set or a folder; null takes the only or the default one.")
    split: str | None = knob(None, "Split of a Hub data set or a folder; null takes train, else the only one.")
    revision: str | None = knob(None, "Branch, tag or commit of Hub data; null takes the default branch.")
    mix: dict[str, float] = knob(
        {}, "More sources with their weights, such as {facts: 0.5}: half of its rows, by seed; 2 takes each row twice."
    )
    on_bad_row: str = knob(
        "stop", "What a row that cannot be read does: stop with its line, or be skipped and counted.",
        choices=("stop", "skip"),
    )  # fmt: skip
    filter: str | None = knob(
        None, 'Rows that are taken, as an expression over columns such as lang == "en" and words(output) > 3.'
    )
    first: int | None = knob(None, "Rows taken from the start of the source; null takes all.", low=1, unit="rows")
    leave_out: list[Any] = knob(
        [], "Rows left out: their numbers from 1, or kinds of findings such as secret or near_duplicate."
    )
    duplicates: str = knob(
        "keep", "Rows that say exactly the same: all kept, or the first of them.", choices=("keep", "first")
    )
    format: str = knob(
        "auto",
        "How a row is read; auto detects it and says why.",
        choices=(
            "auto", "alpaca", "dolly", "oasst", "sharegpt", "messages", "prompt_completion", "question_answer", "text",
            "instruction",
        ),
    )  # fmt: skip
    paths: str = knob(
        "best", "Conversations of a tree of messages (oasst): along the best replies, or all of them.",
        choices=("best", "all"),
    )  # fmt: skip
    mapping: dict[str, str] = knob(
        {}, "Columns by role, such as {prompt: question, answer: reply}; empty detects them."
    )
    template: str = knob("auto", "Chat template; auto takes the model's own, or a plain one where it has none.")
    train_on: str = knob(
        "answers", "Tokens with a loss: every answer, the last answer, all behind the last prompt, or everything.",
        choices=("answers", "last_answer", "completion", "everything"),
    )  # fmt: skip
    max_length: int = knob(512, "Longest row in tokens.", low=8, high=1_048_576, unit="tokens")
    over_length: str = knob(
        "drop",
        "What happens to longer rows: left out whole, cut at one end, or split into rows of their own.",
        choices=("drop", "cut_right", "cut_left", "split"),
    )
    control_tokens: str = knob(
        "text", "Special tokens that stand in a message's own text: read as text, or as the tokens.",
        choices=("text", "tokens"),
    )  # fmt: skip
    packing: str | bool = knob("auto", "Several rows in one sequence; auto leaves it off.", choices=("auto",))
    held_out: float | str = knob(
        0.1, "Held-out rows: a share of the data, a file of its own, or a split of Hub data such as owner/name:test.",
        low=0.0, high=0.9,
    )  # fmt: skip
    held_out_by: str = knob(
        "random",
        "How the share is chosen: random, clusters (near duplicates stay together), or a column, whose values are "
        "shared out evenly.",
    )


@dataclass(frozen=True, slots=True)
class TrainingSection:
    """How the weights are changed."""

    steps: int | None = knob(None, "Optimizer steps; null trains for the epochs below.", low=1)
    epochs: float = knob(1.0, "Passes over the data, where steps is null.", above=0.0, high=10_000)
    micro_batch: int = knob(8, "Rows that go through the model at once.", low=1, high=65_536, unit="rows")
    effective_batch: int = knob(
        8, "Rows per optimizer step; a multiple of the micro-batch.", low=1, high=1_048_576, unit="rows"
    )
    learning_rate: float | None = knob(
        None,
        "Peak learning rate; null takes the method's own default for a model of this width.",
        above=0.0,
        high=100.0,
    )
    schedule: str = knob(
        "linear", "How the learning rate falls after warm-up.", choices=("linear", "cosine", "constant")
    )
    warmup: float = knob(0.03, "Warm-up: a share of all steps.", low=0.0, high=1.0)
    optimizer: str = knob(
        "adamw", "Optimizer; the 8-bit and paged ones need bitsandbytes.",
        choices=("adamw", "adamw_8bit", "paged_adamw", "paged_adamw_8bit", "adafactor", "sgd"),
    )  # fmt: skip
    weight_decay: float = knob(0.0, "Weight decay of the optimizer.", low=0.0, high=10.0)
    max_grad_norm: float = knob(1.0, "Gradients are clipped to this norm; 0 leaves them.", low=0.0)
    precision: str = knob(
        "auto", "Numbers that the base model is held in; auto is float32 on a CPU, bfloat16 on a GPU that has it.",
        choices=("auto", "float32", "bfloat16", "float16"),
    )  # fmt: skip
    autocast: str | bool = knob("auto", "Mixed precision in the forward pass; auto is off on a CPU.", choices=("auto",))
    gradient_checkpointing: bool = knob(False, "Recompute activations in the backward pass: less memory, more time.")
    evaluate_every: int = knob(
        50, "Steps between held-out evaluations; 0 evaluates at the end only.", low=0, unit="steps"
    )
    checkpoint_every: int = knob(100, "Steps between checkpoints; 0 writes none but on request.", low=0, unit="steps")
    keep_checkpoints: int = knob(2, "Newest checkpoints that are kept.", low=1, high=1000)
    score_rows: int = knob(32, "Held-out rows answered before and after training and scored by exact match.", low=0)
    seed: int = knob(0, "Seed of initialisation, order of rows and dropout.", low=0, high=2**32 - 1)
    threads: int | None = knob(None, "CPU threads; null takes one per physical core.", low=1, high=1024)


@dataclass(frozen=True, slots=True)
class LauncherSection:
    """Where the run is executed."""

    kind: str = knob("local", "How the trainer is started.", choices=("local",))


@dataclass(frozen=True, slots=True)
class MethodSection:
    """Which weights are trained: a method's name and its own knobs."""

    name: str = "lora"
    knobs: Mapping[str, Any] = field(default_factory=dict)
    """Every knob of the method, defaults filled in."""

    @property
    def facts(self) -> Method:
        """What is true of the chosen method."""
        return METHODS[self.name]


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything a run needs. Build one with `recipe_from_mapping` or `load_recipe`, which check it."""

    model: ModelSection = field(default_factory=ModelSection)
    data: DataSection = field(default_factory=DataSection)
    method: MethodSection = field(default_factory=lambda: method_section({}))
    training: TrainingSection = field(default_factory=TrainingSection)
    launcher: LauncherSection = field(default_factory=LauncherSection)

    def learning_rate_on(self, skeleton: Skeleton | None) -> float:
        """The peak learning rate in force: the recipe's own, else the method's default on this model."""
        given = self.training.learning_rate
        return self.method.facts.rate_on(skeleton) if given is None else given

    @property
    def accumulation(self) -> int:
        """Micro-batches per optimizer step."""
        return self.training.effective_batch // self.training.micro_batch


SECTIONS: dict[str, type] = {
    "model": ModelSection,
    "data": DataSection,
    "training": TrainingSection,
    "launcher": LauncherSection,
}


WHOLE_BASE = {
    "full": "it trains the base's own weights, which quantised numbers cannot be; choose qlora.",
    "lora": "it keeps the base whole; choose qlora, which is LoRA over a quantised base.",
}
"""Methods whose base is never quantised, and what to do instead."""


def method_section(values: Mapping[str, Any]) -> MethodSection:
    """A checked method section from `{name: …, knob: value, …}`; missing knobs take the method's defaults."""
    rest = dict(values)
    method = method_named(rest.pop("name", "lora"))
    if method.name in WHOLE_BASE:
        for key in ("quantisation", "loftq"):
            if key in rest:
                raise UserError(f"method.{key} is not a key of {method.name}: {WHOLE_BASE[method.name]}")
    section: Any = section_from(method.knobs, rest, "method")
    return MethodSection(method.name, dataclasses.asdict(section))


def recipe_from_mapping(values: Mapping[str, Any]) -> Recipe:
    """A checked recipe from plain values; UserError names the key, the value and what would be accepted."""
    if not isinstance(values, Mapping):
        raise UserError("A recipe is a mapping with the sections model, data, method, training and launcher.")
    sections: dict[str, Any] = {}
    for name, given in values.items():
        if name not in (*SECTIONS, "method"):
            raise UserError(f"{name} is not a section of a recipe; it has model, data, method, training and launcher.")
        content = {} if given is None else given
        if not isinstance(content, Mapping):
            raise UserError(f"{name} cannot be {content!r}; it takes a mapping of keys to values.")
        sections[name] = method_section(content) if name == "method" else section_from(SECTIONS[name], content, name)
    recipe = Recipe(**sections)
    training = recipe.training
    if training.effective_batch % training.micro_batch:
        raise UserError(
            f"training.effective_batch cannot be {training.effective_batch}; it takes a multiple of "
            f"training.micro_batch, which is {training.micro_batch}."
        )
    return recipe


def recipe_to_mapping(recipe: Recipe) -> dict[str, dict[str, Any]]:
    """The recipe as plain values, sections in their usual order, every key present."""
    plain = {name: dataclasses.asdict(getattr(recipe, name)) for name in SECTIONS}
    method = {"name": recipe.method.name, **recipe.method.knobs}
    return {
        "model": plain["model"],
        "data": plain["data"],
        "method": method,
        "training": plain["training"],
        "launcher": plain["launcher"],
    }


def section_knobs(recipe: Recipe, section: str) -> dict[str, Knob]:
    """The knobs of one section of this recipe; the method's own for `method`."""
    return knobs_of(recipe.method.facts.knobs if section == "method" else SECTIONS[section])
