"""Conversations from rows: which format the rows have, and what each one says."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from workbench.core.data.conversations.oasst import paths_of_trees
from workbench.core.data.conversations.turns import (
    ROLES,
    Conversation,
    Message,
    check_question,
    check_text,
    check_turns,
    parsed,
    plain_text,
    read_turns,
)
from workbench.core.data.files.sources import BAD_ROW, Row, Table
from workbench.core.errors import UserError

__all__ = ["Conversation", "Format", "Message", "detect_format", "read_conversations"]


@dataclass(frozen=True, slots=True)
class Format:
    """How rows are read, and why."""

    name: str
    reason: str
    mapping: Mapping[str, str]
    """Columns by role: prompt, context, answer, system; or the one column that holds it all."""
    every_path: bool = False
    """Whether a tree of messages gives all its conversations, or the best one."""


COLUMN_FORMATS: dict[str, tuple[dict[str, str], tuple[str, ...]]] = {
    "alpaca": (
        {"prompt": "instruction", "answer": "output", "context": "input", "system": "system"},
        ("instruction", "output"),
    ),
    "dolly": ({"prompt": "instruction", "answer": "response", "context": "context"}, ("instruction", "response")),
    "prompt_completion": ({"prompt": "prompt", "answer": "completion", "system": "system"}, ("prompt", "completion")),
    "question_answer": ({"prompt": "question", "answer": "answer", "context": "context"}, ("question", "answer")),
}  # fmt: skip
"""Formats of named columns: the columns by role, and those that must be there."""

PROMPT_WORDS = ("prompt", "instruction", "question", "query", "input", "user", "problem", "source")
ANSWER_WORDS = ("answer", "response", "output", "completion", "reply", "assistant", "target", "solution", "label")


def detect_format(
    table: Table, name: str = "auto", mapping: Mapping[str, str] | None = None, paths: str = "best"
) -> Format:
    """The rows' format, with the reason; `name` and `mapping` are the person's own choice, `paths` is of trees.

    UserError where none fits.
    """
    columns = set(table.columns)
    if mapping:
        return _mapped(table, mapping)
    if name != "auto":
        return _named(table, name, paths)
    if "messages" in columns and _is_turns(_first(table, "messages"), "role"):
        return Format("messages", "a column messages holds turns with a role and content", {"messages": "messages"})
    for column in ("conversations", "conversation"):
        if column in columns and _is_turns(_first(table, column), "from"):
            return Format("sharegpt", f"a column {column} holds turns with from and value", {"messages": column})
        if column in columns and _is_turns(_first(table, column), "role"):
            return Format("messages", f"a column {column} holds turns with a role and content", {"messages": column})
    if {"message_id", "parent_id", "role", "text"} <= columns:
        return _tree("columns message_id and parent_id make a tree of messages", paths)
    for name_, (roles, needed) in COLUMN_FORMATS.items():
        if set(needed) <= columns:
            there = {role: column for role, column in roles.items() if column in columns}
            return Format(name_, f"it has the columns {' and '.join(needed)}", there)
    guess = _guessed(table.columns)
    if guess:
        prompt, answer = guess
        return Format("prompt_completion", f"the columns {prompt} and {answer} sound like a prompt and its answer",
                      {"prompt": prompt, "answer": answer})  # fmt: skip
    if "text" in columns:
        return Format("text", "it has a column text and no column of answers", {"text": "text"})
    question = next((column for column in table.columns if column.lower() in PROMPT_WORDS), None)
    if question:
        reason = (
            f"the column {question} sounds like a prompt, and no column like its answer: questions to generate from"
        )
        return Format("instruction", reason, {"prompt": question, **_beside(columns)})
    raise UserError(
        f"{table.source} has the columns {', '.join(table.columns[:12])}, and none says which is the answer; "
        "set data.mapping, such as {prompt: COLUMN, answer: COLUMN}."
    )


def _named(table: Table, name: str, paths: str) -> Format:
    columns = set(table.columns)
    chosen = "chosen in the recipe"
    if name in COLUMN_FORMATS:
        roles, needed = COLUMN_FORMATS[name]
        missing = [column for column in needed if column not in columns]
        if not missing:
            return Format(name, chosen, {role: column for role, column in roles.items() if column in columns})
    elif name == "instruction":
        question = next((column for column in table.columns if column.lower() in PROMPT_WORDS), None)
        missing = [] if question else ["instruction"]
        if question:
            return Format(name, chosen, {"prompt": question, **_beside(columns)})
    elif name == "text":
        missing = [] if "text" in columns else ["text"]
        if not missing:
            return Format(name, chosen, {"text": "text"})
    elif name == "oasst":
        missing = [column for column in ("message_id", "parent_id", "role", "text") if column not in columns]
        if not missing:
            return _tree(chosen, paths)
    else:
        options = ("messages",) if name == "messages" else ("conversations", "conversation")
        found = [column for column in options if column in columns]
        if found:
            return Format(name, chosen, {"messages": found[0]})
        missing = [options[0]]
    raise UserError(
        f"{table.source} is not in the format {name}: it has no column {' or '.join(missing)}, "
        f"only {', '.join(table.columns[:12])}."
    )


def _tree(reason: str, paths: str) -> Format:
    return Format("oasst", reason, {"messages": "text"}, paths == "all")


def _mapped(table: Table, mapping: Mapping[str, str]) -> Format:
    roles = ("prompt", "context", "answer", "system", "messages", "text")
    for role, column in mapping.items():
        if role not in roles:
            raise UserError(f"data.mapping cannot have the role {role!r}; it takes {', '.join(roles)}.")
        if column not in table.columns:
            raise UserError(f"data.mapping names the column {column!r}, but there are {', '.join(table.columns[:12])}.")
    if "messages" in mapping:
        return Format(
            "sharegpt" if _is_turns(_first(table, mapping["messages"]), "from") else "messages",
            "mapped in the recipe",
            dict(mapping),
        )
    if "text" in mapping:
        return Format("text", "mapped in the recipe", dict(mapping))
    if "prompt" in mapping and "answer" not in mapping:
        return Format(
            "instruction", "mapped in the recipe, without an answer: questions to generate from", dict(mapping)
        )
    if not {"prompt", "answer"} <= set(mapping):
        raise UserError("data.mapping needs the roles prompt and answer, or messages, or text.")
    return Format("prompt_completion", "mapped in the recipe", dict(mapping))


def _beside(columns: Collection[str]) -> dict[str, str]:
    """A system message beside questions without answers."""
    return {"system": "system"} if "system" in columns else {}


def _guessed(columns: Sequence[str]) -> tuple[str, str] | None:
    lower = {column.lower(): column for column in columns}
    prompt = next((lower[word] for word in PROMPT_WORDS if word in lower), None)
    answer = next((lower[word] for word in ANSWER_WORDS if word in lower and lower[word] != prompt), None)
    return (prompt, answer) if prompt and answer else None


def _first(table: Table, column: str) -> Any:
    """The first value of a column that is not empty; a list that is written as JSON, as tables hold it, as the list."""
    value = next((row[column] for row in table.first if BAD_ROW not in row and row.get(column)), None)
    return parsed(value) if isinstance(value, str) and value.lstrip()[:1] == "[" else value


def _is_turns(value: Any, key: str) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict) and key in value[0]


def read_conversations(table: Table, form: Format) -> Sequence[Conversation]:
    """One conversation a row, in the source's order; what cannot be used says why.

    Each is made when it is asked for, but for oasst, where a tree's rows may stand anywhere, and conversations are
    numbered one after the other.
    """
    if form.name == "oasst":
        found = [
            replace(
                check_turns(number, [Message(ROLES.get(role, role), text) for role, text in path.turns]),
                source_row=path.last if form.every_path else path.tree,
                tree=path.tree if form.every_path else None,
            )
            for number, path in enumerate(paths_of_trees(table.rows, form.every_path))
        ]
        if not found:
            raise UserError(f"{table.source} has no message without a parent_id, so that no conversation begins in it.")
        return found
    return _Conversations(table.rows, form)


@dataclass(frozen=True, slots=True)
class _Conversations(Sequence[Conversation]):
    """The rows of a table as conversations."""

    rows: Sequence[Row]
    form: Format

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return tuple(self[number] for number in range(*index.indices(len(self))))
        number = index if index >= 0 else index + len(self)
        return read_row(number, self.rows[number], self.form)

    def __iter__(self) -> Iterator[Conversation]:
        for number, row in enumerate(self.rows):
            yield read_row(number, row, self.form)


def read_row(number: int, row: Row, form: Format) -> Conversation:
    """One row as a conversation."""
    if BAD_ROW in row:
        return Conversation(number, problem=str(row[BAD_ROW]))
    if form.name in ("messages", "sharegpt"):
        return read_turns(number, row.get(form.mapping["messages"]), row)
    if form.name == "text":
        return check_text(number, plain_text(row.get(form.mapping["text"])))
    return _from_columns(number, row, form)


def _from_columns(number: int, row: Row, form: Format) -> Conversation:
    prompt = row.get(form.mapping["prompt"])
    if form.name == "instruction" and _is_turns(prompt, "role"):
        return check_question(read_turns(number, prompt, row))
    answer = row.get(form.mapping.get("answer", ""))
    if _is_turns(prompt, "role"):  # conversational prompt and completion
        turns = [*(prompt or []), *(answer if isinstance(answer, list) else [{"role": "assistant", "content": answer}])]
        return read_turns(number, turns, row)
    system, context = (plain_text(row.get(form.mapping.get(role, ""))) for role in ("system", "context"))
    question = plain_text(prompt)
    if context.strip():
        question = f"{question}\n\n{context}" if question.strip() else context
    messages = [Message("system", system)] if system.strip() else []
    if form.name == "instruction":
        return check_question(check_turns(number, [*messages, Message("user", question)]))
    messages += [Message("user", question), Message("assistant", plain_text(answer))]
    return check_turns(number, messages)
