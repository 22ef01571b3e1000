"""The loss mask: which tokens of a conversation are trained on.

Spans of characters are found on the rendered text, which is then tokenised once; a token is trained on where all of it
lies in a span. Comparing token prefixes instead goes wrong where a merge crosses the border.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from workbench.core.data.conversations import Conversation, Message
from workbench.core.data.templates import CLOSE, OPEN, ChatTemplate
from workbench.core.data.tokenizer import TextTokenizer
from workbench.core.errors import UserError

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class MarkedText:
    """A conversation as text, with the spans of characters that are trained on."""

    text: str
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Example:
    """One row as tokens. A token's label is its id where it is trained on, else -100."""

    row: int
    ids: tuple[int, ...]
    trained: tuple[bool, ...]
    cut: int = 0
    """Tokens of the row that were cut off."""

    @property
    def trained_tokens(self) -> int:
        """Tokens with a loss; the first token of a row has none, since nothing comes before it."""
        return sum(self.trained[1:])


def mark_conversation(conversation: Conversation, template: ChatTemplate, train_on: str = "answers") -> MarkedText:
    """The rendered text and its trained spans, for `answers`, `last_answer` or `everything`."""
    if conversation.text is not None:
        text = conversation.text + (template.tokenizer.eos_token or "")
        if template.tokenizer.adds_bos:
            text = template.tokenizer.special["bos_token"] + text
        return MarkedText(text, ((0, len(text)),))
    messages = [as_mapping(message) for message in conversation.messages]
    if train_on == "everything":
        text = template.render(messages)
        return MarkedText(text, ((0, len(text)),))
    text, spans = _marked_by_template(template, messages) if template.has_generation_marks else ("", ())
    if not spans:
        text, spans = _marked_by_rendering(template, messages)
    spans = tuple(_without_trailing_space(text, span, template.tokenizer) for span in spans)
    return MarkedText(text, spans[-1:] if train_on == "last_answer" else spans)


def as_mapping(message: Message) -> dict[str, str]:
    """A message as templates take it."""
    return {"role": message.role, "content": message.content}


def _marked_by_template(template: ChatTemplate, messages: Sequence[dict[str, str]]) -> tuple[str, tuple[Span, ...]]:
    """The spans that the template's own {% generation %} blocks wrote."""
    marked = template.render_marked(messages)
    parts: list[str] = []
    spans: list[Span] = []
    length = 0
    for number, piece in enumerate(marked.replace(CLOSE, OPEN).split(OPEN)):
        if number % 2:
            spans.append((length, length + len(piece)))
        parts.append(piece)
        length += len(piece)
    return "".join(parts), tuple(spans)


def _marked_by_rendering(template: ChatTemplate, messages: Sequence[dict[str, str]]) -> tuple[str, tuple[Span, ...]]:
    """The spans of each answer, found by rendering the conversation up to it and after it."""
    text = template.render(messages)
    spans: list[Span] = []
    for number, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        spans.append(_by_prefix(template, messages, number, text) or _by_sentinel(template, messages, number, text))
    return text, tuple(spans)


def _by_prefix(template: ChatTemplate, messages: Sequence[dict[str, str]], number: int, text: str) -> Span | None:
    try:
        before = template.render(messages[:number], add_generation_prompt=True)
        after = template.render(messages[: number + 1])
    except UserError:
        return None
    if text.startswith(after) and after.startswith(before) and len(after) > len(before):
        return len(before), len(after)
    return None


def _by_sentinel(template: ChatTemplate, messages: Sequence[dict[str, str]], number: int, text: str) -> Span:
    """The span of one answer's content, found by marking it, and extended over the end-of-turn token behind it."""
    content = messages[number]["content"]
    start, end = "\ue0f0\ue0f1", "\ue0f2\ue0f3"
    marked = [*messages]
    marked[number] = {**messages[number], "content": f"{start}{content}{end}"}
    rendered = template.render(marked)
    first = last = -1
    if rendered.count(start) == 1 and rendered.count(end) == 1 and rendered.replace(start, "").replace(end, "") == text:
        first, last = rendered.index(start), rendered.index(end) - len(start)
    elif text.count(content.strip()) == 1:
        first = text.index(content.strip())
        last = first + len(content.strip())
    if first < 0:
        raise UserError(
            f"The chat template ({template.name}) changes what an assistant says, so its tokens cannot be told apart; "
            "choose another with data.template."
        )
    alone = template.render(messages[: number + 1])
    ending = alone[alone.rfind(content.strip()) + len(content.strip()) :]
    if text[first - 1 : first] == " ":
        first -= 1  # a token such as " Paris" begins with the space before the answer
    return first, _over_end_token(text, last, ending, template.tokenizer)


def _special_tokens(tokenizer: TextTokenizer) -> tuple[str, ...]:
    added = tokenizer.backend.get_added_tokens_decoder().values()
    return tuple({*(token.content for token in added if token.special), *tokenizer.special.values()})


def _over_end_token(text: str, end: int, ending: str, tokenizer: TextTokenizer) -> int:
    """The end of a span, moved over the token that ends a turn; `ending` follows the answer where it is the last."""
    rest = text[end:]
    spaces = len(rest) - len(rest.lstrip())
    for token in sorted(_special_tokens(tokenizer), key=len, reverse=True):
        if token and token in ending and rest[spaces:].startswith(token):
            return end + spaces + len(token)
    return end


def _without_trailing_space(text: str, span: Span, tokenizer: TextTokenizer) -> Span:
    """The span without the white space that a template puts behind an end-of-turn token."""
    start, end = span
    stripped = text[start:end].rstrip()
    if len(stripped) < end - start and any(stripped.endswith(token) for token in _special_tokens(tokenizer) if token):
        return start, start + len(stripped)
    return span


def mask_tokens(offsets: Sequence[Span], spans: Sequence[Span]) -> list[bool]:
    """For each token's span of characters, whether all of it lies in a trained span; a straddling one does not."""
    trained: list[bool] = []
    number = 0
    for start, end in offsets:
        while number < len(spans) and spans[number][1] <= start:
            number += 1
        inside = number < len(spans) and spans[number][0] <= start and end <= spans[number][1] and end > start
        trained.append(inside)
    return trained


def fit_example(
    row: int, ids: Sequence[int], trained: Sequence[bool], max_length: int, over_length: str
) -> Example | None:
    """The row as an example of at most `max_length` tokens; None where it is longer and is to be dropped."""
    cut = max(0, len(ids) - max_length)
    if not cut:
        return Example(row, tuple(ids), tuple(trained))
    if over_length == "drop":
        return None
    part = slice(cut, None) if over_length == "cut_left" else slice(0, max_length)
    return Example(row, tuple(ids[part]), tuple(trained[part]), cut)
