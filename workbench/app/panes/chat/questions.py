"""Held-out questions of a run, fetched from the helper a page at a time."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workbench.core.errors import UserError
from workbench.core.recipe import Recipe, recipe_to_mapping

if TYPE_CHECKING:
    from workbench.core.helper import Helper

PAGE = 32
"""Rows asked for at once."""


@dataclass(frozen=True)
class HeldOutQuestion:
    """A held-out row as a question."""

    row: int
    """Its index in the data, from 0."""
    prompt: str
    """The last user turn."""
    messages: tuple[dict[str, str], ...]
    """Everything up to where the answer begins."""
    answer: str


class HeldOutQuestions:
    """The held-out rows of one recipe, in their order or by chance."""

    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe
        self._rows: dict[int, HeldOutQuestion | None] = {}
        self._total: int | None = None
        self._place = -1
        self._random = random.Random()
        self._unasked: list[int] = []

    async def next(self, helper: Helper) -> HeldOutQuestion:
        """The question after the last one, from the first again after the last. UserError where there is none."""
        total = await self._count(helper)
        for _ in range(total):
            self._place = (self._place + 1) % total
            question = await self._at(helper, self._place)
            if question is not None:
                return question
        raise UserError("None of the held-out rows has a question and an answer; type a prompt of your own.")

    async def random(self, helper: Helper) -> HeldOutQuestion:
        """A question by chance; none comes again before all have come."""
        total = await self._count(helper)
        for _ in range(total):
            if not self._unasked:
                self._unasked = list(range(total))
                self._random.shuffle(self._unasked)
            self._place = self._unasked.pop()
            question = await self._at(helper, self._place)
            if question is not None:
                return question
        raise UserError("None of the held-out rows has a question and an answer; type a prompt of your own.")

    async def _count(self, helper: Helper) -> int:
        if self._total is None:
            await self._fetch(helper, 0)
        if not self._total:
            raise UserError("This recipe holds out no rows (data.held_out is 0); type a prompt of your own.")
        return self._total

    async def _at(self, helper: Helper, place: int) -> HeldOutQuestion | None:
        if place not in self._rows:
            await self._fetch(helper, place)
        return self._rows.get(place)

    async def _fetch(self, helper: Helper, start: int) -> None:
        if self._recipe.data.held_out == 0:
            self._total = 0
            return
        page = await helper.request(
            "rows", recipe=recipe_to_mapping(self._recipe), start=start, count=PAGE, held_out=True
        )
        self._total = int(page["total"])
        for place, row in enumerate(page["rows"], start):
            self._rows[place] = question_from(row)


def question_from(row: dict[str, Any]) -> HeldOutQuestion | None:
    """The question in a row of the helper's: its last answer, and what leads to it; None where it has none."""
    messages = [{"role": item["role"], "content": item["content"]} for item in row.get("messages") or []]
    last = max((place for place, item in enumerate(messages) if item["role"] == "assistant"), default=0)
    if row.get("problem") or not messages:
        return None
    if not last:  # a question of a set without answers
        asked = messages[-1]
        return (
            HeldOutQuestion(int(row["row"]), asked["content"], tuple(messages), "") if asked["role"] == "user" else None
        )
    before = messages[:last]
    prompt = next((item["content"] for item in reversed(before) if item["role"] == "user"), "")
    return HeldOutQuestion(int(row["row"]), prompt, tuple(before), messages[last]["content"])
