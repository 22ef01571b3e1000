"""The doctor: what may be wrong with a row's words. Cheap looks at every row; each says only what it can know."""

from __future__ import annotations

import re
from collections.abc import Iterator

from workbench.core.data.conversations.turns import Conversation
from workbench.core.data.tokens.tokenizer import TextTokenizer

SECRET = re.compile(
    r"AKIA[0-9A-Z]{16}|\bsk-(?:proj-|ant-)?[\w-]{20,}|\bgh[pousr]_\w{36}|\bgithub_pat_\w{50,}|\bhf_[A-Za-z0-9]{30,}"
    r"|\bxox[abprs]-[\w-]{10,}|\bAIza[\w-]{35}|\bglpat-[\w-]{20}|-----BEGIN [A-Z ]*PRIVATE KEY-----"
    r"|\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}"
)
"""Keys whose makers gave them a shape of their own."""

SECRET_SIGNS = (
    "AKIA", "sk-", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "hf_", "xox", "AIza", "glpat-", "-----BEGIN",
    "eyJ",
)  # fmt: skip
"""One of them stands in every such key; they are looked for first, since few texts hold any."""

MAIL = re.compile(r"[\w.+-]{1,64}@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,24}\b")
NUMBER = re.compile(r"(?<![\w.])\+?\d[\d ().-]{7,22}\d(?!\w)")
LONG_DIGITS = re.compile(r"\d[\d ().-]{7}")
IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?\b")
MOJIBAKE = re.compile("\ufffd|[ÂÃ][\u0080-\u00bf]|â€[\u0080-\u00bf™œ\u201c\u201d]|ï»¿|Ð[\u0080-\u00bf]Ñ[\u0080-\u00bf]")
CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")

SCRIPTS = {
    "Latin": re.compile("[A-Za-z\u00c0-\u024f\u1e00-\u1eff]"),
    "Cyrillic": re.compile("[\u0400-\u052f]"),
    "Greek": re.compile("[\u0370-\u03ff]"),
    "Arabic": re.compile("[\u0600-\u06ff\u0750-\u077f]"),
    "Hebrew": re.compile("[\u0590-\u05ff]"),
    "Devanagari": re.compile("[\u0900-\u097f]"),
    "Bengali": re.compile("[\u0980-\u09ff]"),
    "Tamil": re.compile("[\u0b80-\u0bff]"),
    "Thai": re.compile("[\u0e00-\u0e7f]"),
    "Korean": re.compile("[\uac00-\ud7af\u1100-\u11ff]"),
    "Japanese": re.compile("[\u3040-\u30ff]"),
    "Chinese": re.compile("[\u4e00-\u9fff\u3400-\u4dbf]"),
}
"""Scripts by their letters; which language is written in them is not guessed."""

SAMPLE = 2000
"""Characters of a row by which its script is told."""


def whole_text(conversation: Conversation) -> str:
    """All that a row says."""
    if conversation.text is not None:
        return conversation.text
    return "\n".join(message.content for message in conversation.messages)


def last_answer(conversation: Conversation) -> str:
    """What the assistant says last; nothing for plain text."""
    return next((item.content for item in reversed(conversation.messages) if item.role == "assistant"), "").strip()


def look_at(conversation: Conversation, text: str, tokenizer: TextTokenizer) -> Iterator[str]:
    """Kinds of findings in one row; `text` is all it says, `tokenizer` knows the model's special tokens."""
    if CONTROL.search(text):
        yield "escape_sequence"
    if conversation.text is None:
        yield from _look_at_turns(conversation)
        if tokenizer.holds_control(text):
            yield "control_token"
    if not text.isascii() and MOJIBAKE.search(text):
        yield "encoding"
    if any(sign in text for sign in SECRET_SIGNS) and SECRET.search(text):
        yield "secret"
    if is_personal(text):
        yield "personal"


def _look_at_turns(conversation: Conversation) -> Iterator[str]:
    answers = [item for item in conversation.messages if item.role == "assistant"]
    if any(not item.content.strip() and "tool_calls" not in item.extra for item in answers):
        yield "empty_turn"
    answer = last_answer(conversation)
    asked = next((item.content for item in reversed(conversation.messages) if item.role == "user"), "").strip()
    if answer and asked and (answer == asked or (len(asked) > 20 and answer.startswith(asked))):
        yield "repeats_prompt"
    if answer and " " not in answer and len(answer.split()) == 1:
        yield "one_word"


def is_personal(text: str) -> bool:
    """Whether a text likely holds an e-mail address, a telephone number, a payment card or a bank account."""
    if "@" in text and MAIL.search(text):
        return True
    if not LONG_DIGITS.search(text):
        return False
    for found in NUMBER.finditer(text):
        written = found[0]
        digits = "".join(letter for letter in written if letter.isdigit())
        if 13 <= len(digits) <= 19 and passes_luhn(digits):
            return True
        parted = sum(letter in " -()." for letter in written)
        if written.startswith("+") and 9 <= len(digits) <= 15 and digits[0] != "0":
            return True
        if re.fullmatch(r"\(?\d{3}\)?[ -]\d{3}[ -]\d{4}", written.strip()) and parted:
            return True
    return any(_is_account(found[0]) for found in IBAN.finditer(text))


def passes_luhn(digits: str) -> bool:
    """The check digit of payment cards (ISO/IEC 7812-1, annex B); a row of one digit is none."""
    if len(set(digits)) < 2:
        return False
    doubled = (int(digit) * (2 if place % 2 else 1) for place, digit in enumerate(reversed(digits)))
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


def _is_account(text: str) -> bool:
    """The check number of an IBAN (ISO 13616)."""
    plain = text.replace(" ", "")
    if not 15 <= len(plain) <= 34:
        return False
    return int("".join(str(int(letter, 36)) for letter in plain[4:] + plain[:4])) % 97 == 1


def script_of(text: str) -> str:
    """The script that most letters of a text are in; empty where it has few letters."""
    part = text[:SAMPLE]
    if part.isascii():
        return "Latin" if sum(map(str.isalpha, part[:200])) >= 8 else ""
    counts = {name: len(letters.findall(part)) for name, letters in SCRIPTS.items()}
    name = max(counts, key=lambda script: counts[script])
    if name == "Chinese" and counts["Japanese"] * 10 > counts["Chinese"]:
        name = "Japanese"
    return name if sum(counts.values()) >= 8 else ""
