"""One prompt and its answers, and what they add up to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from workbench.core.data.score import exact_match

WAITING, ANSWERING, DONE, STOPPED, FAILED = "waiting", "answering", "done", "stopped", "failed"


@dataclass(frozen=True)
class Exchange:
    """A prompt and what each side has said to it so far."""

    prompt: str
    messages: tuple[dict[str, str], ...]
    sides: tuple[str, ...]
    expected: str | None = None
    """The held-out answer, where there is one."""
    row: int | None = None
    """The held-out row, from 0."""
    complete: bool = False
    """Whether the base continues the bare text, without the chat template."""
    state: str = WAITING
    texts: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, int] = field(default_factory=dict)
    rendered: str = ""
    """The very text that the model got."""
    ids: tuple[int, ...] = ()
    identical: bool = False
    seconds: float | None = None
    problem: str = ""

    @property
    def open(self) -> bool:
        """Whether it may still grow."""
        return self.state in (WAITING, ANSWERING)

    def after(self, event: dict[str, Any]) -> Exchange:
        """The exchange after an event of the helper's chat request."""
        if event.get("event") == "prompt":
            return replace(self, state=ANSWERING, rendered=str(event.get("text", "")), ids=tuple(event.get("ids", ())))
        if event.get("event") == "text":
            side = str(event.get("side"))
            texts = {**self.texts, side: self.texts.get(side, "") + str(event.get("text", ""))}
            return replace(self, state=ANSWERING, texts=texts)
        return self

    def finished(self, result: dict[str, Any]) -> Exchange:
        """The exchange with the helper's final answer."""
        return replace(
            self,
            state=DONE,
            texts={side: str(result.get(side) or "") for side in self.sides},
            tokens={side: len(result.get(f"{side}_tokens") or ()) for side in self.sides},
            ids=tuple(result.get("ids") or self.ids),
            identical=len(self.sides) > 1 and bool(result.get("identical")),
            seconds=result.get("seconds"),
        )

    def right(self, side: str) -> bool | None:
        """Whether a side's whole answer is exactly the expected one; None where that cannot be said."""
        if self.expected is None or self.state != DONE or side not in self.sides:
            return None
        return exact_match(self.texts.get(side, ""), self.expected)


@dataclass(frozen=True)
class Tally:
    """Exact matches over the held-out questions that were asked and answered whole."""

    asked: int
    """Different held-out rows; of a row asked twice the last answer counts."""
    right: dict[str, int]


def count_right(exchanges: Iterable[Exchange]) -> Tally:
    """The tally of a conversation."""
    last = {exchange.row: exchange for exchange in exchanges if exchange.row is not None and exchange.state == DONE}
    sides = dict.fromkeys(side for exchange in last.values() for side in exchange.sides)
    return Tally(len(last), {side: sum(bool(item.right(side)) for item in last.values()) for side in sides})
