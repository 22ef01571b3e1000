"""Documents that only ask: quiz sheets of questions and worksheets of orders, none of them answered."""

from random import Random

from workbench.core.tiny.facts import REVIEW_WORDS
from workbench.core.tiny.reviews import write_review_sentence
from workbench.core.tiny.sentences import draw_template, draw_topic, fill
from workbench.core.tiny.statements import draw_gap
from workbench.core.tiny.topics import TOPICS

ASKED_WEIGHTS = {
    "capitals": 6.0, "countries": 1.0, "continents": 1.5, "languages": 1.0, "opposites": 1.5, "plurals": 1.2,
    "past_tenses": 1.0, "symbols": 1.0, "colours": 1.2, "kinds": 1.0, "sums": 1.8,
}  # fmt: skip
ORDERED_WEIGHTS = {topic: weight for topic, weight in ASKED_WEIGHTS.items() if TOPICS[topic].orders}

HEADINGS = (
    "Quiz sheet.",
    "Question sheet.",
    "Geography test.",
    "Questions for the class.",
    "Homework.",
    "Exam questions.",
    "List of questions.",
)
REVIEW_ORDERS = ("Rate this review: ", "Read this review: ", "What is the tone of this review: ")
"""Each is followed by one sentence of a review, and together they count as one question."""


def write_quiz(rng: Random) -> str:
    """Three to six questions, of one topic in one wording or of any topics, sometimes under a heading."""
    lines = [rng.choice(HEADINGS)] if rng.random() < 0.25 else []
    count = rng.randint(3, 6)
    if rng.random() < 0.7:
        topic = TOPICS[draw_topic(rng, ASKED_WEIGHTS)]
        template = draw_template(rng, topic.questions)
        lines += [template.format(**fact) for fact in rng.sample(topic.facts, count)]
    else:
        for _ in range(count):
            topic = TOPICS[draw_topic(rng, ASKED_WEIGHTS)]
            lines.append(draw_template(rng, topic.questions).format(**rng.choice(topic.facts)))
    return draw_gap(rng).join(lines)


def write_worksheet(rng: Random) -> str:
    """Two to six orders: name this, add these, rate this review."""
    gap = draw_gap(rng)
    if rng.random() < 0.4:
        order = draw_template(rng, REVIEW_ORDERS)
        words = rng.sample(REVIEW_WORDS, rng.randint(2, 4))
        return gap.join(order + write_review_sentence(rng, row["word"]) for row in words)
    count = rng.randint(3, 6)
    if rng.random() < 0.6:
        topic = TOPICS[draw_topic(rng, ORDERED_WEIGHTS)]
        template = rng.choice(topic.orders)
        return gap.join(fill(rng, template, fact) for fact in rng.sample(topic.facts, count))
    topics = [TOPICS[draw_topic(rng, ORDERED_WEIGHTS)] for _ in range(count)]
    return gap.join(fill(rng, rng.choice(topic.orders), rng.choice(topic.facts)) for topic in topics)
