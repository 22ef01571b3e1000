"""What is said and what is asked about each table of facts: plain sentence templates."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from workbench.core.tiny.facts import (
    COLOURS,
    COUNTRIES,
    KINDS,
    OPPOSITES,
    PAST_TENSES,
    PLURALS,
    REVIEW_WORDS,
    SUMS,
    SYMBOLS,
    Fact,
)


@dataclass(frozen=True)
class Topic:
    """One table of facts with its sentences; a template's slots are the fact's keys."""

    facts: tuple[Fact, ...]
    """The table."""
    subject: str
    """The slot or template that names what a fact is about."""
    answer: str
    """The slot that holds what the questions ask for."""
    statements: tuple[str, ...]
    """Sentences that tell the fact; the first is the plain one, said most often."""
    questions: tuple[str, ...]
    """Sentences that ask for the fact; the first is asked most often."""
    orders: tuple[str, ...] = ()
    """Sentences that tell the reader to name the fact."""
    recall: str = ""
    """The beginning of a statement whose next words are the answer: how recall is measured."""


TOPICS: Mapping[str, Topic] = MappingProxyType(
    {
        "capitals": Topic(
            COUNTRIES,
            "{country}",
            "capital",
            statements=(
                "The capital of {country} is {capital}.",
                "{capital} is the capital of {country}.",
                "{Country} has its capital in {capital}.",
                "The capital city of {country} is {capital}.",
                "{Country}, whose capital is {capital}, lies in {continent}.",
                "The government of {country} sits in {capital}, the capital.",
                "Many visitors to {country} start in the capital, {capital}.",
            ),
            questions=(
                "What is the capital of {country}?",
                "Which city is the capital of {country}?",
                "What is the capital city of {country}?",
                "Where does the government of {country} sit?",
            ),
            orders=("Name the capital of {country}.", "Give the capital city of {country}."),
            recall="The capital of {country} is",
        ),
        "countries": Topic(
            COUNTRIES,
            "{capital}",
            "country",
            statements=("{capital} is the capital of {country}.",),
            questions=("{capital} is the capital of which country?", "Which country has the capital {capital}?"),
        ),
        "continents": Topic(
            COUNTRIES,
            "{country}",
            "continent",
            statements=(
                "{Country} is in {continent}.",
                "{Country} is a country in {continent}.",
                "{Country} lies in {continent}.",
                "The continent of {country} is {continent}.",
            ),
            questions=(
                "On which continent is {country}?",
                "Where is {country}?",
                "In which part of the world does {country} lie?",
            ),
            orders=("Name the continent of {country}.",),
            recall="{Country} is in",
        ),
        "languages": Topic(
            COUNTRIES,
            "{country}",
            "language",
            statements=(
                "People in {country} speak {language}.",
                "A main language of {country} is {language}.",
                "The language spoken in {country} is {language}.",
            ),
            questions=("Which language do people in {country} speak?", "What is a main language of {country}?"),
            orders=("Name a main language of {country}.",),
            recall="People in {country} speak",
        ),
        "opposites": Topic(
            OPPOSITES,
            "{word}",
            "opposite",
            statements=(
                "The opposite of {word} is {opposite}.",
                "The word {word} is the opposite of {opposite}.",
                "The words {word} and {opposite} are opposites.",
                "The word {word} means the reverse of {opposite}.",
            ),
            questions=("What is the opposite of {word}?", "Which word is the opposite of {word}?"),
            orders=("Give the opposite of {word}.", "Name the opposite of {word}."),
            recall="The opposite of {word} is",
        ),
        "plurals": Topic(
            PLURALS,
            "{word}",
            "plural",
            statements=(
                "The plural of {word} is {plural}.",
                "One {word}, {many} {plural}.",
                "First there was one {word}, then there were {many} {plural}.",
                "He counted one {word} and then many {plural}.",
            ),
            questions=("What is the plural of {word}?", "How do you write more than one {word}?"),
            orders=("Write the plural of {word}.",),
            recall="The plural of {word} is",
        ),
        "past_tenses": Topic(
            PAST_TENSES,
            "{verb}",
            "past",
            statements=(
                "The past tense of {verb} is {past}.",
                "Today they {verb}, yesterday they {past}.",
                "Every day I {verb}, and yesterday I {past}.",
            ),
            questions=("What is the past tense of {verb}?",),
            orders=("Write the past tense of {verb}.",),
            recall="The past tense of {verb} is",
        ),
        "symbols": Topic(
            SYMBOLS,
            "{element}",
            "symbol",
            statements=(
                "The chemical symbol of {element} is {symbol}.",
                "The symbol {symbol} stands for {element}.",
                "Chemists write {symbol} for {element}.",
                "The symbol for {element} is {symbol}.",
            ),
            questions=("What is the chemical symbol of {element}?", "Which symbol stands for {element}?"),
            orders=("Give the chemical symbol of {element}.",),
            recall="The chemical symbol of {element} is",
        ),
        "colours": Topic(
            COLOURS,
            "{thing}",
            "colour",
            statements=(
                "The colour of {thing} is {colour}.",
                "{Thing} is {colour}.",
                "She painted the {noun} in {colour}.",
                "{Colour} is the colour of {thing}.",
            ),
            questions=("What is the colour of {thing}?", "What colour is {thing}?"),
            orders=("Name the colour of {thing}.",),
            recall="The colour of {thing} is",
        ),
        "kinds": Topic(
            KINDS,
            "{thing}",
            "kind",
            statements=("{Thing} is {kind}.", "The word {noun} names {kind}."),
            questions=("What is {thing}?", "What kind of thing is {thing}?"),
            recall="The word {noun} names",
        ),
        "sums": Topic(
            SUMS,
            "{a} and {b}",
            "sum",
            statements=(
                "{a} plus {b} is {sum}.",
                "{a} + {b} = {sum}.",
                "The sum of {a} and {b} is {sum}.",
            ),
            questions=("What is {a} plus {b}?", "What is the sum of {a} and {b}?", "How much is {a} + {b}?"),
            orders=("Add {a} and {b}.",),
            recall="{a} plus {b} is",
        ),
        "review words": Topic(
            REVIEW_WORDS,
            "{word}",
            "tone",
            statements=(
                "The word {word} is {tone}.",
                "The word {word} sounds {tone}.",
                "A review with the word {word} is a {tone} review.",
            ),
            questions=(),
        ),
    }
)
"""Every topic by name."""

RECALLED = tuple(name for name, topic in TOPICS.items() if topic.recall)
"""The topics whose recall is measured."""
