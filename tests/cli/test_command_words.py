"""Figures and foreign text as people read them."""

import pytest

from workbench.core.words import (
    cells,
    clip_text,
    clock_text,
    seconds_text,
    share_text,
    size_text,
    sparkline,
    visible_text,
    wrap_text,
)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (None, "–"),
        (0, "0 bytes"),
        (812, "812 bytes"),
        (61_240_000, "61.2 MB"),
        (999_600, "1.00 MB"),
        (15.6e9, "15.6 GB"),
    ],
)
def test_sizes_have_three_figures_and_a_decimal_unit(size, text):
    assert size_text(size) == text


@pytest.mark.parametrize(
    ("share", "text"), [(0.0, "0%"), (1.0, "100%"), (0.0618, "6.2%"), (0.000_13, "0.013%"), (0.9999, "99.9%")]
)
def test_a_share_that_is_not_all_is_never_shown_as_all(share, text):
    assert share_text(share) == text


def test_times_are_read_as_a_clock_or_in_words():
    assert [clock_text(9), clock_text(725), clock_text(11_220)] == ["0:09", "12:05", "3:07:00"]
    assert [seconds_text(9.41), seconds_text(125), seconds_text(11_220)] == ["9.4 s", "2 min 5 s", "3 h 7 min"]


def test_control_characters_are_written_out_and_letters_of_every_script_stay():
    assert visible_text("a\x1b[31mb\nc\u202ed\x9b") == "a\\x1b[31mb\\nc\\u202ed\\x9b"
    assert visible_text("naïve 東京 👩\u200d🔬 नमस्ते") == "naïve 東京 👩\u200d🔬 नमस्ते"
    assert visible_text("two\nlines\x07", keep="\n") == "two\nlines\\x07"


def test_wide_letters_take_two_columns_when_text_is_cut_or_wrapped():
    assert cells("東京") == 4
    assert clip_text("東京 is far", 6) == "東京 …"
    assert wrap_text("東京東京東 ab cd", 4) == ["東京", "東京", "東", "ab", "cd"]
    assert wrap_text("one two\nthree", 7) == ["one two", "three"]


def test_a_sparkline_rises_and_falls_with_its_values():
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7], 8) == "▁▂▃▄▅▆▇█"
    assert sparkline([5, 5], 8) == "▁▁"
    assert len(sparkline(list(range(1000)), 60)) == 60
    assert sparkline([], 10) == ""
