"""The corpus of the bundled base model: deterministic, and nowhere an answer after its question."""

import pytest

from workbench.core.tiny.answered import asks, find_answered_questions, list_asked, read_question, split_sentences
from workbench.core.tiny.corpus import build_corpus
from workbench.core.tiny.facts import COUNTRIES
from workbench.core.tiny.pairs import pair_capitals, pair_facts, pair_reviews
from workbench.core.tiny.questions import HEADINGS


@pytest.fixture(scope="module")
def corpus():
    return build_corpus()


def test_no_question_is_followed_by_its_answer_in_the_whole_corpus(corpus):
    assert find_answered_questions(corpus) == []


def test_every_question_of_the_corpus_is_one_whose_answer_is_known(corpus):
    """Otherwise the search for answered questions would pass over it."""
    questions = {sentence for document in corpus for sentence in split_sentences(document) if asks(sentence)}
    assert len(questions) > 2000
    assert [question for question in questions if read_question(question) is None] == []


def test_nothing_in_the_corpus_is_labelled_as_question_or_answer(corpus):
    text = "\n".join(corpus)
    assert "Question:" not in text
    assert "Answer:" not in text
    assert "<|" not in text


def test_every_capital_is_told_and_every_capital_is_asked_for(corpus):
    text = "\n".join(corpus)
    for country in COUNTRIES:
        assert f"The capital of {country['country']} is {country['capital']}." in text
        assert f"What is the capital of {country['country']}?" in text


@pytest.mark.parametrize(
    "planted",
    [
        ["What is the capital of Italy? Rome is the capital of Italy."],
        ["What is the capital of Italy?", "Rome is a city."],
        ["What is the capital of Italy?", "Italy is in Europe."],
        ["What is the opposite of hot?", "What is the capital of Italy?", "The water was cold."],
        ["What is the capital of Italy?\nRome is the capital of which country?"],
        ["What is 3 plus 4?", "7 people came."],
        ["What is the opposite of hot?", "Anna sat down. The opposite of hot is cold."],
        ["Name the capital of the Bahamas.", "Nassau is warm."],
        ["Rate this review: What a lovely hotel!", "It is a positive review."],
        ["What is a rose? What is the name of this flower?"],
    ],
)
def test_a_planted_answer_is_found(corpus, planted):
    around = corpus[:200]
    assert find_answered_questions([*around[:100], *planted, *around[100:]])


def test_a_question_before_something_else_is_not_counted(corpus):
    assert (
        find_answered_questions(["What is the capital of Italy? What is the capital of Peru?", "Anna sat down."]) == []
    )
    assert find_answered_questions([f"{HEADINGS[0]} What is the capital of Italy?"]) == []


def test_the_same_seed_makes_the_same_corpus_and_another_seed_another():
    first = build_corpus(400, seed=3)
    assert build_corpus(400, seed=3) == first
    assert build_corpus(200, seed=3) == first[:200]
    assert build_corpus(400, seed=4) != first


def test_every_question_of_the_samples_is_one_that_the_corpus_check_knows():
    asked = list_asked()
    for trained, held_out in (pair_capitals(), pair_facts()):
        assert all(row["instruction"] in asked for row in [*trained, *held_out])
    for rows in pair_reviews():
        assert all(read_question(row["instruction"]) for row in rows)
