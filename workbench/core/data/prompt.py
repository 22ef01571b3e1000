"""Prompts as a model gets them when it is to answer."""

from __future__ import annotations

from collections.abc import Sequence

from workbench.core.data.templates import choose_template
from workbench.core.data.tokenizer import TextTokenizer


def prompt_text(tokenizer: TextTokenizer, template: str, messages: Sequence[dict[str, str]]) -> str:
    """The conversation so far, rendered with the prompt for an answer behind it."""
    return choose_template(tokenizer, template).render(messages, add_generation_prompt=True)


def prompt_ids(tokenizer: TextTokenizer, template: str, messages: Sequence[dict[str, str]]) -> list[int]:
    """The same as token ids."""
    return tokenizer.encode(prompt_text(tokenizer, template, messages))[0]
