"""Documents that state facts: about one country, under a title, in lists, mixed, copied, in small stories."""

from random import Random

from workbench.core.tiny.facts import COLOURS, COUNTRIES, KINDS, PAST_TENSES, PLURALS, add_article, capitalise
from workbench.core.tiny.sentences import NUMBER_WORDS, draw_topic, fill, name_subject, tell
from workbench.core.tiny.topics import TOPICS

TITLED_WEIGHTS = {
    "capitals": 3.0, "continents": 3.5, "languages": 2.5, "opposites": 3.2, "plurals": 2.3, "past_tenses": 1.8,
    "symbols": 1.2, "colours": 1.8, "kinds": 1.8, "sums": 8.0, "review words": 1.0,
}  # fmt: skip
"""How often each topic is stated under a title; sums most, because nothing but repetition teaches them here."""

LIST_WEIGHTS = TITLED_WEIGHTS | {"countries": 0.8}

TITLES = ("{Subject}.", "About {subject}.", "A note on {subject}.", "The topic of today: {subject}.", "Now {subject}.")
SUM_TITLES = ("Take {subject}.", "Here are {subject}.", "Now {subject}.")
COPIED = ("capitals", "opposites", "plurals", "past_tenses", "symbols", "colours", "kinds", "review words")
NAMES = (
    "Anna", "Ben", "Clara", "David", "Emma", "Felix", "Greta", "Hugo",
    "Ida", "Jonas", "Lena", "Max", "Nina", "Oscar", "Paula", "Tom",
)  # fmt: skip


def draw_gap(rng: Random) -> str:
    """What stands between two sentences: mostly a space, sometimes a line break."""
    return rng.choice((" ", " ", "\n"))


def describe_country(rng: Random) -> str:
    """Two to four facts about one country, in any order."""
    country = rng.choice(COUNTRIES)
    topics = ["capitals", *rng.sample(("continents", "languages", "capitals"), rng.randint(1, 3))]
    rng.shuffle(topics)
    return " ".join(dict.fromkeys(tell(rng, topic, country) for topic in topics))


def write_titled(rng: Random) -> str:
    """A title that names the subject, then a statement or two about it: it teaches copying a name from above."""
    topic = draw_topic(rng, TITLED_WEIGHTS)
    fact = rng.choice(TOPICS[topic].facts)
    subject = name_subject(topic, fact)
    title = rng.choice(SUM_TITLES if topic == "sums" else TITLES)
    statements = dict.fromkeys(tell(rng, topic, fact) for _ in range(rng.randint(1, 2)))
    gap = draw_gap(rng)
    return gap.join([title.format(subject=subject, Subject=capitalise(subject)), *statements])


def write_list(rng: Random) -> str:
    """Three to seven statements of one topic, in one wording or in several."""
    topic = draw_topic(rng, LIST_WEIGHTS)
    facts = rng.sample(TOPICS[topic].facts, rng.randint(3, 7))
    gap = draw_gap(rng)
    if rng.random() < 0.3:
        template = rng.choice(TOPICS[topic].statements)
        return gap.join(fill(rng, template, fact) for fact in facts)
    return gap.join(tell(rng, topic, fact) for fact in facts)


def write_mixture(rng: Random) -> str:
    """Three to six statements of any topics."""
    topics = [draw_topic(rng, LIST_WEIGHTS) for _ in range(rng.randint(3, 6))]
    return " ".join(tell(rng, topic, rng.choice(TOPICS[topic].facts)) for topic in topics)


def write_copies(rng: Random) -> str:
    """Words said twice: without such documents the model cannot repeat a name from the prompt."""
    words = []
    for _ in range(rng.randint(1, 4)):
        topic = rng.choice(COPIED)
        words.append(name_subject(topic, rng.choice(TOPICS[topic].facts)))
    said = ", ".join(words)
    first, second = rng.sample(NAMES, 2)
    template = rng.choice(
        (
            "{first} wrote down: {said}. {second} read it again: {said}.",
            "The list says {said}. Once more: {said}.",
            "{first} said {said}, and {second} said {said} too.",
            "{Said}.\n{Said}.",
        )
    )
    return template.format(first=first, second=second, said=said, Said=capitalise(said))


def write_story(rng: Random) -> str:
    """A few sentences about two friends."""
    first, second = rng.sample(NAMES, 2)
    country, verb, colour = rng.choice(COUNTRIES), rng.choice(PAST_TENSES), rng.choice(COLOURS)
    animals, thing, kind = rng.choice(PLURALS), rng.choice(PLURALS), rng.choice(KINDS)
    weather = rng.choice(("warm", "cold", "wet", "dry", "calm"))
    mood = rng.choice(("happy", "sad", "tired", "hungry"))
    sentences = (
        f"{first} lives in {country['capital']}, the capital of {country['country']}.",
        f"One day {first} {verb['past']} with {second}.",
        f"In the garden they saw {rng.choice(NUMBER_WORDS)} {animals['plural']}.",
        f"{second} had {kind['thing']}.",
        "Nobody knew the answer to the question.",
        f"{first} put {add_article(colour['colour'])} {thing['word']} on the table.",
        f"{second} has a friend in {country['country']}.",
        f"They speak {country['language']} at home.",
        "The teacher gave them a sheet with questions.",
        f"The weather was {weather}.",
        "Then they went home.",
        f"{first} was {mood}, but {second} was not.",
    )
    return " ".join([f"{first} and {second} are friends.", *rng.sample(sentences, rng.randint(3, 6))])
