"""Turns of a conversation: who speaks, what is said, and what comes with it (tools, thoughts, weights)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Message:
    """One turn."""

    role: str
    """system, user, assistant or tool."""
    content: str
    extra: Mapping[str, Any] = field(default_factory=dict)
    """What else the message says to a template: tool_calls, reasoning_content, name, tool_call_id."""
    weight: int = 1
    """0 where the turn is not to be trained on."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """One row as turns, or as plain text for continued pretraining."""

    row: int
    """Index of the row in its source, from 0."""
    messages: tuple[Message, ...] = ()
    text: str | None = None
    problem: str | None = None
    """Why nothing can be learnt from the row, or None."""
    tools: tuple[Any, ...] | None = None
    """The functions that the assistant may call, as JSON schemas."""
    source_row: int | None = None
    """The row of the source that is shown for it, where it is made of several; None: `row` itself."""
    tree: int | None = None
    """What it shares with others that must stay on its side of a split; None: nothing."""


ROLES = {
    "human": "user", "user": "user", "prompter": "user", "question": "user",
    "gpt": "assistant", "assistant": "assistant", "bot": "assistant", "model": "assistant", "chatgpt": "assistant",
    "function_call": "assistant",
    "system": "system", "developer": "system",
    "tool": "tool", "function": "tool", "observation": "tool", "ipython": "tool",
}  # fmt: skip
"""What data sets call the speakers, and what templates call them."""

REASONING = ("reasoning_content", "thinking", "reasoning")
"""Fields that hold an assistant's thoughts, as Transformers reads them."""

KEPT = ("name", "tool_call_id")

SCALARS = (int, float, bool)


def read_turns(number: int, turns: Any, row: Mapping[str, Any]) -> Conversation:
    """A list of turns, OpenAI's (role, content) or ShareGPT's (from, value), as a conversation."""
    if isinstance(turns, str):
        turns = parsed(turns)
    if not isinstance(turns, list) or not all(isinstance(turn, dict) for turn in turns):
        return Conversation(number, problem="its turns are not a list of messages")
    messages = []
    for turn in turns:
        given = str(turn.get("role", turn.get("from", ""))).strip().lower()
        if given not in ROLES:
            return Conversation(number, problem=f"it has a turn by {given[:40]!r}, which is no known role")
        content = turn.get("content", turn.get("value"))
        foreign = _foreign_part(content)
        if foreign:
            return Conversation(number, problem=f"it has a part of type {foreign!r}, which a text model cannot read")
        extra = _extra(turn)
        text = plain_text(content)
        if given == "function_call":
            call = parsed(text)
            if isinstance(call, dict) and isinstance(call.get("name"), str):
                extra["tool_calls"] = [{"type": "function", "function": call}]
                text = ""
        messages.append(Message(ROLES[given], text, extra, _weight(turn.get("weight"))))
    tools = row.get("tools") if isinstance(row, Mapping) else None
    if isinstance(tools, str):
        tools = parsed(tools)
    schemas = tuple(tools) if isinstance(tools, list) and tools else None
    return check_turns(number, messages, schemas)


def check_turns(row: int, messages: list[Message], tools: tuple[Any, ...] | None = None) -> Conversation:
    """The turns as a conversation, with what is wrong with them."""
    problem = None
    answers = [message for message in messages if message.role == "assistant"]
    if not any(message.role in ("user", "tool") and message.content.strip() for message in messages):
        problem = "it has no prompt"
    elif not any(message.content.strip() or "tool_calls" in message.extra for message in answers):
        problem = NO_ANSWER
    elif not any(message.weight for message in answers):
        problem = "every answer in it has weight 0"
    elif not all(_is_whole(message.content) for message in messages):
        problem = "it holds half a character (a lone surrogate)"
    return Conversation(row, tuple(messages), problem=problem, tools=tools)


NO_ANSWER = "it has no answer"


def check_question(conversation: Conversation) -> Conversation:
    """A conversation that is meant to have no answer: that is no problem of it."""
    return replace(conversation, problem=None) if conversation.problem == NO_ANSWER else conversation


def check_text(row: int, text: str) -> Conversation:
    """Plain text as a conversation, with what is wrong with it."""
    problem = None
    if not text.strip():
        problem = "it is empty"
    elif not _is_whole(text):
        problem = "it holds half a character (a lone surrogate)"
    return Conversation(row, text=text, problem=problem)


def plain_text(value: Any) -> str:
    """A field as text: text parts of a typed content joined, other values as JSON would show them."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value and all(isinstance(part, dict) for part in value):
        parts = [
            part.get("text", part.get("refusal")) for part in value if _kind(part) not in ("thinking", "reasoning")
        ]
        if all(isinstance(part, str) for part in parts):
            return "".join(part for part in parts if isinstance(part, str))
    if isinstance(value, SCALARS):
        return str(value)
    try:
        return json.dumps(value, ensure_ascii=False, default=str)
    except (RecursionError, ValueError, TypeError):
        return ""


def _kind(part: Mapping[str, Any]) -> str:
    return str(part.get("type", "text"))


def _foreign_part(content: Any) -> str:
    """The type of a part that is no text, or nothing."""
    if isinstance(content, list):
        for part in content:
            if isinstance(part, dict) and any(word in _kind(part) for word in ("image", "audio", "video", "file")):
                return _kind(part)[:40]
    return ""


def _extra(turn: Mapping[str, Any]) -> dict[str, Any]:
    extra: dict[str, Any] = {key: turn[key] for key in KEPT if isinstance(turn.get(key), str)}
    calls = turn.get("tool_calls")
    if isinstance(calls, list) and calls:
        extra["tool_calls"] = [_without_nulls(_call(call)) for call in calls]
    thoughts = next((turn[key] for key in REASONING if isinstance(turn.get(key), str)), None)
    content = turn.get("content")
    if thoughts is None and isinstance(content, list):
        found = [
            part.get("thinking", part.get("text"))
            for part in content
            if isinstance(part, dict) and _kind(part) in ("thinking", "reasoning")
        ]
        thoughts = "".join(part for part in found if isinstance(part, str)) or None
    if thoughts is not None:
        extra["thinking"] = extra["reasoning_content"] = thoughts
    return extra


def _call(call: Any) -> Any:
    """A tool call with its arguments as an object, as templates take it (OpenAI writes them as a text)."""
    if isinstance(call, dict) and isinstance(call.get("function"), dict):
        arguments = call["function"].get("arguments")
        if isinstance(arguments, str):
            named = parsed(arguments)
            if isinstance(named, dict):
                return {**call, "function": {**call["function"], "arguments": named}}
    return call


def _without_nulls(value: Any) -> Any:
    """Without the empty fields that Parquet adds where rows have different ones."""
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return value


def _weight(value: Any) -> int:
    return 0 if isinstance(value, SCALARS) and value == 0 else 1


def parsed(text: str) -> Any:
    """What a text says as JSON, None where it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _is_whole(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
