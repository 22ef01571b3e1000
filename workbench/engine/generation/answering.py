"""One question, answered by every side: prompt, streamed text, and the whole answers."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from workbench.core.data.templates.prompt import prompt_ids, prompt_text
from workbench.core.errors import UserError
from workbench.engine.generation.opening import BASE, TUNED, Opened
from workbench.engine.generation.sampling import Sampling
from workbench.engine.generation.sides import stream_sides
from workbench.engine.generation.text import TextStream

CONTEXT = 4
"""Tokens before a continuation that are decoded with it, so that its first space is not lost."""

ROLES = ("system", "user", "assistant")


def make_prompt(opened: Opened, messages: Sequence[Mapping[str, str]], complete: bool) -> tuple[str, list[int]]:
    """The prompt as text and token ids: rendered with the run's template, or the last message as it stands.

    A raw continuation gets the start token that the model expects before plain text. UserError where there is
    nothing to answer, or more than the model has positions for.
    """
    checked = check_messages(messages)
    if complete:
        text = checked[-1]["content"]
        ids = opened.tokenizer.encode(text)[0]
        if opened.tokenizer.adds_bos and opened.tokenizer.bos_id is not None:
            ids = [opened.tokenizer.bos_id, *ids]
    else:
        text = prompt_text(opened.tokenizer, opened.template, checked)
        ids = prompt_ids(opened.tokenizer, opened.template, checked)
    if not ids:
        raise UserError("There is nothing to answer; write something first.")
    limit = opened.max_positions
    if limit and len(ids) >= limit:
        raise UserError(
            f"The conversation has {len(ids):,} tokens, and this model reads {limit:,} with its answer; "
            "shorten it or start a new one."
        )
    return text, ids


def check_messages(messages: Any) -> list[dict[str, str]]:
    """Messages as `{"role", "content"}`, in order; UserError where they are not."""
    if not isinstance(messages, Sequence) or isinstance(messages, str) or not messages:
        raise UserError("There is nothing to answer; write something first.")
    for message in messages:
        if (
            not isinstance(message, Mapping)
            or message.get("role") not in ROLES
            or not isinstance(message.get("content"), str)
        ):
            raise UserError("A message has a role (system, user or assistant) and its text as content.")
    return [{"role": message["role"], "content": message["content"]} for message in messages]


def answer(
    opened: Opened,
    messages: Sequence[Mapping[str, str]],
    sides: Sequence[str],
    sampling: Sampling,
    complete: bool = False,
    on_event: Callable[[dict[str, Any]], None] | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> dict[str, Any]:
    """Every side's answer to the same prompt, with the same seed and sampler. Whoever calls it holds `opened.lock`.

    Events: `{"event": "prompt", "text", "ids"}` once, then `{"event": "text", "side", "text"}` with the next piece of
    one side's answer; the pieces put together are the answer. The result has, for each side asked, its text, `_ids`,
    `_tokens` (each id as text) and how it ended (`stop`: an end token, `length`: max_new_tokens, `positions`: the
    model's last position, `cancelled`), and `ids` of the prompt, `identical` (null with one side), `seconds`,
    `first_seconds` (to the first token) and `tokens_per_second` (all sides' tokens, reading the prompt included).
    """
    asked = _check_sides(opened, sides)
    text, ids = make_prompt(opened, messages, complete)
    room = opened.max_positions - len(ids) if opened.max_positions else sampling.max_new_tokens
    limited = Sampling(sampling.temperature, sampling.top_p, min(sampling.max_new_tokens, room), sampling.seed)
    if on_event is not None:
        on_event({"event": "prompt", "text": text, "ids": ids})
    context = ids[-CONTEXT:] if complete else []
    streams = {name: TextStream(opened.tokenizer.decode, context, strip_start=not complete) for name in asked}
    given: dict[str, list[int]] = {name: [] for name in asked}
    ends = dict.fromkeys(asked, "cancelled")
    started = time.perf_counter()
    first = 0.0
    for name, token in stream_sides([opened.sides[name] for name in asked], ids, limited, opened.stop_ids, stopped):
        first = first or time.perf_counter() - started
        if token in opened.stop_ids:
            ends[name] = "stop"
            piece = streams[name].finish()
        else:
            given[name].append(token)
            piece = streams[name].push(token)
            if len(given[name]) >= limited.max_new_tokens:
                ends[name] = "length" if limited.max_new_tokens == sampling.max_new_tokens else "positions"
                piece += streams[name].finish()
        if piece and on_event is not None:
            on_event({"event": "text", "side": name, "text": piece})
    seconds = time.perf_counter() - started
    made = sum(len(tokens) + (ends[name] == "stop") for name, tokens in given.items())
    result: dict[str, Any] = {"ids": ids}
    for name in asked:
        result[name] = streams[name].text
        result[f"{name}_ids"] = given[name]
        result[f"{name}_tokens"] = [opened.tokenizer.token_text(token) for token in given[name]]
    result["identical"] = given[BASE] == given[TUNED] if {BASE, TUNED} <= set(asked) else None
    result["ends"] = ends
    result["seconds"] = round(seconds, 3)
    result["first_seconds"] = round(first, 3)
    result["tokens_per_second"] = round(made / seconds, 2) if seconds else None
    return result


def _check_sides(opened: Opened, sides: Sequence[str]) -> list[str]:
    asked = [name for name in (BASE, TUNED) if name in sides]
    unknown = [name for name in sides if name not in (BASE, TUNED)]
    if unknown or not asked:
        raise UserError("A side is base or tuned; ask one of them or both.")
    if any(name not in opened.sides for name in asked):
        raise UserError("Only a base model is open, so there is no tuned side; open a run.")
    return asked
