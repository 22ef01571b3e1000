"""Whom the person talks to: a run's base and tuned model, or a base model alone."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from workbench.app.actions import ACTIONS, key_name
from workbench.app.words import base_name, visible
from workbench.core.errors import UserError
from workbench.core.recipe import Recipe, load_recipe
from workbench.core.runs.folder import RunFolder

CHAT_HELP = (
    "Base and tuned model, asked the same thing: the same tokens, the same seed, the same sampler. Held-out "
    "questions have a known answer, and an answer counts as right only if it is exactly that. The line above the "
    "prompt adds them up over this conversation, each question once."
)

HINT = (
    "Type a prompt and press Enter. {next} asks the next held-out question: its answer is known, so what is said is "
    "marked right or wrong. Each prompt stands alone; nothing said before is sent again."
)

BOTH = "Base and tuned get the very same tokens, seed and sampler. "

NO_SOURCE = "There is nothing to talk to yet. Choose a base model on pane 2, or a run on pane 6."


@dataclass(frozen=True)
class ChatSource:
    """A model, or two, to talk to."""

    key: str
    """Tells one conversation partner from another."""
    arguments: dict[str, Any]
    """What the helper is asked to open."""
    sides: tuple[str, ...]
    title: str
    """Who answers, in a few words."""
    note: str
    """Why there is no tuned side, and what to do about it; empty where there is one."""
    recipe: Recipe | None
    """Whose held-out rows are asked."""


def typing_key(place: str, call: str) -> str:
    """The key of an action that also works while a prompt is typed."""
    action = next(action for action in ACTIONS[place] if action.call == call)
    return key_name(next(key for key in action.keys if len(key) > 1))


def chat_source(run: RunFolder | None, recipe: Recipe | None, state: str | None = None) -> ChatSource | None:
    """The partner for this run, or for this recipe's base model where there is no run; None where there is neither."""
    if run is None:
        if recipe is None:
            return None
        return _base_alone(recipe, "There is no run yet, so this is the base model alone.")
    try:
        own = load_recipe(run.recipe)
    except UserError as error:
        return _base_alone(recipe, f"{error.sentence} This is the base model alone.") if recipe else None
    name = visible(run.name)
    if run.result is None:
        word = f"is {state}" if state else "has not ended"
        return _base_alone(
            own, f"{name} has no tuned model yet (it {word}); until it writes one, this is its base model alone."
        )
    title = f"{visible(base_name(own.model.path))} and {name}, {own.method.facts.title}"
    return ChatSource(f"run {run.path}", {"run": str(run.path)}, ("base", "tuned"), title, "", own)


def _base_alone(recipe: Recipe, note: str) -> ChatSource:
    model = asdict(recipe.model)
    title = visible(base_name(recipe.model.path))
    return ChatSource(f"model {model}", {"model": model}, ("base",), title, note, recipe)


def hint_for(source: ChatSource | None) -> str:
    """What to do where nothing has been said yet."""
    both = BOTH if source and len(source.sides) > 1 else ""
    return both + HINT.format(next=typing_key("chat", "next_question"))
