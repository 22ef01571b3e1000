"""A model's tokenizer, read from its folder without Transformers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import tokenizers

from workbench.core.errors import UserError
from workbench.core.files import read_json

LONGEST_CHARACTER = 12
"""Tokens that one character is made of at most: four bytes, and pictures are joined from several."""


@dataclass(frozen=True)
class TextTokenizer:
    """Text to token ids and back, and the special tokens that templates and masks need."""

    backend: tokenizers.Tokenizer
    special: dict[str, str]
    """bos_token, eos_token, pad_token, unk_token where the model has them."""
    chat_template: str | None
    adds_bos: bool
    """Whether plain text gets a start token, as the model expects."""

    def encode(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        """Token ids of `text` and each token's span of characters; no special token is added."""
        found = self.backend.encode(text, add_special_tokens=False)
        return found.ids, found.offsets

    @cached_property
    def special_texts(self) -> tuple[str, ...]:
        """Every special token's text, longest first."""
        added = self.backend.get_added_tokens_decoder().values()
        texts = {*(token.content for token in added if token.special), *self.special.values()}
        return tuple(sorted((text for text in texts if text), key=lambda text: (-len(text), text)))

    @cached_property
    def special_ids(self) -> frozenset[int]:
        """Ids of the special tokens."""
        found = (self.backend.token_to_id(text) for text in self.special_texts)
        return frozenset(token for token in found if token is not None)

    @cached_property
    def control_pattern(self) -> re.Pattern[str]:
        """Matches any special token in a text."""
        return re.compile("|".join(map(re.escape, self.special_texts)) or "(?!)")

    @cached_property
    def _control_signs(self) -> tuple[str, ...]:
        return tuple({text[0] for text in self.special_texts})

    def holds_control(self, text: str) -> bool:
        """Whether a special token's text stands in `text`."""
        return any(sign in text for sign in self._control_signs) and self.control_pattern.search(text) is not None

    @cached_property
    def literal(self) -> tokenizers.Tokenizer:
        """The same tokenizer, to which a special token's text is text like any other."""
        copy = tokenizers.Tokenizer.from_str(self.backend.to_str())
        copy.encode_special_tokens = True
        return copy

    def decode(self, ids: Sequence[int]) -> str:
        """The text of token ids, special tokens shown."""
        return self.backend.decode(list(ids), skip_special_tokens=False)

    def token_text(self, token: int) -> str:
        """One token for people: its text, or its raw name where it is part of a character."""
        text = self.backend.decode([token], skip_special_tokens=False)
        if text and "\ufffd" not in text:
            return text
        return self.backend.id_to_token(token) or f"<{token}>"

    def texts(self, ids: Sequence[int]) -> list[str]:
        """What each token adds to the text, spaces included; where several make one character, the last has it whole.

        Those before it are empty. Bytes that make no character are U+FFFD.
        """
        found: list[str] = []
        start = read = 0  # tokens from `start` to `read` are decoded with the next ones, for a space may depend on them
        for end in range(1, len(ids) + 1):
            text = self.decode(ids[start:end])
            if text.endswith("\ufffd") and end - read < LONGEST_CHARACTER and end < len(ids):
                found.append("")
                continue
            found.append(text[len(self.decode(ids[start:read])) :])
            start, read = read, end
        return found

    def id_of(self, name: str) -> int | None:
        """The id of a special token by its role, such as eos_token; None where the model has none."""
        token = self.special.get(name)
        return None if token is None else self.backend.token_to_id(token)

    @property
    def eos_token(self) -> str | None:
        return self.special.get("eos_token")

    @property
    def eos_id(self) -> int | None:
        return self.id_of("eos_token")

    @property
    def bos_id(self) -> int | None:
        return self.id_of("bos_token")

    @property
    def pad_id(self) -> int:
        """The id that fills up rows: the model's own, else its end token, else 0; attention never sees it."""
        for name in ("pad_token", "eos_token"):
            found = self.id_of(name)
            if found is not None:
                return found
        return 0


def open_tokenizer(folder: Path) -> TextTokenizer:
    """The tokenizer in a model folder (tokenizer.json, tokenizer_config.json, chat_template.jinja)."""
    file = folder / "tokenizer.json"
    try:
        backend = tokenizers.Tokenizer.from_file(str(file))
    except Exception as error:  # tokenizers raises bare Exception
        raise UserError(f"{folder} has no tokenizer that can be read (tokenizer.json).", str(error)) from None
    backend.no_truncation()
    backend.no_padding()
    config = read_json(folder / "tokenizer_config.json")
    config = config if isinstance(config, dict) else {}
    special = {
        name: text
        for name in ("bos_token", "eos_token", "pad_token", "unk_token")
        if (text := _token(config.get(name))) is not None
    }
    empty = backend.encode("", add_special_tokens=True).ids
    bos = backend.token_to_id(special["bos_token"]) if "bos_token" in special else None
    return TextTokenizer(backend, special, _chat_template(folder, config), bos is not None and empty[:1] == [bos])


def _token(value: Any) -> str | None:
    if isinstance(value, dict):
        value = value.get("content")
    return value if isinstance(value, str) and value else None


def _chat_template(folder: Path, config: dict[str, Any]) -> str | None:
    """The model's own template: chat_template.jinja, else the one in tokenizer_config.json (the default of several)."""
    try:
        return (folder / "chat_template.jinja").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        pass
    value = config.get("chat_template")
    if isinstance(value, list):
        named = {item.get("name"): item.get("template") for item in value if isinstance(item, dict)}
        value = named.get("default")
    return value if isinstance(value, str) else None
