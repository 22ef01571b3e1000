"""A few conversations as token ids and loss masks, here and now."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import tokenizers

from workbench.core.data.checks.looks import Look, look_over
from workbench.core.data.conversations.turns import Conversation
from workbench.core.data.templates.render import ChatTemplate
from workbench.core.data.tokens.example import Example
from workbench.core.data.tokens.mask import SHIELD, UNSHIELD, MarkedText, Span, mark_conversation, mask_tokens
from workbench.core.data.tokens.tokenizer import TextTokenizer
from workbench.core.errors import UserError


@dataclass(frozen=True, slots=True)
class Job:
    """What is done to every conversation."""

    template: ChatTemplate
    train_on: str = "answers"
    shielded: bool = True
    looks: bool = False
    """Whether the doctor's notes are wanted."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """What became of one conversation."""

    example: Example | None
    """Its tokens; None where the template refuses it."""
    error: UserError | None = None
    look: Look | None = None


def encode_batch(batch: Sequence[Conversation], job: Job) -> list[Encoded]:
    """A few conversations, here and now."""
    marked = [_marked(conversation, job) for conversation in batch]
    good = [(item, text) for item, text in zip(batch, marked, strict=True) if isinstance(text, MarkedText)]
    examples = iter(encode_marked(good, job.template.tokenizer))
    looks = iter(look_over(good, job.template.tokenizer) if job.looks else ())
    return [
        Encoded(None, text) if isinstance(text, UserError) else Encoded(next(examples), None, next(looks, None))
        for text in marked
    ]


def _marked(conversation: Conversation, job: Job) -> MarkedText | UserError:
    try:
        return mark_conversation(conversation, job.template, job.train_on, job.shielded)
    except UserError as error:
        return error


def encode_marked(part: Sequence[tuple[Conversation, MarkedText]], tokenizer: TextTokenizer) -> list[Example]:
    """Marked texts as examples."""
    plain = [marked for _, marked in part if SHIELD not in marked.text]
    found = iter(tokenizer.backend.encode_batch([marked.text for marked in plain], add_special_tokens=False))
    examples = []
    for conversation, marked in part:
        ids: Sequence[int]
        mask: Sequence[bool | int]
        if SHIELD in marked.text:
            ids, offsets = encode_shielded(marked.text, tokenizer)
            mask = mask_tokens(offsets, marked.spans)
        else:
            tokens = next(found)
            ids = array("i", tokens.ids)
            mask = _mask(tokens, len(ids), len(marked.text), marked.spans)
        if marked.prompt is not None:
            mask = _behind(encode_text(marked.prompt, tokenizer), ids)
        examples.append(Example(conversation.row, ids, mask))
    return examples


def _behind(prompt: Sequence[int], ids: Sequence[int]) -> list[bool]:
    """Trained from the first token at which the two part."""
    common = next((at for at, (one, other) in enumerate(zip(prompt, ids, strict=False)) if one != other), None)
    start = min(len(prompt), len(ids)) if common is None else common
    return [False] * start + [True] * (len(ids) - start)


def _mask(tokens: tokenizers.Encoding, count: int, length: int, spans: Sequence[Span]) -> bytearray:
    """One byte a token: 1 where any of its characters lies in a span. Looks at the borders of the spans only."""
    mask = bytearray(count)
    for start, end in spans:
        if start <= 0 and end >= length:
            return bytearray(b"\1" * count)
        first = _token_near(tokens, range(start, end))
        last = _token_near(tokens, range(end - 1, start - 1, -1))
        if first is None or last is None:
            continue
        place = tokens.token_to_chars(last)
        while last + 1 < count and place is not None and tokens.token_to_chars(last + 1) == place:
            last += 1  # the other tokens of one character
        mask[first : last + 1] = b"\1" * (last + 1 - first)
    return mask


def _token_near(tokens: tokenizers.Encoding, places: Iterable[int]) -> int | None:
    """The token of the first place that any token covers; a normaliser may have taken white space away."""
    return next((at for place in places if (at := tokens.char_to_token(place)) is not None), None)


def encode_text(text: str, tokenizer: TextTokenizer) -> list[int]:
    """Token ids of a rendered text, which may hold shielded special tokens."""
    return encode_shielded(text, tokenizer)[0] if SHIELD in text else tokenizer.encode(text)[0]


def encode_shielded(text: str, tokenizer: TextTokenizer) -> tuple[list[int], list[Span]]:
    """Token ids and their characters in `text`, where what stands between SHIELD and UNSHIELD is no special token."""
    ids: list[int] = []
    offsets: list[Span] = []
    place = 0
    for number, part in enumerate(text.replace(UNSHIELD, SHIELD).split(SHIELD)):
        backend = tokenizer.literal if number % 2 else tokenizer.backend
        found, places = _encode_piece(backend, part, first=not ids)
        ids += found
        offsets += [(place + start, place + end) for start, end in places]
        place += len(part) + 1
    return ids, offsets


def _encode_piece(backend: Any, part: str, first: bool) -> tuple[list[int], list[Span]]:
    """A piece of a text; one from its middle is read behind a line break, so that no space is put before it."""
    if not part:
        return [], []
    if not first:
        lead = backend.encode("\n", add_special_tokens=False).ids
        found = backend.encode(f"\n{part}", add_special_tokens=False)
        if lead and found.ids[: len(lead)] == lead and found.offsets[len(lead) - 1][1] <= 1:
            skip = len(lead)
            return found.ids[skip:], [(max(0, start - 1), end - 1) for start, end in found.offsets[skip:]]
    found = backend.encode(part, add_special_tokens=False)
    return found.ids, found.offsets
