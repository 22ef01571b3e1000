"""Several sides of one conversation, in step: one forward pass per side and token, each with its own cache."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from workbench.engine.cache_argument import cache_argument
from workbench.engine.generation.sampling import Chooser, Sampling


def _nothing() -> None:
    """The switch of a model that answers as one side only."""


@dataclass(frozen=True)
class Side:
    """A model that answers, or one model's way of answering."""

    name: str
    """base or tuned."""
    model: Any
    """A Transformers causal language model, or a PEFT model around one, in evaluation mode."""
    switch: Callable[[], None] = _nothing
    """Makes `model` answer as this side; called before every forward pass."""


@dataclass
class _Thread:
    """One side's state while it answers."""

    side: Side
    chooser: Chooser
    tokens: list[int]
    """Prompt and answer so far."""
    read: int = 0
    """Tokens that the cache holds already."""
    cache: Any = None
    options: dict[str, Any] = field(default_factory=dict)

    @torch.no_grad()
    def logits(self) -> torch.Tensor:
        """Scores of the next token, shape [vocabulary], float32."""
        self.side.switch()
        fresh = torch.tensor([self.tokens[self.read :]], device=self.side.model.device)
        name = cache_argument(self.side.model)
        given = self.side.model(input_ids=fresh, use_cache=True, **{name: self.cache}, **self.options)
        self.cache = getattr(given, name, None)
        # A model without such a cache (a state-space model) reads everything again at every token.
        self.read = len(self.tokens) if self.cache is not None else 0
        last: torch.Tensor = given.logits[0, -1]
        return last.float()


def stream_sides(
    sides: Sequence[Side],
    prompt: Sequence[int],
    sampling: Sampling,
    stop_ids: Collection[int],
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[tuple[str, int]]:
    """The answers' tokens as (side's name, token), the sides taking turns until each has ended.

    A side ends with a token of `stop_ids`, which is given too, or after `max_new_tokens`. Where `stopped` turns true,
    everything ends before the next forward pass. Whoever calls it holds the models' lock.
    """
    threads = [_Thread(side, Chooser(sampling), list(prompt), options=_options(side.model)) for side in sides]
    while threads:
        for thread in list(threads):
            if stopped():
                return
            token = thread.chooser.choose(thread.logits())
            thread.tokens.append(token)
            if token in stop_ids or len(thread.tokens) - len(prompt) >= sampling.max_new_tokens:
                threads.remove(thread)
            yield thread.side.name, token


def _options(model: Any) -> dict[str, Any]:
    """Asks for the last position's logits only, where the architecture can: a long prompt's are gigabytes."""
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    return {"logits_to_keep": 1} if "logits_to_keep" in inspect.signature(inner.forward).parameters else {}
