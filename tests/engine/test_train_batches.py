"""Batches, and what a model can do with them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from workbench.core.data.dataset import prepare_data
from workbench.core.data.inspect import inspect_data
from workbench.core.data.tokens.example import Example
from workbench.core.places import tiny_folder
from workbench.core.recipe import recipe_from_mapping
from workbench.engine.train.batches import COUNTS, NO_LOSS, Collator
from workbench.engine.train.probe import keeps_logits, packs_cleanly

ROWS = (
    Example(0, (5, 6, 7, 8, 9), (True, False, True, True, False)),
    Example(1, (10, 11, 12), (False, True, True)),
    Example(2, (13, 14, 15, 16, 17, 18, 19), (False, False, False, True, False, True, True)),
)


def loss_and_gradient(model: Any, batch: dict[str, Any]) -> tuple[float, torch.Tensor]:
    model.zero_grad()
    given = {key: value for key, value in batch.items() if key != COUNTS}
    loss = model(**given, use_cache=False).loss
    loss.backward()
    return loss.item(), torch.cat([one.grad.flatten() for one in model.parameters() if one.grad is not None])


def test_labels_are_the_tokens_that_the_data_pane_colours(pairs: Path) -> None:
    recipe = recipe_from_mapping({"data": {"source": str(pairs), "held_out": 0.0}})
    data = prepare_data(recipe, tiny_folder())
    shown = {mask["row"]: mask for mask in inspect_data(recipe, tiny_folder(), masks=40)["masks"]}
    for row in data.train:
        batch = Collator(data.tokenizer.pad_id)([(row,)])
        mask = shown[row.row]
        assert batch["input_ids"][0].tolist() == mask["ids"]
        assert [label != NO_LOSS for label in batch["labels"][0].tolist()] == mask["trained"]
        assert batch[COUNTS].tolist() == [len(mask["ids"]), sum(mask["trained"])]


def test_the_first_token_of_a_row_never_has_a_loss() -> None:
    for packed in (False, True):
        batch = Collator(0, packed=packed, keeps_logits=True)([ROWS[:2]] if packed else [(row,) for row in ROWS[:2]])
        assert 5 not in batch["labels"]
        assert batch[COUNTS].tolist() == [8, 4]
        assert batch["shift_labels"].tolist() == [7, 8, 11, 12]


@pytest.mark.parametrize("kind", ["llama", "qwen2", "gpt2", "opt"])
def test_logits_only_where_there_is_a_loss_give_the_same_loss_and_gradients(
    kind: str, make_model: Callable[[str], Any]
) -> None:
    model = make_model(kind)
    assert keeps_logits(model)
    rows = [(row,) for row in ROWS]
    whole, whole_gradient = loss_and_gradient(model, Collator(0)(rows))
    kept, kept_gradient = loss_and_gradient(model, Collator(0, keeps_logits=True)(rows))
    assert kept == pytest.approx(whole, abs=1e-5)
    assert torch.allclose(kept_gradient, whole_gradient, atol=1e-5)


@pytest.mark.parametrize("kind", ["llama", "qwen2", "gpt2"])
def test_packed_rows_are_trained_on_as_if_each_were_alone(kind: str, make_model: Callable[[str], Any]) -> None:
    model = make_model(kind)
    assert packs_cleanly(model)
    apart, apart_gradient = loss_and_gradient(model, Collator(0, keeps_logits=True)([(row,) for row in ROWS]))
    packed = Collator(0, packed=True, keeps_logits=True)([ROWS[:2], ROWS[2:]])
    together, together_gradient = loss_and_gradient(model, packed)
    assert together == pytest.approx(apart, abs=1e-5)
    assert torch.allclose(together_gradient, apart_gradient, atol=1e-4)


def test_a_model_whose_packed_rows_would_see_one_another_is_found_out(make_model: Callable[[str], Any]) -> None:
    assert not packs_cleanly(make_model("opt"))
