"""Prompts as a model gets them when it is to answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from workbench.core.data.templates.render import choose_template
from workbench.core.data.tokens.batches import encode_text
from workbench.core.data.tokens.mask import shield_message
from workbench.core.data.tokens.tokenizer import TextTokenizer


def prompt_text(tokenizer: TextTokenizer, template: str, messages: Sequence[Mapping[str, Any]]) -> str:
    """The conversation so far, rendered with the prompt for an answer behind it."""
    return choose_template(tokenizer, template).render(messages, add_generation_prompt=True)


def prompt_ids(tokenizer: TextTokenizer, template: str, messages: Sequence[Mapping[str, Any]]) -> list[int]:
    """The same as token ids; a special token's text in a message is read as text, as in training."""
    shielded = [shield_message(message, tokenizer) for message in messages]
    return encode_text(prompt_text(tokenizer, template, shielded), tokenizer)
