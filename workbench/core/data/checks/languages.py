"""Which language a text is most likely in, by the commonest words of some languages in Latin letters.

Not a trained model: a text of few words, of code or of another language is left unjudged, and Danish and Norwegian are
not told apart.
"""

from __future__ import annotations

import re
from collections import Counter

COMMON = {
    "English": "the of and is to that it was for with are this you what which from have not they by be at how can her",
    "German": "der die das und ist nicht ein eine zu den von mit sich auf für dem wie auch wird sind im es ich sie was",
    "French": "le les des est et une dans pour que qui pas sur avec sont du ce par plus vous il elle nous cette au",
    "Spanish": "el los las es y una que por con para como más pero está son del se lo su muy también puede qué",
    "Italian": "il di che è una per non sono del della gli con più anche nel questo come si dei alla delle può",
    "Portuguese": "o os as é não uma para com mais do da em são como por você também ao dos das na que seu pode",
    "Dutch": "het een van en niet dat zijn voor met op te aan ook wordt deze ik je door naar uit worden",
    "Swedish": "och att det som är på för inte med av ett den kan till har jag du om vad eller från",
    "Danish or Norwegian": "og det er at på til med som ikke af av den kan har jeg du hva hvad eller fra blir bliver",
    "Polish": "i w nie na się jest że z do to jak co są tym przez od po dla oraz może który która",
    "Czech": "je a v se na že s z do jako který není to jsou pro také by nebo které",
    "Turkish": "ve bir bu da için ile çok olarak olan mi ne gibi daha kadar değil var",
    "Romanian": "și de la este nu un o care pentru în din sunt cu pe mai sau ce să fi",
    "Finnish": "ja on ei että se oli joka mutta kun hän myös ovat tai mitä voi ole",
    "Hungarian": "a az és hogy nem egy is van ez meg csak volt vagy mint lehet de",
    "Indonesian or Malay": "yang dan di itu dengan untuk tidak ini dari adalah pada dalam atau akan juga",
    "Vietnamese": "của và là các một những được không cho trong với có người khi này",
}
"""Words that are common in each language; those of several are not counted."""

LOOKED_AT = 800
"""Letters of a text by which it is judged."""

LEAST = 4
"""Common words that a judgement needs, three different ones among them."""

WORD = re.compile(r"[^\W\d_]+")


def _only_ones() -> dict[str, str]:
    number = Counter(word for words in COMMON.values() for word in set(words.split()))
    return {word: name for name, words in COMMON.items() for word in words.split() if number[word] == 1}


LANGUAGE = _only_ones()


def language_of(text: str) -> str:
    """The language, or nothing where the words do not tell: four common ones, and twice those of any other language."""
    found = [
        (LANGUAGE[word], word) for word in WORD.findall(text[:LOOKED_AT].lower()) if word in LANGUAGE
    ]  # fmt: skip
    if len(found) < LEAST:
        return ""
    counts = Counter(name for name, _ in found).most_common(2)
    (name, most), others = counts[0], counts[1][1] if len(counts) > 1 else 0
    different = len({word for language, word in found if language == name})
    return name if most >= LEAST and most >= 2 * others and different >= 3 else ""
