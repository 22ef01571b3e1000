"""The tape behind the closed form: what operations keep, and what a backward pass over them takes."""

import pytest

from workbench.core.memory.pieces import activate, layer_norm, rms_norm
from workbench.core.memory.tape import Piece, Tape, Tensor


def _given(count, width=2, grad=True):
    return Tensor(count, width, grad, Piece(count * width))


def test_a_frozen_layer_keeps_nothing_and_a_trained_one_its_input():
    tape, given = Tape(0), _given(100)
    tape.product(given, tape.parameter(50, 2, False), 100)
    assert tape.kept() == 0
    tape.product(given, tape.parameter(50, 2, True), 100)
    assert tape.kept() == given.size


def test_what_several_layers_read_is_kept_once_and_a_cast_of_it_for_each():
    given = _given(100)
    shared, copied = Tape(0), Tape(0)
    for _ in range(3):
        shared.product(given, shared.parameter(50, 2, True), 100)
        copied.product(copied.cast(given, 4), copied.parameter(50, 4, True), 100)
    assert shared.kept() == given.size
    assert copied.kept() == 3 * 2 * given.size


def test_mixed_precision_casts_a_trained_weight_once_and_keeps_a_frozen_ones_cast():
    tape, weight = Tape(2), None
    given, weight = _given(100, 4), tape.parameter(50, 4, True)
    for _ in range(2):
        tape.product(given, weight, 100)
    assert tape.kept() == 2 * 100 * 2 + 50 * 2
    assert tape.passing(True) == 50 * 2 and tape.passing(False) == 0
    frozen = Tape(2)
    frozen.product(given, frozen.parameter(50, 4, False), 100)
    assert frozen.kept() == 50 * 2


def test_where_no_gradient_flows_nothing_is_kept():
    tape, given = Tape(0), _given(100, grad=False)
    activate(tape, "smooth", rms_norm(tape, given, 10, False, False))
    assert tape.kept() == 0 and not tape.nodes


@pytest.mark.parametrize(
    ("norm", "kept"),
    [
        (lambda tape, given: layer_norm(tape, given, 10, False), 100 * 2 + 10 * 8),
        (lambda tape, given: rms_norm(tape, given, 10, False, False), 100 * 4 + 10 * 4),
        (lambda tape, given: rms_norm(tape, given, 10, True, False), 100 * 4 + 10 * 4 + 100 * 2),
        (lambda tape, given: rms_norm(tape, given, 10, True, True), 100 * 4 + 10 * 4 + 100 * 4),
    ],
)
def test_a_norm_keeps_its_input_in_the_numbers_that_it_computes_in(norm, kept):
    tape = Tape(0)
    norm(tape, _given(100))
    assert tape.kept() == kept


def test_the_backward_pass_of_a_sum_makes_no_gradient_of_its_own():
    tape = Tape(0)
    one, other = _given(100), _given(100)
    assert tape.backward(tape.add(one, other), False).peak == 200
    assert tape.backward(tape.scale(tape.add(one, other)), False).peak == 400


def test_gradients_of_parameters_stay_and_are_added_up_where_they_are_there_already():
    tape, given = Tape(0), _given(100)
    result = tape.product(given, tape.parameter(50, 2, True), 100)
    first, again = tape.backward(result, False), tape.backward(result, True)
    assert first.grown == 50 * 2 and again.grown == 0
    assert first.peak == again.peak == given.size + result.size + given.size + 50 * 2
