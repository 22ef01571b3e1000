"""What is wrong, or may be wrong, with the data: each finding with a count, its rows, and a remedy in the recipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workbench.core.data.checks.survey import Survey, rows_of
from workbench.core.data.templates.render import ChatTemplate
from workbench.core.data.templates.warnings import ends_untrained, starts_twice, warnings_of
from workbench.core.recipe import DataSection

SHOWN = 20
"""Rows that a report's finding names; its count is of all, and `workbench data rows` names all."""

NOTED: dict[str, tuple[str, str]] = {
    "duplicate": ("info", "Rows that repeat an earlier row"),
    "near_duplicate": ("info", "Rows that nearly repeat an earlier row (four fifths of their runs of three words)"),
    "empty_turn": ("warning", "Rows in which the assistant says nothing in one of its turns"),
    "repeats_prompt": ("warning", "Rows whose answer repeats the prompt"),
    "one_word": ("info", "Rows whose answer is a single word"),
    "encoding": ("warning", "Rows with signs of a wrong encoding, such as Ã© for é or the mark U+FFFD"),
    "other_script": ("info", "Rows mostly in another script than the rest"),
    "other_language": ("info", "Rows in another language than most, told by their commonest words"),
    "outlier": ("info", "Rows far longer than the rest"),
    "secret": ("warning", "Rows with what looks like a key or password of a service"),
    "personal": ("warning", "Rows with what looks like a person's e-mail, telephone, card or account number"),
    "control_token": ("warning", "Rows whose own words hold a special token of the model"),
    "escape_sequence": ("warning", "Rows with control characters, such as a terminal's escape sequences"),
    "dropped_turn": ("warning", "Rows with a turn, tool call or thoughts that the template leaves out or changes"),
    "no_end_token": ("warning", "Rows without a trained end token, so that the model may not learn to stop"),
    "bos_twice": ("warning", "Rows with the start token twice"),
}  # fmt: skip
"""Kinds of findings about taken rows: severity, and what they are. Each of them can be left out."""

OF_TEMPLATE = ("dropped_turn", "no_end_token", "bos_twice")
"""Kinds that a template brings about."""

KINDS = (*NOTED, "leak")
HELD_OUT = {
    "held_out_unusable": "Rows of the held-out file that nothing can be measured on",
    "held_out_too_long": "Rows of the held-out file left out, longer than data.max_length",
    "held_out_cut": "Rows of the held-out file cut, longer than data.max_length",
    "held_out_no_trained_token": "Rows of the held-out file left out, without a token to measure the loss on",
}
"""Kinds of findings about a held-out file of its own."""

UNUSABLE = {"it has no answer": "no_answer", "it has no prompt": "no_prompt", "it is empty": "empty",
            "the chat template refuses it": "refused"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Taken:
    """The rows that are left, and what became of them."""

    section: DataSection
    form: str
    """The format that the rows have."""
    answers: str
    """The column that answers are in; empty where they are in none of their own."""
    template: ChatTemplate
    survey: Survey
    train: Sequence[int]
    """Places of the rows to train on."""
    held_survey: Survey
    """The survey that the held-out rows are from."""
    held: Sequence[int]
    """Their places in it."""
    leaks: Sequence[int]
    """Places of held-out rows that are trained on as well, word for word or nearly."""
    long: Sequence[int]
    """Rows that no example came of, because they are too long."""
    cut: Sequence[int]
    silent: Sequence[int]
    """Rows without a trained token."""
    held_unused: Mapping[str, Sequence[int]]
    """Rows of a held-out file of its own that are not measured, or not whole, by kind of finding."""


def note_tokens(survey: Survey, template: ChatTemplate) -> None:
    """Add the kinds that only tokens, or all rows together, tell."""
    special, bos = template.tokenizer.special_ids, template.tokenizer.bos_id
    found: dict[str, list[int]] = {
        kind: [] for kind in ("no_end_token", "bos_twice", "outlier", "other_script", "other_language")
    }
    for place, row in enumerate(survey.examples):
        if ends_untrained(row, special):
            found["no_end_token"].append(place)
        if starts_twice(row, bos):
            found["bos_twice"].append(place)
    lengths = [len(row) for row in survey.examples]
    if len(lengths) >= 20:
        ordered = sorted(lengths)
        low, middle, high = (ordered[len(ordered) * part // 4] for part in (1, 2, 3))
        limit = max(high + 3 * (high - low), 4 * middle)
        found["outlier"] = [place for place, length in enumerate(lengths) if length > limit]
    usual = _most_common([script for script in survey.scripts if script])
    if usual:
        found["other_script"] = [place for place, script in enumerate(survey.scripts) if script not in ("", usual)]
    usual = _most_common([language for language in survey.languages if language])
    if usual:
        found["other_language"] = [
            place for place, language in enumerate(survey.languages) if language not in ("", usual)
        ]
    words = survey.kinds.get("one_word", [])
    if 2 * len(words) >= len(lengths):
        survey.kinds.pop("one_word", None)  # it is what this data is about
    survey.kinds.update({kind: places for kind, places in found.items() if places})


def _most_common(values: Sequence[str]) -> str:
    """The value of at least three in five, or nothing."""
    counts = {value: values.count(value) for value in set(values)}
    best = max(counts, key=lambda value: counts[value], default="")
    return best if best and 5 * counts[best] >= 3 * len(values) else ""


def find_problems(taken: Taken) -> list[dict[str, Any]]:
    """Findings as {"kind", "severity", "count", "rows", "of", "about_all", "sentence", "fix"}.

    `severity` is info, warning or error. `rows` are all of its rows, from 0 and ascending, `of` the `source` or the
    `held_out` file; `about_all` says that it is about the data as a whole. `fix` is {"label", "settings"}: what to
    change in the recipe, or null. Only findings with a count are given.
    """
    section, survey = taken.section, taken.survey
    found: list[dict[str, Any]] = []
    for reason, rows in survey.unusable.items():
        what = f"Rows left out, each because {reason}"
        found.append(_finding(UNUSABLE.get(reason, "unreadable"), "warning", rows, what))
    longest = max((len(row) for one in {id(survey): survey, id(taken.held_survey): taken.held_survey}.values()
                   for row in one.examples), default=0)  # fmt: skip
    room = {"data.max_length": min(1_048_576, max(8, longest))}
    wider = {"label": f"Set the longest row to {longest:,} tokens", "settings": room}
    found.append(_finding("too_long", "warning", taken.long, "Rows left out, longer than data.max_length", wider))
    found.append(_finding("cut", "warning", taken.cut, "Rows cut, longer than data.max_length", wider))
    if taken.form == "instruction":
        what = "Rows that are questions without an answer, so that nothing is trained on"
        found.append(_finding("question", "warning", taken.silent, what))
    else:
        what = "Rows left out, without a token to train on"
        beyond = wider if longest > section.max_length and section.over_length != "drop" else None
        found.append(_finding("no_trained_token", "warning", taken.silent, what, beyond))
    kept = {*taken.train, *(taken.held if taken.held_survey is survey else ())}
    for kind, (severity, what) in NOTED.items():
        places = [place for place in survey.kinds.get(kind, []) if place in kept]
        fix = _leave_out(section, kind)
        if kind in OF_TEMPLATE and 2 * len(places) > len(kept):
            fix = _other_template(taken) or fix  # most rows have it, so it is not theirs
        if kind == "duplicate":
            fix = {"label": "Keep the first of each", "settings": {"data.duplicates": "first"}}
        found.append(_finding(kind, severity, rows_of(survey, places), what, fix))
    leaks = rows_of(taken.held_survey, taken.leaks)
    of = "source" if taken.held_survey is survey else "held_out"
    found.append(_finding("leak", "warning", leaks, "Held-out rows that are also trained on, word for word or nearly",
                          _unleak(section), of))  # fmt: skip
    for kind, unused in taken.held_unused.items():
        mend = wider if kind in ("held_out_too_long", "held_out_cut") else None
        found.append(_finding(kind, "warning", unused, HELD_OUT[kind], mend, "held_out"))
    found += _about_labels(taken) + _about_template(taken)
    return [finding for finding in found if finding["count"]]


def name_first(finding: Mapping[str, Any], source: str) -> dict[str, Any]:
    """The finding as a report has it: with its first rows, how many `more` there are, and what lists all of them."""
    rows = finding["rows"]
    more = len(rows) - min(SHOWN, len(rows))
    listed = f"workbench data rows {source} --of {finding['kind']} --json" if more else None
    return {**finding, "rows": list(rows[:SHOWN]), "more": more, "all_rows": listed}


def _finding(
    kind: str,
    severity: str,
    rows: Sequence[int],
    what: str,
    fix: dict[str, Any] | None = None,
    of: str = "source",
) -> dict[str, Any]:
    return {
        "kind": kind,
        "severity": severity,
        "count": len(rows),
        "rows": sorted(rows),
        "of": of,
        "about_all": False,
        "sentence": f"{what}: {len(rows):,}.",
        "fix": fix,
    }


def _leave_out(section: DataSection, kind: str) -> dict[str, Any]:
    return {"label": "Leave them out", "settings": {"data.leave_out": [*section.leave_out, kind]}}


def _unleak(section: DataSection) -> dict[str, Any]:
    if isinstance(section.held_out, float) and section.held_out_by == "random":
        return {"label": "Keep rows that resemble each other on one side", "settings": {"data.held_out_by": "clusters"}}
    return _leave_out(section, "leak")


def _about_labels(taken: Taken) -> list[dict[str, Any]]:
    """An answer that is far more common than the others, where answers are labels."""
    survey, by = taken.survey, taken.section.held_out_by
    counts, rows = survey.labels, len(survey.answers)
    if not counts or rows < 50 or len(counts) < 2 or len(counts) * 10 > rows:
        return []
    (label, most), *_, (rare, least) = counts.most_common()
    if most < 0.8 * rows and least * len(counts) * 10 > rows:
        return []
    places = [place for place, answer in enumerate(survey.answers) if answer == rare]
    fix = None
    if taken.answers and isinstance(taken.section.held_out, float) and by == "random":
        fix = {"label": "Hold out the same share of each label", "settings": {"data.held_out_by": taken.answers}}
    sentence = (
        f"Answers are {len(counts)} labels and uneven: {label!r} is {most / rows:.0%} of the rows, "
        f"{rare!r} has {least:,}."
    )
    rare_rows = rows_of(survey, places)
    return [{**_finding("label_imbalance", "warning", rare_rows, "", fix), "count": least, "sentence": sentence}]


def _about_template(taken: Taken) -> list[dict[str, Any]]:
    """What the chat template means, with the remedy where another suits the model better."""
    if taken.form == "text":
        return []
    rows, other = rows_of(taken.survey, taken.train), _other_template(taken)
    return [
        {**_finding(kind, severity, rows, "", fix), "about_all": True, "sentence": sentence}
        for kind, severity, sentence in warnings_of(taken.template, taken.section.template == "auto")
        for fix in (other if severity == "warning" else None,)
    ]


def _other_template(taken: Taken) -> dict[str, Any] | None:
    """The remedy where a template was chosen that does not suit the model."""
    if taken.section.template in ("auto", "own"):
        return None
    own = taken.template.tokenizer.chat_template is not None
    label = "Take the model's own template" if own else "Take the plain template"
    return {"label": label, "settings": {"data.template": "auto"}}
