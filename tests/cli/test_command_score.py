"""Base and tuned on held-out rows of any data: what training measures, measured again."""

import json

import pytest
from command_line import RUN

FIGURES = ("base_loss", "held_out_loss", "base_score", "score", "scored")


def close(found, expected):
    return all(found[key] == pytest.approx(expected[key], rel=1e-5) for key in FIGURES)


def test_a_run_scores_as_it_did_when_it_ended_and_keeps_its_facts(taught):
    facts = (taught.run / "facts.json").read_text()
    found = taught.document("score", RUN)
    assert close(found, json.loads(facts))
    assert found["kept"] is False
    assert (taught.run / "facts.json").read_text() == facts


@pytest.mark.slow
def test_an_imported_adapter_stands_in_the_comparison_with_figures_of_its_own(taught):
    taught.document("import", taught.run / "adapter", "--name", "taken")
    assert "with --data DATA or --like RUN" in taught.refused("score", "taken")
    assert taught.document("compare", "taken")[0]["score"] is None
    found = taught.document("score", "taken", "--like", RUN)
    first, second = taught.document("compare", RUN, "taken")
    assert found["kept"] is True
    assert close(second, first)
    assert "are not of the same rows" not in taught("compare", RUN, "taken").stdout
    taught.document("score", "taken", "--data", "facts")
    said = taught("compare", RUN, "taken").stdout
    assert "The runs differ in data.source" in said
    assert "facts" in said


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--set", "method.rank=4"), "method.rank cannot be set here"),
        (("--set", "data.held_out=0"), "No row of capitals is held out"),
        (("--data", "nowhere"), "nowhere"),
    ],
)
def test_what_cannot_be_measured_is_said_in_a_sentence(words, reason, taught):
    assert reason in taught.refused("score", RUN, *words)
