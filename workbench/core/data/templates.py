"""Chat templates: conversations as the text that a model was, or will be, trained on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import jinja2
from jinja2.ext import Extension
from jinja2.nodes import CallBlock, Node
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from workbench.core.data.tokenizer import TextTokenizer
from workbench.core.errors import UserError

OPEN, CLOSE = "\ufdd0", "\ufdd1"
"""Noncharacters that mark what a template's {% generation %} block wrote; no text may hold them."""

BUILT_IN = {
    "chatml": (
        "{% for message in messages %}<|im_start|>{{ message['role'] + '\\n' }}"
        "{% if message['role'] == 'assistant' %}{% generation %}{{ message['content'] + '<|im_end|>' }}"
        "{% endgeneration %}{% else %}{{ message['content'] + '<|im_end|>' }}{% endif %}{{ '\\n' }}{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant{{ '\\n' }}{% endif %}"
    ),
    "alpaca": (
        "{% for message in messages %}{% if message['role'] == 'system' %}{{ message['content'] + '\\n\\n' }}"
        "{% elif message['role'] == 'assistant' %}### Response:{{ '\\n' }}{% generation %}"
        "{{ message['content'] + eos_token }}{% endgeneration %}{{ '\\n\\n' }}"
        "{% else %}### Instruction:{{ '\\n' + message['content'] + '\\n\\n' }}{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}### Response:{{ '\\n' }}{% endif %}"
    ),
    "plain": (
        "{% for message in messages %}{% if message['role'] == 'assistant' %}Answer:{% generation %}"
        "{{ ' ' + message['content'] + eos_token }}{% endgeneration %}{{ '\\n' }}"
        "{% elif message['role'] == 'system' %}{{ message['content'] + '\\n' }}"
        "{% else %}Question: {{ message['content'] + '\\n' }}{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}Answer:{% endif %}"
    ),
}
"""Templates for models that have none: ChatML, Alpaca, and a plain one of questions and answers."""


@dataclass(frozen=True)
class ChatTemplate:
    """A chat template, compiled in a sandbox."""

    name: str
    """own, chatml, alpaca, plain, or a file's name."""
    source: str
    tokenizer: TextTokenizer

    @cached_property
    def _compiled(self) -> jinja2.Template:
        try:
            return _environment().from_string(self.source)
        except jinja2.TemplateError as error:
            raise UserError(f"The chat template ({self.name}) is not valid: {error.message}.") from None

    def render(self, messages: Sequence[dict[str, str]], add_generation_prompt: bool = False) -> str:
        """The conversation as text; UserError where the template refuses it."""
        return self.render_marked(messages, add_generation_prompt).replace(OPEN, "").replace(CLOSE, "")

    def render_marked(self, messages: Sequence[dict[str, str]], add_generation_prompt: bool = False) -> str:
        """The same, with what {% generation %} wrote between OPEN and CLOSE."""
        if any(OPEN in message["content"] or CLOSE in message["content"] for message in messages):
            raise UserError("A message holds the noncharacters U+FDD0 or U+FDD1, which no text may hold; remove them.")
        tokens = {
            name: self.tokenizer.special.get(name, "") for name in ("bos_token", "eos_token", "pad_token", "unk_token")
        }
        try:
            text = self._compiled.render(
                messages=list(messages),
                add_generation_prompt=add_generation_prompt,
                tools=None,
                documents=None,
                **tokens,
            )
        except UserError:
            raise
        except Exception as error:  # a template may fail in any way
            raise UserError(f"The chat template ({self.name}) cannot render this conversation: {error}.") from None
        if len(text) > 50_000_000:
            raise UserError(
                f"The chat template ({self.name}) makes more than 50 million characters of one conversation."
            )
        bos = tokens["bos_token"]
        return f"{bos}{text}" if self.name != "own" and self.tokenizer.adds_bos and not text.startswith(bos) else text

    @property
    def has_generation_marks(self) -> bool:
        """Whether the template itself says what an assistant wrote."""
        return "generation" in self.source and "endgeneration" in self.source


def choose_template(tokenizer: TextTokenizer, choice: str = "auto") -> ChatTemplate:
    """The template that a recipe's `data.template` means: auto, own, a built-in one's name, or a .jinja file."""
    if choice in ("auto", "own"):
        if tokenizer.chat_template is not None:
            return ChatTemplate("own", tokenizer.chat_template, tokenizer)
        if choice == "own":
            raise UserError(
                "This model has no chat template of its own; set data.template to auto, chatml, alpaca or plain."
            )
        return ChatTemplate("plain", BUILT_IN["plain"], tokenizer)
    if choice in BUILT_IN:
        return ChatTemplate(choice, BUILT_IN[choice], tokenizer)
    file = Path(choice).expanduser()
    if file.suffix in (".jinja", ".j2") or file.is_file():
        try:
            return ChatTemplate(file.name, file.read_text(encoding="utf-8"), tokenizer)
        except (OSError, UnicodeDecodeError):
            raise UserError(f"The chat template {file} cannot be read; check the path.") from None
    raise UserError(f"data.template cannot be {choice!r}; it takes auto, own, {', '.join(BUILT_IN)}, or a .jinja file.")


class _Generation(Extension):
    """`{% generation %}…{% endgeneration %}`, as Transformers' templates use it."""

    tags = {"generation"}

    def parse(self, parser: Parser) -> Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return CallBlock(self.call_method("_mark"), [], [], body).set_lineno(line)

    def _mark(self, caller: Any) -> str:
        return f"{OPEN}{caller()}{CLOSE}"


def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, "jinja2.ext.loopcontrols"]
    )
    environment.filters["tojson"] = _tojson
    environment.globals["raise_exception"] = _refuse
    environment.globals["strftime_now"] = _now
    environment.globals["range"] = _short_range
    return environment


def _tojson(value: Any, indent: int | None = None, ensure_ascii: bool = False, **rest: Any) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, **rest)


def _refuse(message: str) -> None:
    raise jinja2.TemplateError(message)


def _now(form: str) -> str:
    from datetime import datetime

    return datetime.now().astimezone().strftime(form)


def _short_range(*args: int) -> Iterable[int]:
    found = range(*args)
    if len(found) > 100_000:
        raise jinja2.TemplateError("it counts beyond 100,000")
    return found
