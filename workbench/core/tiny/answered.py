"""The proof that no question in the corpus is followed by its answer.

What the base model is shown must not teach it to answer: fine-tuning does that. So these three hold everywhere:

- a document that asks holds nothing but asking sentences after at most one heading;
- the sentence after a question, whatever it is, does not contain the answer;
- the first sentence that states something, be it in a later document, neither contains the answer nor names what was
  asked about, and the rest of its document does not do both in one sentence.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from workbench.core.tiny.facts import strip_article
from workbench.core.tiny.questions import HEADINGS, REVIEW_ORDERS
from workbench.core.tiny.topics import TOPICS

ORDER_WORDS = tuple(sorted({order.split()[0] + " " for topic in TOPICS.values() for order in topic.orders}))
_BREAK = re.compile(r"(?<=[?.!])[ \n]+")
_NOT_WORD = re.compile(r"[^\w'+-]+")
TONES = ("positive", "negative")


@dataclass(frozen=True)
class Asked:
    """What a question asks for."""

    subject: str
    """What it is about, in normal form."""
    answers: tuple[str, ...]
    """What would answer it, in normal form."""

    def is_answered_in(self, plain: str) -> bool:
        """Whether an answer stands in a sentence in normal form, as whole words."""
        return any(answer in plain for answer in self.answers)


@dataclass(frozen=True)
class AnsweredQuestion:
    """A question of the corpus that a later sentence answers."""

    document: int
    """The index of the document that asks."""
    question: str
    sentence: str
    """The sentence that gives it away."""
    reason: str
    """What is wrong with it."""


def normalise(text: str) -> str:
    """Lower case words with one space around each, so that ` lima ` is found as a whole word."""
    return f" {_NOT_WORD.sub(' ', text).strip().lower()} "


def split_sentences(document: str) -> list[str]:
    """The sentences of a document; an order to rate a review is one sentence with the review in it."""
    return [part for part in _BREAK.split(document.strip()) if part]


def asks(sentence: str) -> bool:
    """Whether a sentence asks: it ends in a question mark, gives an order, or hands over a review."""
    return sentence.endswith("?") or sentence.startswith(ORDER_WORDS) or sentence.startswith(REVIEW_ORDERS)


def only_asks(document: str) -> bool:
    """Whether a document asks nothing, or else holds nothing but asking sentences after at most one heading."""
    sentences = split_sentences(document)
    if not any(asks(sentence) for sentence in sentences):
        return True
    return all(asks(sentence) for sentence in (sentences[1:] if sentences[0] in HEADINGS else sentences))


@cache
def list_asked() -> Mapping[str, Asked]:
    """Every question and order that the templates can make about any fact, with its answer."""
    asked = {}
    for topic in TOPICS.values():
        for fact in topic.facts:
            answer = fact[topic.answer]
            known = Asked(
                normalise(strip_article(topic.subject.format(**fact))),
                tuple({normalise(answer), normalise(strip_article(answer))}),
            )
            for template in (*topic.questions, *topic.orders):
                asked[template.format(**fact)] = known
    return asked


def read_question(sentence: str) -> Asked | None:
    """What an asking sentence asks for, or None for one that no table answers."""
    if sentence.startswith(REVIEW_ORDERS):
        return Asked(" review ", tuple(map(normalise, TONES)))
    return list_asked().get(sentence)


def find_answered_questions(documents: Sequence[str]) -> list[AnsweredQuestion]:
    """Every question of the corpus that what follows it answers, and every document that asks and also states."""
    found = []
    waiting: list[tuple[int, str, Asked]] = []
    for index, document in enumerate(documents):
        if not only_asks(document):
            found.append(AnsweredQuestion(index, document, document, "a document that asks also states something"))
        stated = False
        for sentence in split_sentences(document):
            plain = normalise(sentence) if waiting else ""
            asking = asks(sentence)
            if asking or sentence in HEADINGS:
                for asked_in, question, asked in waiting[-1:]:
                    if asked.is_answered_in(plain):
                        found.append(AnsweredQuestion(asked_in, question, sentence, "it contains the answer"))
                known = read_question(sentence) if asking else None
                if known:
                    waiting.append((index, sentence, known))
                continue
            for asked_in, question, asked in waiting:
                told, named = asked.is_answered_in(plain), asked.subject in plain
                if told and named:
                    found.append(AnsweredQuestion(asked_in, question, sentence, "it states the answer"))
                elif told and not stated:
                    found.append(AnsweredQuestion(asked_in, question, sentence, "it contains the answer"))
                elif named and not stated:
                    found.append(AnsweredQuestion(asked_in, question, sentence, "it is about what was asked"))
            stated = True
        if stated:
            waiting.clear()
    return found
