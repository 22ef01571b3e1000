"""CUDA's caching allocator as it is replayed: its segments, its reuse, and what holds whatever is asked of it."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.engine.trace.allocator import Allocator, rounded

MIB = 2**20


def test_small_blocks_are_cut_from_segments_of_two_mebibytes():
    allocator = Allocator()
    for number in range(4):
        allocator.allocate(number, 512 * 1024)
    assert allocator.reserved == 2 * MIB
    allocator.allocate(4, 1)
    assert allocator.reserved == 4 * MIB


def test_middle_blocks_share_twenty_mebibytes_and_large_ones_have_a_segment_of_their_own():
    allocator = Allocator()
    allocator.allocate(1, 9 * MIB)
    allocator.allocate(2, 9 * MIB)
    assert allocator.reserved == 20 * MIB
    allocator.allocate(3, 11 * MIB + 1)
    assert allocator.reserved == 20 * MIB + 12 * MIB


def test_what_is_given_back_is_handed_out_again():
    allocator = Allocator()
    allocator.allocate(1, 100 * MIB)
    allocator.release(1)
    allocator.allocate(2, 60 * MIB)
    allocator.allocate(3, 39 * MIB)
    assert allocator.reserved == 100 * MIB


def test_free_neighbours_are_joined():
    allocator = Allocator()
    allocator.allocate(1, 100 * MIB)
    allocator.release(1)
    for number in (2, 3):
        allocator.allocate(number, 50 * MIB)
    allocator.release(2)
    allocator.release(3)
    allocator.allocate(4, 100 * MIB)
    assert allocator.reserved == 100 * MIB


def test_a_hole_that_is_too_small_costs_a_new_segment():
    allocator = Allocator()
    for number in (1, 2, 3):
        allocator.allocate(number, 20 * MIB)
    allocator.release(2)
    allocator.allocate(4, 30 * MIB)
    assert allocator.reserved == 90 * MIB


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 40 * MIB), st.integers(0, 10)), max_size=60))
def test_no_two_living_blocks_overlap_and_the_reserve_holds_them_all(asked):
    allocator, living = Allocator(), {}
    for number, (size, gone) in enumerate(asked):
        allocator.allocate(number, size)
        living[number] = size
        if gone in living and gone != number:
            allocator.release(gone)
            del living[gone]
        taken = sorted((block.address, block.address + block.size) for block in allocator._taken.values())
        assert all(one[1] <= other[0] for one, other in pairwise(taken))
        assert allocator.reserved >= sum(rounded(size) for size in living.values())
        assert allocator.highest >= allocator.reserved
