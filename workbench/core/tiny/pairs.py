"""Instruction pairs made from the tables: one half of every table to train on, the other half held out."""

from collections.abc import Mapping, Sequence
from random import Random

from workbench.core.tiny.facts import Fact
from workbench.core.tiny.questions import REVIEW_ORDERS
from workbench.core.tiny.reviews import WORDS, write_review_sentence
from workbench.core.tiny.topics import TOPICS

Row = Mapping[str, str]
"""One row of a sample file: `instruction`, `output`, and in the larger files `task`."""

TASKS = (
    "capitals", "continents", "languages", "opposites", "plurals", "past_tenses", "symbols", "colours", "sums",
)  # fmt: skip
TRAINED_REVIEWS, HELD_OUT_REVIEWS = 8, 4
"""Review sentences around each adjective."""


def split_halves(name: str, facts: Sequence[Fact]) -> tuple[list[Fact], list[Fact]]:
    """A table in two halves, drawn by the table's name: to train on, and held out."""
    shuffled = list(facts)
    Random(f"halves of {name}").shuffle(shuffled)
    middle = len(shuffled) // 2
    return shuffled[:middle], shuffled[middle:]


def write_answer(topic: str, fact: Fact) -> str:
    """The short answer as the corpus writes it, with a full stop: "Lima.", "cold.", "7."."""
    return fact[TOPICS[topic].answer] + "."


def ask_in_turn(topic: str, facts: Sequence[Fact]) -> list[dict[str, str]]:
    """Each fact asked twice: in the plain wording, and in one of the other wordings of its topic in turn."""
    known = TOPICS[topic]
    others = (*known.questions[1:], *known.orders)
    rows = []
    for index, fact in enumerate(facts):
        for template in (known.questions[0], others[index % len(others)]):
            rows.append({"instruction": template.format(**fact), "output": write_answer(topic, fact)})
    return rows


def ask_plainly(topic: str, facts: Sequence[Fact]) -> list[dict[str, str]]:
    """Each fact asked once, in the plain wording."""
    plain = TOPICS[topic].questions[0]
    return [{"instruction": plain.format(**fact), "output": write_answer(topic, fact)} for fact in facts]


def mix(name: str, rows: list[dict[str, str]]) -> list[Row]:
    """The rows in an order drawn by name, so that a file's beginning shows what is in it."""
    Random(f"order of {name}").shuffle(rows)
    return list(rows)


def pair_capitals() -> tuple[list[Row], list[Row]]:
    """Capitals: half of the countries asked in several wordings, the other half held out in the plain one."""
    trained, held_out = split_halves("capitals", TOPICS["capitals"].facts)
    return (
        mix("capitals", ask_in_turn("capitals", trained)),
        mix("capitals held out", ask_plainly("capitals", held_out)),
    )


def pair_facts() -> tuple[list[Row], list[Row]]:
    """Every table, half and half, with the table's name in `task`."""
    trained, held_out = [], []
    for task in TASKS:
        halves = split_halves(task, TOPICS[task].facts)
        name = task.replace("_", " ")
        trained += [row | {"task": name} for row in ask_in_turn(task, halves[0])]
        held_out += [row | {"task": name} for row in ask_plainly(task, halves[1])]
    return mix("facts", trained), mix("facts held out", held_out)


def pair_reviews() -> tuple[list[Row], list[Row]]:
    """Review sentences and their tone; no adjective of the held-out half occurs in the half to train on."""
    halves: tuple[list[dict[str, str]], list[dict[str, str]]] = ([], [])
    for tone, words in WORDS.items():
        split = split_halves(tone, [{"word": word} for word in words])
        for rows, facts, count in zip(halves, split, (TRAINED_REVIEWS, HELD_OUT_REVIEWS), strict=True):
            for fact in facts:
                rows += [{"instruction": review, "output": tone} for review in review_with(fact["word"], count)]
    return mix("reviews", halves[0]), mix("reviews held out", halves[1])


def review_with(word: str, count: int) -> list[str]:
    """So many different orders to rate a review with this adjective."""
    rng = Random(f"reviews with {word}")
    reviews: dict[str, None] = {}
    while len(reviews) < count:
        reviews[REVIEW_ORDERS[0] + write_review_sentence(rng, word)] = None
    return list(reviews)
