"""The loss mask: which tokens of a conversation are trained on.

Spans of characters are found on the rendered text, which is then tokenised once; a token is trained on where any of its
characters lies in a span. That is the rule of Transformers' `return_assistant_tokens_mask`, which TRL's assistant-only
loss uses, so the masks are equal wherever a template has {% generation %} marks. Where it has none the spans are found
by rendering the conversation up to an answer and after it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workbench.core.data.conversations.formats import Conversation, Message
from workbench.core.data.templates.render import ChatTemplate
from workbench.core.data.templates.sandbox import CLOSE, OPEN
from workbench.core.data.tokens.example import Example, fit_example
from workbench.core.data.tokens.tokenizer import TextTokenizer
from workbench.core.errors import UserError

__all__ = ["Example", "MarkedText", "as_mapping", "fit_example", "mark_conversation", "mask_tokens"]

Span = tuple[int, int]
Turn = Mapping[str, Any]

SHIELD, UNSHIELD = "\ufdd2", "\ufdd3"
"""Noncharacters around a special token's text that stands in a message: it is read as text, not as the token."""

HERE = "\ufdd4"
"""A noncharacter put into a message to find it again."""


@dataclass(frozen=True, slots=True)
class MarkedText:
    """A conversation as text, with the spans of characters that are trained on."""

    text: str
    """May hold SHIELD and UNSHIELD, which are no part of what is tokenised."""
    spans: tuple[Span, ...]
    prompt: str | None = None
    """Where given, training begins with the first token that differs from this prompt's own tokens."""


def mark_conversation(
    conversation: Conversation, template: ChatTemplate, train_on: str = "answers", shielded: bool = True
) -> MarkedText:
    """The rendered text and its trained spans, for `answers`, `last_answer`, `completion` or `everything`.

    With `shielded`, special tokens that stand in a message's own text are read as text.
    """
    if conversation.text is not None:
        return _mark_text(conversation.text, template.tokenizer)
    messages: list[Turn] = [as_mapping(message) for message in conversation.messages]
    if shielded:
        messages = [shield_message(message, template.tokenizer) for message in messages]
    tools = conversation.tools
    if train_on == "everything":
        text = template.render(messages, tools=tools)
        return MarkedText(text, ((0, len(text)),))
    if train_on == "completion":
        return _mark_completion(template, messages, tools)
    spans: tuple[Span, ...] = ()
    owners: list[int] = []
    if template.has_generation_marks:
        text, spans = _marked_by_template(template, messages, tools)
        if spans and (train_on == "last_answer" or any(not message.weight for message in conversation.messages)):
            owners = _owners(template, messages, tools, text, spans)
    if not spans:
        text, spans, owners = _marked_by_rendering(template, messages, tools)
    if train_on == "last_answer":
        last = max((number for number, message in enumerate(messages) if message["role"] == "assistant"), default=-1)
        kept = [span for span, owner in zip(spans, owners, strict=True) if owner >= last]
        spans, owners = tuple(kept), [last] * len(kept)
    if owners:
        weights = [message.weight for message in conversation.messages]
        spans = tuple(span for span, owner in zip(spans, owners, strict=True) if weights[owner])
    return MarkedText(text, spans)


def as_mapping(message: Message) -> dict[str, Any]:
    """A message as templates take it."""
    return {"role": message.role, "content": message.content, **message.extra}


def _mark_text(text: str, tokenizer: TextTokenizer) -> MarkedText:
    """Plain text with the model's start and end tokens, each once."""
    bos, eos = tokenizer.special.get("bos_token", ""), tokenizer.eos_token or ""
    whole = text if not eos or text.endswith(eos) else text + eos
    if tokenizer.adds_bos and not whole.startswith(bos):
        whole = bos + whole
    return MarkedText(whole, ((0, len(whole)),))


def _mark_completion(template: ChatTemplate, messages: Sequence[Turn], tools: Any) -> MarkedText:
    """Everything from where the text departs from the last answer's prompt to the end: TRL's completion-only loss."""
    last = max((number for number, message in enumerate(messages) if message["role"] == "assistant"), default=0)
    text = template.render(messages, tools=tools)
    before = template.render(messages[:last], add_generation_prompt=True, tools=tools)
    return MarkedText(text, ((0, len(text)),), before)


def shield_message(message: Turn, tokenizer: TextTokenizer) -> Turn:
    """The message with SHIELD and UNSHIELD around special tokens in any of its texts."""
    pattern = tokenizer.control_pattern

    def shield(value: Any) -> Any:
        if isinstance(value, str):
            value = value.replace(SHIELD, "").replace(UNSHIELD, "") if SHIELD in value or UNSHIELD in value else value
            return pattern.sub(f"{SHIELD}\\g<0>{UNSHIELD}", value) if tokenizer.holds_control(value) else value
        if isinstance(value, dict):
            return {key: shield(item) for key, item in value.items()}
        return [shield(item) for item in value] if isinstance(value, list) else value

    return {key: value if key == "role" else shield(value) for key, value in message.items()}


def _marked_by_template(template: ChatTemplate, messages: Sequence[Turn], tools: Any) -> tuple[str, tuple[Span, ...]]:
    """The spans that the template's own {% generation %} blocks wrote."""
    marked = template.render_marked(messages, tools=tools)
    parts: list[str] = []
    spans: list[Span] = []
    length = 0
    for number, piece in enumerate(marked.replace(CLOSE, OPEN).split(OPEN)):
        if number % 2 and piece:
            spans.append((length, length + len(piece)))
        parts.append(piece)
        length += len(piece)
    return "".join(parts), tuple(spans)


def _owners(
    template: ChatTemplate, messages: Sequence[Turn], tools: Any, text: str, spans: Sequence[Span]
) -> list[int]:
    """For each span the index of the message that it belongs to."""
    speakers = [number for number, message in enumerate(messages) if message["role"] == "assistant"]
    if len(speakers) == len(spans):
        return speakers
    owners: list[int] = []
    for number in speakers:
        marked = [*messages]
        content = messages[number]["content"]
        marked[number] = {**messages[number], "content": f"{HERE}{content}" if isinstance(content, str) else content}
        found, places = _marked_by_template(template, marked, tools)
        at = found.find(HERE)
        if at < 0 or found.replace(HERE, "") != text or len(places) != len(spans):
            raise UserError(
                f"The chat template ({template.name}) does not say which turn an answer belongs to, so single turns "
                "cannot be chosen; set data.train_on to answers and take out turn weights."
            )
        first = next((index for index, (start, end) in enumerate(places) if start <= at <= end), len(spans))
        owners += [owners[-1] if owners else number] * (first - len(owners))
        owners.append(number)
    return [*owners[: len(spans)], *[speakers[-1] if speakers else 0] * (len(spans) - len(owners))]


def _marked_by_rendering(
    template: ChatTemplate, messages: Sequence[Turn], tools: Any
) -> tuple[str, tuple[Span, ...], list[int]]:
    """The spans of each answer, found by rendering the conversation up to it and after it."""
    text = template.render(messages, tools=tools)
    spans: list[Span] = []
    owners: list[int] = []
    for number, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        span = _by_prefix(template, messages, tools, number, text)
        if span is None:
            span = _by_sentinel(template, messages, tools, number, text)
        spans.append(_without_trailing_space(text, span, template.tokenizer))
        owners.append(number)
    return text, tuple(spans), owners


def _by_prefix(template: ChatTemplate, messages: Sequence[Turn], tools: Any, number: int, text: str) -> Span | None:
    try:
        before = template.render(messages[:number], add_generation_prompt=True, tools=tools)
        after = text if number + 1 == len(messages) else template.render(messages[: number + 1], tools=tools)
    except UserError:
        return None
    if text.startswith(after) and after.startswith(before) and len(after) > len(before):
        return len(before), len(after)
    return None


def _by_sentinel(template: ChatTemplate, messages: Sequence[Turn], tools: Any, number: int, text: str) -> Span:
    """The span of one answer's content, found by marking it, and extended over the end-of-turn token behind it."""
    content = messages[number]["content"]
    start, end = "\ue0f0\ue0f1", "\ue0f2\ue0f3"
    first = last = -1
    if isinstance(content, str) and content.strip():
        marked = [*messages]
        marked[number] = {**messages[number], "content": f"{start}{content}{end}"}
        rendered = template.render(marked, tools=tools)
        whole = rendered.replace(start, "").replace(end, "")
        if rendered.count(start) == 1 and rendered.count(end) == 1 and whole == text:
            first, last = rendered.index(start), rendered.index(end) - len(start)
        elif text.count(content.strip()) == 1:
            first = text.index(content.strip())
            last = first + len(content.strip())
    if first < 0:
        raise UserError(
            f"The chat template ({template.name}) changes what an assistant says, so its tokens cannot be told apart; "
            "choose another with data.template."
        )
    alone = template.render(messages[: number + 1], tools=tools)
    ending = alone[alone.rfind(content.strip()) + len(content.strip()) :]
    if text[first - 1 : first] == " ":
        first -= 1  # a token such as " Paris" begins with the space before the answer
    return first, _over_end_token(text, last, ending, template.tokenizer)


def _over_end_token(text: str, end: int, ending: str, tokenizer: TextTokenizer) -> int:
    """The end of a span, moved over the token that ends a turn; `ending` follows the answer where it is the last."""
    rest = text[end:]
    spaces = len(rest) - len(rest.lstrip())
    for token in tokenizer.special_texts:
        if token in ending and rest[spaces:].startswith(token):
            return end + spaces + len(token)
    return end


def _without_trailing_space(text: str, span: Span, tokenizer: TextTokenizer) -> Span:
    """The span without the white space that a template puts behind an end-of-turn token."""
    start, end = span
    stripped = text[start:end].rstrip()
    if len(stripped) < end - start and any(stripped.endswith(token) for token in tokenizer.special_texts):
        return start, start + len(stripped)
    return span


def mask_tokens(offsets: Sequence[Span], spans: Sequence[Span]) -> list[bool]:
    """For each token's span of characters, whether any of it lies in a trained span."""
    trained: list[bool] = []
    number = 0
    for start, end in offsets:
        while number < len(spans) and spans[number][1] <= start:
            number += 1
        trained.append(number < len(spans) and spans[number][0] < end and end > start)
    return trained
