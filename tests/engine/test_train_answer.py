"""Greedy answers to many questions at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from workbench.engine.answer import answer_questions, stop_ids

PROMPTS = [[1, 2, 3], [4, 5, 6, 7, 8, 9], [10], [11, 12, 13], [14, 15, 16, 17, 18], [19, 20], [21, 22, 23]]


@torch.no_grad()
def one_by_one(model: Any, prompt: list[int], ends: set[int], limit: int) -> list[int]:
    """Without batch, padding or cache."""
    tokens = list(prompt)
    for _ in range(limit):
        token = int(model(input_ids=torch.tensor([tokens]), use_cache=False).logits[0, -1].argmax())
        if token in ends:
            break
        tokens.append(token)
    return tokens[len(prompt) :]


@pytest.mark.parametrize("kind", ["llama", "qwen2", "gpt2", "opt"])
@pytest.mark.parametrize("batch", [1, 4])
def test_answers_together_are_the_answers_one_by_one(kind: str, batch: int, make_model: Callable[[str], Any]) -> None:
    model = make_model(kind)
    plain = [one_by_one(model, prompt, set(), 12) for prompt in PROMPTS]
    assert len({tuple(answer) for answer in plain}) > 3
    assert answer_questions(model, PROMPTS, None, 0, 12, batch) == plain
    ends = {plain[0][4], plain[3][2]}
    expected = [one_by_one(model, prompt, ends, 12) for prompt in PROMPTS]
    assert expected != plain
    assert answer_questions(model, PROMPTS, ends, 0, 12, batch) == expected


def test_each_answer_has_a_limit_of_its_own(make_model: Callable[[str], Any]) -> None:
    limits = [0, 1, 2, 3, 4, 5, 6]
    answers = answer_questions(make_model("llama"), PROMPTS, None, 0, limits, 3)
    assert [len(answer) for answer in answers] == limits


def test_an_answer_ends_where_it_is_no_longer_wanted_and_the_others_go_on(make_model: Callable[[str], Any]) -> None:
    model = make_model("llama")
    whole = answer_questions(model, PROMPTS, None, 0, 8, 4)
    some = answer_questions(model, PROMPTS, None, 0, 8, 4, go_on=lambda index, ids: index % 2 == 0 or len(ids) < 3)
    assert some == [answer if index % 2 == 0 else answer[:3] for index, answer in enumerate(whole)]


def test_no_answer_goes_beyond_the_places_that_the_model_has(make_model: Callable[[str], Any]) -> None:
    model = make_model("gpt2")
    (answer,) = answer_questions(model, [list(range(120))], None, 0, 50, 1)
    assert len(answer) == 8


def test_end_tokens_come_from_the_model_and_from_the_template(make_model: Callable[[str], Any]) -> None:
    model = make_model("llama")
    model.generation_config.eos_token_id = [3, 4]
    assert stop_ids(model, 9, None) == {0, 3, 4, 9}
