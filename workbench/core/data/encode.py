"""Conversations as token ids and loss masks: each tokenised once, a batch at a time on every core."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import tokenizers

from workbench.core.data.example import Example
from workbench.core.data.mask import SHIELD, UNSHIELD, MarkedText, Span, mark_conversation, mask_tokens
from workbench.core.data.templates import ChatTemplate
from workbench.core.data.tokenizer import TextTokenizer
from workbench.core.data.turns import Conversation
from workbench.core.errors import UserError

if TYPE_CHECKING:
    from concurrent.futures import Future

BATCH = 512

Progress = Callable[[int, int], None]
"""Called with (rows done, rows in all); raising in it cancels the work."""


def encode_conversations(
    conversations: Sequence[Conversation],
    template: ChatTemplate,
    train_on: str,
    progress: Progress | None = None,
    shielded: bool = True,
) -> list[Example]:
    """Every conversation as token ids and its loss mask, not yet fitted to a length."""
    encoded: list[Example] = []
    for conversation, marked, example in encode_stream(conversations, template, train_on, shielded):
        if isinstance(marked, UserError) or example is None:
            error = marked if isinstance(marked, UserError) else UserError("it cannot be tokenised.")
            raise UserError(f"Row {conversation.row + 1}: {error.sentence}", error.details)
        encoded.append(example)
        if progress and (not len(encoded) % BATCH or len(encoded) == len(conversations)):
            progress(len(encoded), len(conversations))
    return encoded


def encode_stream(
    conversations: Iterable[Conversation], template: ChatTemplate, train_on: str, shielded: bool = True
) -> Iterator[tuple[Conversation, MarkedText | UserError, Example | None]]:
    """The same one after the other; a batch is tokenised while the next one is rendered.

    Where the template refuses a row, its error stands in the place of its text.
    """
    source = iter(conversations)
    part = _mark_batch(source, template, train_on, shielded)
    if len(part) < BATCH:  # one batch: there is nothing to be done meanwhile
        yield from _beside(part, encode_marked(_good(part), template.tokenizer))
        return
    from concurrent.futures import ThreadPoolExecutor

    waiting: Future[list[Example]] | None = None
    held: list[Marked] = []
    with ThreadPoolExecutor(1, "tokenise") as pool:
        while True:
            if waiting is not None:
                yield from _beside(held, waiting.result())
            if not part:
                return
            held, waiting = part, pool.submit(encode_marked, _good(part), template.tokenizer)
            part = _mark_batch(source, template, train_on, shielded)


Marked = tuple[Conversation, MarkedText | UserError]


def _mark_batch(source: Iterator[Conversation], template: ChatTemplate, train_on: str, shielded: bool) -> list[Marked]:
    return [(item, _marked(item, template, train_on, shielded)) for item in islice(source, BATCH)]


def _good(part: Sequence[Marked]) -> list[tuple[Conversation, MarkedText]]:
    return [(item, marked) for item, marked in part if not isinstance(marked, UserError)]


def _beside(
    part: Sequence[Marked], examples: Sequence[Example]
) -> Iterator[tuple[Conversation, MarkedText | UserError, Example | None]]:
    found = iter(examples)
    for conversation, marked in part:
        yield conversation, marked, None if isinstance(marked, UserError) else next(found)


def _marked(
    conversation: Conversation, template: ChatTemplate, train_on: str, shielded: bool
) -> MarkedText | UserError:
    try:
        return mark_conversation(conversation, template, train_on, shielded)
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
