"""Sentences drawn at random from the templates, one fact at a time."""

from collections.abc import Sequence
from random import Random

from workbench.core.tiny.facts import Fact
from workbench.core.tiny.topics import TOPICS

NUMBER_WORDS = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")

PLAIN_SHARE = 0.4
"""How often the first template is taken where there are several."""


def draw_template(rng: Random, templates: Sequence[str]) -> str:
    """The first template in two cases of five, else any of them."""
    return templates[0] if rng.random() < PLAIN_SHARE else rng.choice(templates)


def fill(rng: Random, template: str, fact: Fact) -> str:
    """The template with the fact in it; `{many}` becomes a random number word."""
    return template.format(many=rng.choice(NUMBER_WORDS), **fact)


def draw_topic(rng: Random, weights: dict[str, float]) -> str:
    """A topic's name, drawn with these weights."""
    return rng.choices(tuple(weights), tuple(weights.values()))[0]


def tell(rng: Random, topic: str, fact: Fact) -> str:
    """A statement of the fact."""
    return fill(rng, draw_template(rng, TOPICS[topic].statements), fact)


def name_subject(topic: str, fact: Fact) -> str:
    """What the fact is about: "the Bahamas", "a banana", "3 and 4"."""
    return TOPICS[topic].subject.format(**fact)
