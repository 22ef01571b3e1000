"""What goes wrong, in words that a person can act on."""

from __future__ import annotations


class UserError(Exception):
    """The person's input cannot be used: one plain sentence that says what is wrong and what to do.

    `details`, if any, is longer text for whoever asks (never needed to act). Exit status 2 on the command line.
    """

    def __init__(self, sentence: str, details: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.details = details


class RunFailedError(Exception):
    """A run or an engine process failed through no fault of the input. Exit status 1 on the command line."""

    def __init__(self, sentence: str, details: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.details = details
