"""Chat templates: conversations as the text that a model was, or will be, trained on."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import jinja2

from workbench.core.data.templates.built_in import BUILT_IN
from workbench.core.data.templates.sandbox import CLOSE, LONGEST, OPEN, ChatEnvironment, limits
from workbench.core.data.tokens.tokenizer import TextTokenizer
from workbench.core.errors import UserError

__all__ = ["BUILT_IN", "ChatTemplate", "choose_template"]

MARKS = re.compile(r"\{%[-+]?\s*generation\s*[-+]?%\}")
LARGEST = 1_000_000
"""Most characters of a template's source; the longest real ones have 30,000."""


@dataclass(frozen=True)
class ChatTemplate:
    """A chat template, compiled in a sandbox."""

    name: str
    """own, chatml, alpaca, plain, or a file's name."""
    source: str
    tokenizer: TextTokenizer

    @cached_property
    def _compiled(self) -> jinja2.Template:
        if len(self.source) > LARGEST:
            raise UserError(f"The chat template ({self.name}) is longer than a million characters; choose another.")
        try:
            with limits():
                return ChatEnvironment().from_string(self.source)
        except jinja2.TemplateError as error:
            raise UserError(f"The chat template ({self.name}) is not valid: {_one_line(error)}.") from None
        except (RecursionError, MemoryError, SyntaxError, ValueError):
            raise UserError(f"The chat template ({self.name}) is nested too deeply to be read.") from None

    def render(
        self,
        messages: Sequence[Mapping[str, Any]],
        add_generation_prompt: bool = False,
        tools: Sequence[Any] | None = None,
    ) -> str:
        """The conversation as text; UserError where the template refuses it."""
        return self.render_marked(messages, add_generation_prompt, tools).replace(OPEN, "").replace(CLOSE, "")

    def render_marked(
        self,
        messages: Sequence[Mapping[str, Any]],
        add_generation_prompt: bool = False,
        tools: Sequence[Any] | None = None,
    ) -> str:
        """The same, with what {% generation %} wrote between OPEN and CLOSE."""
        for message in messages:
            content = message["content"]
            if isinstance(content, str) and (OPEN in content or CLOSE in content):
                raise UserError(
                    "A message holds the noncharacters U+FDD0 or U+FDD1, which no text may hold; remove them."
                )
        tokens = self._tokens
        parts: list[str] = []
        length = 0
        compiled, known = self._compiled, self._globals
        environment: Any = compiled.environment
        try:
            with limits():
                given = {
                    **known,
                    "messages": list(messages),
                    "add_generation_prompt": add_generation_prompt,
                    "tools": tools,
                    "documents": None,
                    **tokens,
                }
                context = environment.context_class(environment, given, compiled.name, compiled.blocks)
                for part in compiled.root_render_func(context):  # `generate` copies all globals every time
                    length += len(part)
                    if length > LONGEST:
                        raise jinja2.TemplateError(f"it makes more than {LONGEST:,} characters of one conversation")
                    parts.append(part)
        except RecursionError:
            raise UserError(f"The chat template ({self.name}) calls itself without end; choose another.") from None
        except MemoryError:
            raise UserError(f"The chat template ({self.name}) needs more memory than there is.") from None
        except Exception as error:  # a template may fail in any way
            raise UserError(
                f"The chat template ({self.name}) cannot render this conversation: {_one_line(error)}."
            ) from None
        text = "".join(parts)
        bos = tokens["bos_token"]
        return f"{bos}{text}" if self.name != "own" and self.tokenizer.adds_bos and not text.startswith(bos) else text

    @cached_property
    def _globals(self) -> dict[str, Any]:
        return dict(self._compiled.globals)

    @cached_property
    def _tokens(self) -> dict[str, str]:
        return {
            name: self.tokenizer.special.get(name, "") for name in ("bos_token", "eos_token", "pad_token", "unk_token")
        }

    @property
    def has_generation_marks(self) -> bool:
        """Whether the template itself says what an assistant wrote."""
        return MARKS.search(self.source) is not None


def choose_template(tokenizer: TextTokenizer, choice: str = "auto") -> ChatTemplate:
    """The template that a recipe's `data.template` means: auto, own, a built-in one's name, or a .jinja file."""
    if choice in ("auto", "own"):
        if tokenizer.chat_template is not None:
            return ChatTemplate("own", tokenizer.chat_template, tokenizer)
        if choice == "own":
            raise UserError(
                f"This model has no chat template of its own; set data.template to auto, {', '.join(BUILT_IN)}."
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
        except ValueError:
            raise UserError(f"data.template cannot be {choice[:60]!r}; it is no path.") from None
    raise UserError(f"data.template cannot be {choice!r}; it takes auto, own, {', '.join(BUILT_IN)}, or a .jinja file.")


def _one_line(error: BaseException) -> str:
    """An error's message in one line without its last full stop."""
    return " ".join(str(error).split())[:300].rstrip(".") or type(error).__name__
