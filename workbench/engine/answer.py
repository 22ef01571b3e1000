"""Greedy answers to many questions at once, the same as one by one."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

import torch

from workbench.engine.cache_argument import cache_argument

GoOn = Callable[[int, list[int]], bool]
"""Called with a question's index and its answer so far; False ends that answer."""


def inner_model(model: Any) -> Any:
    """The Transformers model inside a PEFT one, or the model itself."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def accepts(model: Any, name: str) -> bool:
    """Whether the model's forward pass takes an argument of that name."""
    return name in inspect.signature(type(inner_model(model)).forward).parameters


def stop_ids(model: Any, *others: int | None) -> frozenset[int]:
    """The tokens that end an answer: the model's own end tokens, and `others`."""
    found = {token for token in others if token is not None}
    inner = inner_model(model)
    for holder in (getattr(inner, "generation_config", None), inner.config):
        value = getattr(holder, "eos_token_id", None)
        found.update(value if isinstance(value, (list, tuple)) else [] if value is None else [value])
    return frozenset(found)


@torch.no_grad()
def answer_questions(
    model: Any,
    ids_list: Sequence[Sequence[int]],
    eos_id: int | Collection[int] | None,
    pad_id: int,
    max_new_tokens: int | Sequence[int],
    batch: int = 8,
    go_on: GoOn | None = None,
) -> list[list[int]]:
    """The likeliest answer to each prompt, token by token, without its end token.

    Prompts of similar length are answered together, filled up on the left (or, where the model takes no positions,
    only prompts of equal length). `max_new_tokens` is one limit, or one a prompt. The model must be in evaluation mode.
    """
    ends = frozenset([] if eos_id is None else [eos_id] if isinstance(eos_id, int) else eos_id)
    limits = [max_new_tokens] * len(ids_list) if isinstance(max_new_tokens, int) else list(max_new_tokens)
    answers: list[list[int]] = [[] for _ in ids_list]
    for group in _groups(ids_list, batch, mixed=accepts(model, "position_ids")):
        _answer_group(model, group, ids_list, ends, pad_id, limits, answers, go_on)
    return answers


def _groups(ids_list: Sequence[Sequence[int]], batch: int, mixed: bool) -> Iterable[list[int]]:
    """Indices of prompts that are answered together: neighbours by length, of one length unless `mixed`."""
    order = sorted(range(len(ids_list)), key=lambda index: len(ids_list[index]))
    group: list[int] = []
    for index in order:
        if group and (len(group) == batch or (not mixed and len(ids_list[index]) != len(ids_list[group[0]]))):
            yield group
            group = []
        group.append(index)
    if group:
        yield group


def _answer_group(
    model: Any,
    group: list[int],
    ids_list: Sequence[Sequence[int]],
    ends: frozenset[int],
    pad_id: int,
    limits: Sequence[int],
    answers: list[list[int]],
    go_on: GoOn | None,
) -> None:
    device = model.device
    longest = max(len(ids_list[index]) for index in group)
    padded = [[pad_id] * (longest - len(ids_list[index])) + list(ids_list[index]) for index in group]
    mask = torch.tensor(
        [[0] * (longest - len(ids_list[index])) + [1] * len(ids_list[index]) for index in group], device=device
    )
    tokens = torch.tensor(padded, device=device)
    options: dict[str, Any] = {"logits_to_keep": 1} if accepts(model, "logits_to_keep") else {}
    positioned = accepts(model, "position_ids")
    room = _positions(model)
    going = [
        limits[index] > 0 and len(ids_list[index]) < room
        for index in group
    ]  # fmt: skip
    name, cache = cache_argument(model), None
    fresh = tokens
    while any(going):
        if positioned:
            places = (mask.cumsum(-1) - 1).clamp(min=0)
            options["position_ids"] = places[:, -fresh.shape[1] :]
        given = model(input_ids=fresh, attention_mask=mask, use_cache=True, **{name: cache}, **options)
        cache = getattr(given, name, None)
        chosen = given.logits[:, -1].argmax(-1)
        for place, (index, token) in enumerate(zip(group, chosen.tolist(), strict=True)):
            if not going[place]:
                continue
            if token in ends:
                going[place] = False
                continue
            answer = answers[index]
            answer.append(token)
            full = len(answer) >= limits[index] or len(ids_list[index]) + len(answer) >= room
            going[place] = not full and (go_on is None or go_on(index, answer))
        tokens = torch.cat([tokens, chosen[:, None]], dim=1)
        mask = torch.cat([mask, mask.new_ones(len(group), 1)], dim=1)
        # A model without such a cache (a state-space model) reads everything again at every token.
        fresh = chosen[:, None] if cache is not None else tokens


def _positions(model: Any) -> int:
    """Most tokens of prompt and answer together: what the model has positions for."""
    config = inner_model(model).config.get_text_config()
    limit = getattr(config, "max_position_embeddings", None)
    return limit if isinstance(limit, int) and limit > 0 else 2**31
