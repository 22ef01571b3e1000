"""What may be wrong with a chat template: with the template itself, and with a row that it has rendered."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from workbench.core.data.conversations.turns import Conversation
from workbench.core.data.templates.built_in import END_TOKENS
from workbench.core.data.templates.render import ChatTemplate
from workbench.core.data.tokens.example import Example

Warned = tuple[str, str, str]
"""A kind of finding, its severity, and a sentence."""


def warnings_of(template: ChatTemplate, by_default: bool = False) -> list[Warned]:
    """What a template that is not the model's own means; `by_default` says that nobody chose it."""
    tokenizer, name = template.tokenizer, template.name
    found: list[Warned] = []
    if name != "own" and tokenizer.chat_template is not None and template.source != tokenizer.chat_template:
        sentence = f"The chat template {name} is not the model's own; it was trained with another."
        found.append(("foreign_template", "warning", sentence))
    elif tokenizer.chat_template is None and by_default:
        sentence = "The model has no chat template, as base models have none, so a plain one is used."
        found.append(("no_template", "info", sentence))
    end = END_TOKENS.get(name, "")
    token = tokenizer.backend.token_to_id(end) if end else None
    if end and token is None:
        pieces = len(tokenizer.encode(end)[0])
        sentence = (
            f"The chat template {name} ends an answer with {end}, which is no token of this model but {pieces} tokens "
            "of text, so a chat program will not know where an answer ends."
        )
        found.append(("unknown_end_token", "warning", sentence))
    elif end and tokenizer.chat_template is None and token != tokenizer.eos_id:
        sentence = (
            f"The chat template {name} ends an answer with {end}, which a base model without a template has most "
            f"likely never been trained on; its own end token is {tokenizer.eos_token or 'unknown'}."
        )
        found.append(("untrained_end_token", "warning", sentence))
    return found


def drops_turn(conversation: Conversation, text: str) -> bool:
    """Whether a turn's words, its calls of tools or the last answer's thoughts are nowhere in the rendered `text`.

    Thoughts of earlier turns are left out by many a template on purpose.
    """
    messages = conversation.messages
    if any(item.content.strip()[:100].rstrip() not in text for item in messages):
        return True
    if not any(item.extra for item in messages):
        return False
    thoughts = str(messages[-1].extra.get("reasoning_content") or "")
    if thoughts.strip()[:100].rstrip() not in text:
        return True
    return any(name not in text for item in messages for name in _called(item.extra.get("tool_calls")))


def _called(calls: Any) -> list[str]:
    """The names of the functions that a turn calls."""
    found = []
    for call in calls if isinstance(calls, list) else ():
        function = call.get("function", call) if isinstance(call, dict) else None
        name = function.get("name") if isinstance(function, dict) else None
        if isinstance(name, str):
            found.append(name)
    return found


def ends_untrained(row: Example, special: Container[int]) -> bool:
    """Whether the trained part ends without an end token, but for white space behind one, as Gemma's template has."""
    last = row.last_trained
    if last < 0 or row.token_at(last) in special:
        return False
    return not (last > 0 and row.token_at(last - 1) in special)


def starts_twice(row: Example, bos: int | None) -> bool:
    """Whether a row begins with the start token twice."""
    return bos is not None and len(row) > 1 and row.token_at(0) == bos == row.token_at(1)
