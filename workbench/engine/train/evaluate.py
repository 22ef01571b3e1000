"""Held-out rows: their loss, the share of questions answered right, and a few answers to look at.

Nothing here disturbs the training: the random numbers, the mode of the model and its gradients are as before.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from workbench.core.data.dataset import PreparedData, Question
from workbench.core.data.score import exact_match
from workbench.engine.answer import answer_questions
from workbench.engine.train.batches import COUNTS, NO_LOSS, Collator

SAMPLES = 3
"""Questions whose answers are shown at every evaluation."""

SAMPLE_TOKENS = 48
"""Longest answer that is shown, in tokens."""

MARGIN = 8
"""Tokens beyond the expected answer that an answer may have and still be right: another way to cut the same text."""

TOGETHER = 16
"""Questions that are answered at a time."""


@dataclass(frozen=True)
class Measured:
    """One side's figures on the held-out rows."""

    loss: float | None
    """Mean negative log-likelihood of a trained token, in nats; None without held-out rows."""
    tokens: int
    score: float | None = None
    """Share of questions answered exactly right; None where none was asked."""
    scored: int = 0


class HeldOut:
    """The held-out rows of a run, and how they are measured on a model."""

    def __init__(
        self,
        data: PreparedData,
        collator: Collator,
        micro_batch: int,
        score_rows: int,
        stop_ids: frozenset[int],
        autocast: torch.dtype | None,
        check: Callable[[], None],
    ) -> None:
        """`check` is called between batches and may raise, to end a measurement that is no longer wanted."""
        self.tokenizer = data.tokenizer
        self.scored = spread(data.questions, score_rows)
        self.samples = spread(data.questions, SAMPLES)
        self.stop_ids = stop_ids
        self.autocast = autocast
        self.check = check
        self._collator = collator
        rows = sorted(data.held_out, key=len)
        self._batches = [rows[start : start + micro_batch] for start in range(0, len(rows), micro_batch)]

    @property
    def empty(self) -> bool:
        """Whether there is nothing to measure on."""
        return not self._batches and not self.scored

    def measure(self, model: Any, score: bool) -> Measured:
        """The loss over all held-out rows, and the score where it is asked for."""
        with undisturbed(model, self.autocast):
            total, count = 0.0, 0
            for rows in self._batches:
                self.check()
                nll, tokens = _sum_of_losses(model, self._collator([(row,) for row in rows]))
                total, count = total + nll, count + tokens
            loss = total / count if count else None
            if not score or not self.scored:
                return Measured(loss, count)
            return Measured(loss, count, self._score(model), len(self.scored))

    def _score(self, model: Any) -> float:
        """Share of the questions whose likeliest answer is, but for white space at its ends, the expected one.

        An answer ends as soon as it has gone wrong, which changes no score.
        """
        expected = [question.answer.strip() for question in self.scored]
        limits = [len(self.tokenizer.encode(answer)[0]) + MARGIN for answer in expected]

        def still_right(index: int, ids: list[int]) -> bool:
            return expected[index].startswith(self.tokenizer.decode(ids).strip().rstrip("\ufffd"))

        right = 0
        for start in range(0, len(self.scored), TOGETHER):
            self.check()
            part = self.scored[start : start + TOGETHER]
            found = self._answer(
                model,
                part,
                limits[start : start + TOGETHER],
                lambda index, ids, first=start: still_right(first + index, ids),
            )
            right += sum(exact_match(text, item.answer) for text, item in zip(found, part, strict=True))
        return right / len(self.scored)

    def answer_samples(self, model: Any) -> list[str]:
        """The model's likeliest answer to each of `samples`."""
        if not self.samples:
            return []
        self.check()
        with undisturbed(model, self.autocast):
            return self._answer(model, self.samples, SAMPLE_TOKENS, None)

    def _answer(
        self, model: Any, questions: Sequence[Question], limit: int | list[int], go_on: Callable[..., bool] | None
    ) -> list[str]:
        answers = answer_questions(
            model,
            [question.ids for question in questions],
            self.stop_ids,
            self.tokenizer.pad_id,
            limit,
            batch=TOGETHER,
            go_on=go_on,
        )
        return [self.tokenizer.decode(ids).strip() for ids in answers]


def spread(questions: Sequence[Question], count: int) -> tuple[Question, ...]:
    """At most `count` of the questions, evenly over them all."""
    if count <= 0 or not questions:
        return ()
    if count >= len(questions):
        return tuple(questions)
    return tuple(questions[place * len(questions) // count] for place in range(count))


@contextlib.contextmanager
def undisturbed(model: Any, autocast: torch.dtype | None = None) -> Iterator[None]:
    """Evaluation mode, no gradients, random numbers of its own, and mixed precision where training has it."""
    training = model.training
    cuda = [model.device.index or 0] if model.device.type == "cuda" else []
    mixed: Any = contextlib.nullcontext() if autocast is None else torch.autocast(model.device.type, dtype=autocast)
    with torch.no_grad(), torch.random.fork_rng(devices=cuda), mixed:
        model.eval()
        try:
            yield
        finally:
            model.train(training)


def _sum_of_losses(model: Any, batch: dict[str, Any]) -> tuple[float, int]:
    """Sum of the negative log-likelihoods of a batch's trained tokens in nats, and how many there are."""
    given = {key: value.to(model.device) for key, value in batch.items() if key != COUNTS}
    labels = given.pop("labels")
    targets = given.pop("shift_labels", None)
    logits = model(**given, use_cache=False).logits
    if targets is None:
        shifted = torch.nn.functional.pad(labels, (0, 1), value=NO_LOSS)[:, 1:]
        logits, targets = logits[shifted != NO_LOSS], shifted[shifted != NO_LOSS]
    return float(cross_entropy(logits.float(), targets, reduction="sum")), targets.numel()
