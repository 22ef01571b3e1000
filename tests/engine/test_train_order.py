"""The order of a run's rows."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.core.errors import UserError
from workbench.core.recipe import recipe_from_mapping
from workbench.engine.train.order import check_processes, order_rows


def recipe(
    micro: int = 4, effective: int = 8, packing: object = "auto", length: int = 64, **training: object
) -> object:
    return recipe_from_mapping(
        {
            "data": {"packing": packing, "max_length": length},
            "training": {"micro_batch": micro, "effective_batch": effective, **training},
        }
    )


def uneven(count: int, seed: int = 0) -> list[int]:
    source = random.Random(seed)
    return [source.choice((5, 8, 13, 30, 61)) for _ in range(count)]


@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(1, 90),
    passes=st.integers(1, 4),
    micro=st.sampled_from((1, 2, 4)),
    accumulation=st.sampled_from((1, 2, 3)),
    even=st.booleans(),
    packing=st.booleans(),
)
def test_every_pass_takes_every_row_once(
    rows: int, passes: int, micro: int, accumulation: int, even: bool, packing: bool
) -> None:
    lengths = [9] * rows if even else uneven(rows)
    order = order_rows(
        lengths, recipe(micro, micro * accumulation, packing if packing else "auto", epochs=float(passes))
    )
    taken = [row for sequence in order.sequences for row in sequence]
    assert sorted(taken) == sorted(list(range(rows)) * passes)
    assert order.passes[-1] == passes
    assert len(order.passes) == order.steps == -(-len(order.sequences) // (micro * accumulation))


def test_rows_of_similar_length_share_a_micro_batch_where_that_saves_padding() -> None:
    lengths = uneven(512)
    order = order_rows(lengths, recipe(8, 8))

    def places(rows: list[int]) -> int:
        batches = [rows[start : start + 8] for start in range(0, len(rows), 8)]
        return sum(max(lengths[row] for row in batch) * len(batch) for batch in batches)

    taken = [row for (row,) in order.sequences]
    shuffled = taken.copy()
    random.Random(1).shuffle(shuffled)
    assert sum(lengths) / places(taken) > 0.9 > sum(lengths) / places(shuffled)


def test_the_largest_micro_batch_comes_first_so_that_too_little_memory_shows_at_once() -> None:
    lengths = uneven(300)
    order = order_rows(lengths, recipe(4, 8, epochs=2.0))
    assert max(lengths[row] for (row,) in order.sequences[:4]) == max(lengths)


def test_a_later_pass_fills_up_the_micro_batch_that_the_pass_before_has_begun() -> None:
    order = order_rows(uneven(10), recipe(4, 4, epochs=2.0))
    assert len(order.sequences) == 20
    assert order.steps == 5


@pytest.mark.parametrize("packing", ["auto", True])
def test_a_seed_gives_one_order_and_another_seed_another(packing: object) -> None:
    lengths = uneven(100)
    first = order_rows(lengths, recipe(packing=packing, seed=1))
    assert first == order_rows(lengths, recipe(packing=packing, seed=1))
    assert first != order_rows(lengths, recipe(packing=packing, seed=2))


def test_packed_sequences_hold_no_more_than_the_longest_row_may_have() -> None:
    lengths = uneven(200)
    order = order_rows(lengths, recipe(packing=True, length=64))
    sums = [sum(lengths[row] for row in sequence) for sequence in order.sequences]
    assert max(sums) <= 64
    assert len(sums) < 0.6 * len(lengths)
    assert sum(sums) / (64 * len(sums)) > 0.85


def test_a_number_of_steps_is_met_exactly_whatever_the_rows() -> None:
    for rows in (3, 8, 50):
        order = order_rows(uneven(rows), recipe(4, 8, steps=7))
        assert order.steps == 7
        assert len(order.sequences) == 56


def test_half_a_pass_takes_half_the_rows() -> None:
    order = order_rows([10] * 40, recipe(4, 8, epochs=0.5))
    assert len(order.sequences) == 20
    assert order.passes[-1] == 0.5


def test_a_batch_that_processes_cannot_share_evenly_is_refused() -> None:
    assert check_processes(recipe(4, 16), 2) == 2  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"multiple of 3 × training\.micro_batch"):
        check_processes(recipe(4, 16), 3)  # type: ignore[arg-type]
