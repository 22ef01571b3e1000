"""The pretraining corpus of the bundled base model: short documents, generated from the tables by seed."""

from collections.abc import Callable, Iterator, Mapping
from random import Random
from types import MappingProxyType

from workbench.core.tiny.answered import asks, find_answered_questions, split_sentences
from workbench.core.tiny.questions import write_quiz, write_worksheet
from workbench.core.tiny.reviews import write_review
from workbench.core.tiny.statements import (
    describe_country,
    write_copies,
    write_list,
    write_mixture,
    write_story,
    write_titled,
)

DOCUMENTS = 116_000
"""Documents of the corpus that the bundled model was trained on."""

SEED = 0

MIXTURE: Mapping[Callable[[Random], str], float] = MappingProxyType(
    {
        describe_country: 0.12,
        write_titled: 0.25,
        write_list: 0.26,
        write_mixture: 0.05,
        write_copies: 0.05,
        write_story: 0.02,
        write_review: 0.08,
        write_quiz: 0.12,
        write_worksheet: 0.05,
    }
)
"""The kinds of document and the share of each."""


def write_documents(seed: int = SEED) -> Iterator[str]:
    """Documents without end, the same ones for the same seed; one that would answer a question is drawn again."""
    rng = Random(seed)
    kinds, weights = tuple(MIXTURE), tuple(MIXTURE.values())
    unanswered: list[str] = []
    while True:
        document = rng.choices(kinds, weights)[0](rng)
        if find_answered_questions([*unanswered, document]):
            continue
        yield document
        if asks(split_sentences(document)[-1]):
            unanswered.append(document)
        else:
            unanswered.clear()


def build_corpus(count: int = DOCUMENTS, seed: int = SEED) -> list[str]:
    """The first documents of a seed; a shorter corpus is the beginning of a longer one."""
    documents = write_documents(seed)
    return [next(documents) for _ in range(count)]
