"""The facts that the bundled base model is taught, read from the tables beside this file.

A fact is a mapping from slot to text, ready for the sentence templates: `{country}` is "the Bahamas" in running text
and `{Country}` is "The Bahamas" at the start of a sentence. The tables are tab-separated text with one header line.
"""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

Fact = Mapping[str, str]
"""Slot name to text."""

LARGEST_ADDEND = 10
"""Sums go from 0 + 0 to 10 + 10."""


def capitalise(text: str) -> str:
    """The text with its first letter in upper case and the rest as it was."""
    return text[:1].upper() + text[1:]


def strip_article(thing: str) -> str:
    """Without its article: "a banana" becomes "banana", and "butter" stays as it is."""
    first, _, rest = thing.partition(" ")
    return rest if first in ("a", "an", "the") else thing


def add_article(word: str) -> str:
    """With its article: "apple" becomes "an apple", "pear" becomes "a pear"."""
    return ("an " if word[0] in "aeiou" else "a ") + word


@cache
def read_table(name: str) -> tuple[Fact, ...]:
    """Every row of `tables/<name>.tsv`, with each column also as a capitalised slot (`country`, `Country`)."""
    text = files(__package__).joinpath("tables", f"{name}.tsv").read_text(encoding="utf-8")
    head, *rows = (line.split("\t") for line in text.splitlines())
    facts = []
    for row in rows:
        slots = dict(zip(head, row, strict=True))
        slots |= {capitalise(column): capitalise(value) for column, value in slots.items()}
        if "thing" in slots:
            slots["noun"] = strip_article(slots["thing"])
        facts.append(slots)
    return tuple(facts)


def list_sums() -> tuple[Fact, ...]:
    """The sums of two numbers from 0 to 10, in figures."""
    numbers = range(LARGEST_ADDEND + 1)
    return tuple({"a": str(a), "b": str(b), "sum": str(a + b)} for a in numbers for b in numbers)


COUNTRIES = read_table("countries")
OPPOSITES = read_table("opposites")
PLURALS = read_table("plurals")
PAST_TENSES = read_table("past_tenses")
SYMBOLS = read_table("symbols")
COLOURS = read_table("colours")
KINDS = read_table("kinds")
SUMS = list_sums()
REVIEW_WORDS = read_table("review_words")
