"""What is noted of one row while it is tokenised: findings, what makes it equal to another, and its language."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import NamedTuple

from workbench.core.data.checks.doctor import last_answer, look_at, script_of, whole_text
from workbench.core.data.checks.duplicates import sign
from workbench.core.data.checks.languages import language_of
from workbench.core.data.conversations.turns import Conversation
from workbench.core.data.templates.warnings import drops_turn
from workbench.core.data.tokens.mask import SHIELD, UNSHIELD, MarkedText
from workbench.core.data.tokens.tokenizer import TextTokenizer

SHORT = 60
"""Most letters of an answer that may be a label."""


class Look(NamedTuple):
    """What one row's words tell. Plain values only, for they may come from another process."""

    kinds: tuple[str, ...]
    """Kinds of findings."""
    said: int
    """A hash of all that it says."""
    asked: int
    """A hash of all that leads to its last answer."""
    script: str
    language: str
    """Empty where the words do not tell."""
    label: str
    """Its last answer where that is short, else empty."""
    signature: bytes
    """By which near duplicates are found; empty for a short text."""


def look_over(rows: Sequence[tuple[Conversation, MarkedText]], tokenizer: TextTokenizer) -> list[Look]:
    """A look at every row; its marked text is what the template made of it."""
    texts = [whole_text(conversation) for conversation, _ in rows]
    signatures = sign(texts)
    return [
        _look(conversation, marked, text, signature, tokenizer)
        for (conversation, marked), text, signature in zip(rows, texts, signatures, strict=True)
    ]


def _look(
    conversation: Conversation, marked: MarkedText, text: str, signature: bytes, tokenizer: TextTokenizer
) -> Look:
    kinds = tuple(look_at(conversation, text, tokenizer))
    if _drops(conversation, marked):
        kinds += ("dropped_turn",)
    if conversation.text is not None:
        said = asked = _hash((conversation.text,))
    else:
        turns = [
            word
            for item in conversation.messages
            for word in (item.role, item.content, str(item.extra) if item.extra else "")
        ]
        said = _hash(turns)
        asked = _hash(turns[:-3]) if conversation.messages[-1].role == "assistant" else said
    script = script_of(text)
    language = language_of(text) if script == "Latin" else ""
    answer = last_answer(conversation)
    return Look(kinds, said, asked, script, language, answer if len(answer) <= SHORT else "", signature)


def _hash(words: Sequence[str]) -> int:
    """A hash of words that is the same in every process; where one word ends and the next begins counts."""
    lengths = ",".join([str(len(word)) for word in words])
    whole = f"{lengths}:{''.join(words)}".encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(whole, digest_size=8).digest(), "little", signed=True)


def _drops(conversation: Conversation, marked: MarkedText) -> bool:
    """Whether a turn's text is nowhere in what the template wrote."""
    text = marked.text
    if SHIELD in text:
        text = text.replace(SHIELD, "").replace(UNSHIELD, "")
    return drops_turn(conversation, text)
