"""Conversations as token ids and loss masks: each tokenised once, many of them in worker processes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from workbench.core.data.conversations.turns import Conversation
from workbench.core.data.templates.render import ChatTemplate
from workbench.core.data.tokens.batches import Encoded, Job, encode_batch
from workbench.core.data.tokens.example import Example
from workbench.core.data.tokens.workers import Check, encode_by_workers
from workbench.core.data.watch import Progress
from workbench.core.errors import UserError

BATCH = 512
"""Most rows that are tokenised together."""

LETTERS = 1 << 20
"""Letters beyond which no row is added to a batch."""

FEW_ROWS, FEW_LETTERS = 2048, 3 << 20
"""Up to so many rows, and letters in them, are tokenised here; it takes as long as worker processes take to start."""


def encode_conversations(
    conversations: Sequence[Conversation],
    template: ChatTemplate,
    train_on: str,
    progress: Progress | None = None,
    shielded: bool = True,
) -> list[Example]:
    """Every conversation as token ids and its loss mask, not yet fitted to a length."""
    encoded: list[Example] = []

    def check() -> None:
        if progress:
            progress(len(encoded), len(conversations))

    for conversation, done in encode_stream(conversations, Job(template, train_on, shielded), check):
        if done.example is None:
            error = done.error or UserError("it cannot be tokenised.")
            raise UserError(f"Row {conversation.row + 1}: {error.sentence}", error.details)
        encoded.append(done.example)
        if not len(encoded) % BATCH or len(encoded) == len(conversations):
            check()
    return encoded


def encode_stream(
    conversations: Iterable[Conversation], job: Job, check: Check | None = None
) -> Iterator[tuple[Conversation, Encoded]]:
    """The same one after the other, in their order; a large number of them, or a huge one, by worker processes."""
    batches = _batches(conversations)
    first: list[list[Conversation]] = []
    rows = letters = 0
    for batch in batches:
        first.append(batch)
        rows, letters = rows + len(batch), letters + sum(map(_letters, batch))
        if rows > FEW_ROWS or letters > FEW_LETTERS:
            yield from encode_by_workers(chain(first, batches), job, check)
            return
    for batch in first:
        yield from zip(batch, encode_batch(batch, job), strict=True)


def _batches(conversations: Iterable[Conversation]) -> Iterator[list[Conversation]]:
    batch: list[Conversation] = []
    letters = 0
    for conversation in conversations:
        batch.append(conversation)
        letters += _letters(conversation)
        if len(batch) == BATCH or letters > LETTERS:
            yield batch
            batch, letters = [], 0
    if batch:
        yield batch


def _letters(conversation: Conversation) -> int:
    if conversation.text is not None:
        return len(conversation.text)
    return sum([len(message.content) for message in conversation.messages])
