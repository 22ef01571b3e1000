"""An answer's text as it grows."""

from __future__ import annotations

from collections.abc import Callable, Sequence

REPLACEMENT = "\ufffd"
"""What a decoder gives for bytes that are not yet a whole character."""


class TextStream:
    """Tokens in, text out, in pieces that never split a character; all pieces together are the answer's text."""

    def __init__(
        self, decode: Callable[[list[int]], str], context: Sequence[int] = (), strip_start: bool = False
    ) -> None:
        """`context`: tokens before the answer, where it continues a text and its first space counts.

        `strip_start`: leave white space before the answer out, which belongs to the template.
        """
        self._decode = decode
        self._context = list(context)
        self._before = decode(self._context) if context else ""
        self._strip = strip_start
        self._tokens: list[int] = []
        self._sent = ""

    @property
    def text(self) -> str:
        """The text given out so far."""
        return self._sent

    def push(self, token: int) -> str:
        """The text that `token` completes; often a word, or nothing while a character is incomplete."""
        self._tokens.append(token)
        return self._advance(self._whole().rstrip(REPLACEMENT))

    def finish(self) -> str:
        """What is left: bytes that never became a character."""
        return self._advance(self._whole())

    def _whole(self) -> str:
        text = self._decode(self._context + self._tokens)[len(self._before) :]
        return text.lstrip() if self._strip else text

    def _advance(self, text: str) -> str:
        if not text.startswith(self._sent):
            return ""
        fresh = text[len(self._sent) :]
        self._sent = text
        return fresh
