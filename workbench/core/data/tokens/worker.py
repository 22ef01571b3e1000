"""`python -m workbench.core.data.tokens.worker`: conversations from standard input, their tokens to standard output.

A message is eight bytes of length and then a value as `marshal` writes it, which both sides, of one version of Python,
read. The first one says what to do; every other is a batch. It ends when its input does.
"""

from __future__ import annotations

import marshal
import os
import signal
import struct
import sys
import threading
from queue import SimpleQueue
from typing import IO, Any

from workbench.core.data.checks.looks import Look
from workbench.core.data.conversations.turns import Conversation, Message
from workbench.core.data.tokens.batches import Encoded, Job, encode_batch
from workbench.core.data.tokens.example import Example
from workbench.core.errors import UserError

LENGTH = struct.Struct("<Q")


def send(value: Any, out: IO[bytes]) -> None:
    """Write one message; ValueError where it holds anything but plain values."""
    content = marshal.dumps(value)
    out.write(LENGTH.pack(len(content)) + content)
    out.flush()


def receive(source: IO[bytes]) -> Any:
    """The next message; EOFError where there is none, or not all of it."""
    content = _read(source, LENGTH.unpack(_read(source, LENGTH.size))[0])
    return marshal.loads(content)


def _read(source: IO[bytes], count: int) -> bytes:
    content = source.read(count)
    if len(content) < count:
        raise EOFError
    return content


def pack_job(job: Job) -> dict[str, Any]:
    """A job as plain values."""
    template, tokenizer = job.template, job.template.tokenizer
    return {
        "tokenizer": tokenizer.backend.to_str(),
        "special": tokenizer.special,
        "chat_template": tokenizer.chat_template,
        "adds_bos": tokenizer.adds_bos,
        "name": template.name,
        "source": template.source,
        "train_on": job.train_on,
        "shielded": job.shielded,
        "looks": job.looks,
    }


def unpack_job(given: dict[str, Any]) -> Job:
    """The same again."""
    import tokenizers

    from workbench.core.data.templates.render import ChatTemplate
    from workbench.core.data.tokens.tokenizer import TextTokenizer

    backend = tokenizers.Tokenizer.from_str(given["tokenizer"])
    tokenizer = TextTokenizer(backend, given["special"], given["chat_template"], given["adds_bos"])
    template = ChatTemplate(given["name"], given["source"], tokenizer)
    return Job(template, given["train_on"], given["shielded"], given["looks"])


def pack_batch(batch: list[Conversation]) -> list[Any]:
    """Conversations as plain values; what they hold may be others, which `send` refuses."""
    return [
        (
            item.row,
            item.text,
            item.tools,
            [(message.role, message.content, dict(message.extra), message.weight) for message in item.messages],
        )
        for item in batch
    ]


def unpack_batch(given: list[Any]) -> list[Conversation]:
    """The same again."""
    return [
        Conversation(row, tuple(Message(*message) for message in messages), text, tools=tools)
        for row, text, tools, messages in given
    ]


def pack_done(done: list[Encoded]) -> list[Any]:
    """What became of a batch, as plain values."""
    return [
        (
            item.example.content() if item.example is not None else None,
            (item.error.sentence, item.error.details) if item.error is not None else None,
            tuple(item.look) if item.look is not None else None,
        )
        for item in done
    ]


def unpack_done(batch: list[Conversation], given: list[Any]) -> list[Encoded]:
    """The same again, for the batch that was sent."""
    from array import array

    found = []
    for conversation, (content, error, look) in zip(batch, given, strict=True):
        example = Example(conversation.row, array("i", content[0]), content[1]) if content is not None else None
        found.append(Encoded(example, UserError(*error) if error else None, Look(*look) if look is not None else None))
    return found


def main() -> int:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ctrl-c is for the process that started this one
    source, out = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints is no answer
    try:
        job = unpack_job(receive(source))
    except EOFError:
        return 0
    waiting: SimpleQueue[Any] = SimpleQueue()

    def read() -> None:
        """Take what is sent while the last batch is at work, so that neither side waits for the other to read."""
        try:
            while True:
                waiting.put(receive(source))
        except (EOFError, OSError):
            os._exit(0)  # nobody waits for what is still at work

    threading.Thread(target=read, daemon=True).start()
    try:
        while True:
            batch = waiting.get()
            try:
                answer = pack_done(encode_batch(unpack_batch(batch), job))
            except Exception:  # the other side does it again itself, and meets the error where it can be told
                answer = None
            send(answer, out)
    except BrokenPipeError:
        return 0


if __name__ == "__main__":
    os._exit(main())
