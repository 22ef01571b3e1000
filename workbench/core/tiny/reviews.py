"""Reviews of places, glad or sorry, and running text that tells their tone."""

from random import Random

from workbench.core.tiny.facts import REVIEW_WORDS, add_article

PLACES = (
    "place to eat", "place to stay", "hotel", "restaurant", "cafe", "museum", "shop", "bar", "bakery", "cinema",
    "film", "book", "concert", "meal", "trip", "tour", "show", "campsite", "bookshop", "pizzeria",
)  # fmt: skip
PARTS = (
    "soup", "waiter", "room", "service", "view", "breakfast", "music", "staff", "pasta", "coffee",
    "garden", "bed", "story", "ticket", "desk", "bread", "salad", "guide", "table", "tea",
)  # fmt: skip
SENTENCES = (
    "This was {a_word} {place}!",
    "What {a_word} {place}!",
    "This is {a_word} {place}.",
    "The {part} was {word}.",
    "The {part} was really {word}!",
    "We found the {part} {word}.",
    "I had {a_word} time here.",
    "It was {a_word} {place}, and the {part} was {word} too.",
)
CLOSINGS = {
    "positive": (
        "I will come back soon.",
        "We want to come again.",
        "Everybody smiled.",
        "I tell all my friends to go there.",
        "We stayed for hours.",
    ),
    "negative": (
        "I will never come back.",
        "We left early.",
        "Nobody smiled.",
        "I tell all my friends to stay away.",
        "We want our money back.",
    ),
}
GUESTS = {"positive": "a happy guest", "negative": "an unhappy guest"}
TONE_LINES = (
    "The tone of this review is {tone}.",
    "This is a {tone} review.",
    "It is a {tone} review.",
    "The guest wrote a {tone} review.",
    "So wrote {guest} in a {tone} review.",
)
OPENINGS = (
    "A {tone} review came in today.",
    "Here is what {guest} wrote.",
    "The next review is {tone}.",
)
WORD_LINES = (
    "In a {tone} review guests use words like {word} and {other}.",
    "A review that says {word} is a {tone} review.",
    "The word {word} makes a review {tone}.",
)
WORDS = {tone: tuple(row["word"] for row in REVIEW_WORDS if row["tone"] == tone) for tone in ("positive", "negative")}


def write_review_sentence(rng: Random, word: str) -> str:
    """One sentence of a review around this adjective."""
    return rng.choice(SENTENCES).format(
        word=word, a_word=add_article(word), place=rng.choice(PLACES), part=rng.choice(PARTS)
    )


def write_review(rng: Random) -> str:
    """A document: a review with its tone told in running text, or the review alone, or words of reviews."""
    tone = rng.choice(("positive", "negative"))
    words = WORDS[tone]
    slots = {"tone": tone, "guest": GUESTS[tone], "word": rng.choice(words), "other": rng.choice(words)}
    sentences = [write_review_sentence(rng, rng.choice(words)) for _ in range(rng.choice((1, 1, 1, 2, 3)))]
    if rng.random() < 0.4:
        sentences.append(rng.choice(CLOSINGS[tone]))
    kind = rng.random()
    if kind < 0.15:
        return rng.choice(WORD_LINES).format(**slots)
    if kind < 0.75:
        sentences.append(rng.choice(TONE_LINES).format(**slots))
    elif kind < 0.85:
        sentences.insert(0, rng.choice(OPENINGS).format(**slots))
    return " ".join(sentences)
