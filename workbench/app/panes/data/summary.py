"""What the data is, in a few lines: its format and why, its rows, its lengths, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from textual.content import Content

from workbench.app.glyphs import glyphs
from workbench.app.reading import DataState
from workbench.app.widgets.bars import bar
from workbench.app.words import base_name, visible
from workbench.core.words import count_text, share_text, sparkline

Pieces = list[tuple[str, str] | str]

WAYS_OUT = {
    "m": "says which column is the prompt and which the answer",
    "e": "opens the set-up: source, format, template, what bad rows do",
    "w": "chooses another model or other data",
    "r": "reads the data again",
}
"""What can be done about data that cannot be used."""


def summary(state: DataState, lines: int, width: int) -> Content:
    """The summary in about so many lines: each takes one, and findings what is left."""
    if state.problem:
        ways = [
            Content.assemble((f"  {key}", "bold $accent"), (f"  {words}", "$quiet")) for key, words in WAYS_OUT.items()
        ]
        return Content("\n").join([_wrong(state.problem), Content(""), *ways])
    if state.report is None:
        if state.stopped:
            return Content.styled("Reading was stopped, so there are no figures. r reads the data.", "$text-warning")
        return going_on(state, width) if state.busy else Content.styled("Waiting for the model", "$quiet")
    report = state.report
    found = [_fit(groups, width) for groups in (_source(report, state), _rows(report), _lengths(report))]
    findings = list(report["findings"])
    room = lines - len(found)
    if room < 1:
        return Content("\n").join(found)
    shown = findings if len(findings) <= room else findings[: room - 1]
    found += [_finding(finding) for finding in shown]
    if len(shown) < len(findings):
        more = len(findings) - len(shown)
        found.append(Content.styled(f"{glyphs().warning} {more} {'more ' if shown else ''}findings", "$text-warning"))
    return Content("\n").join(found)


def going_on(state: DataState, width: int) -> Content:
    """What is being read, as a bar where it is known how much there is."""
    words, end = visible(state.busy), f" {glyphs().dot} Esc stops"
    if state.share is None:
        return Content.assemble((words, "$accent"), (end, "$quiet"))
    room = max(4, min(32, width - len(words) - len(end) - 2))
    filled = bar(state.share, room)
    rest = glyphs().rule * (room - len(filled))
    return Content.assemble((filled, "$primary"), (f"{rest}  ", "$quiet"), (words, "$accent"), (end, "$quiet"))


def _fit(groups: list[Pieces], width: int) -> Content:
    """Groups of words with dots between, in one line: those at the end go where there is no room."""
    shown = [Content.assemble(*group) for group in groups if group]
    dot = Content.styled(f" {glyphs().dot} ", "$quiet")
    while len(shown) > 1 and sum(item.cell_length for item in shown) + 3 * (len(shown) - 1) > width:
        shown.pop()
    line = dot.join(shown)
    if line.cell_length <= width or width < 2:
        return line
    return Content.assemble(line.truncate(width - 1, ellipsis=False), (glyphs().ellipsis, "$quiet"))


def _wrong(sentence: str) -> Content:
    return Content.assemble((f"{glyphs().cross} ", "bold $text-error"), (visible(sentence), "$text-error"))


def _source(report: Mapping[str, Any], state: DataState) -> list[Pieces]:
    source = visible(base_name(str(report["source"])))
    groups: list[Pieces] = [[(source, "bold"), f"  {report['format']}: {visible(str(report['format_reason']))}"]]
    if state.busy:
        groups.insert(0, [(f"{visible(state.busy)} {glyphs().dot} Esc stops", "$accent")])
    elif state.stopped:
        groups.insert(0, [("Reading was stopped; these figures are older. r reads the data", "$text-warning")])
    groups.append([(f"template {visible(str(report['template']))}", "$quiet")])
    roles = ", ".join(f"{role} = {column}" for role, column in report["mapping"].items())
    if roles and str(report["format"]) not in ("messages", "sharegpt", "oasst"):
        groups.append([(visible(roles), "$quiet")])
    return groups


def _rows(report: Mapping[str, Any]) -> list[Pieces]:
    trained, total = report["trained_tokens"], report["total_tokens"]
    share = share_text(trained / total) if total else "none"
    figures = (
        ("rows", "rows"),
        ("usable_rows", "usable"),
        ("train_rows", "to train on"),
        ("held_out_rows", "held out"),
    )
    groups: list[Pieces] = [[(count_text(report[key]), "bold"), f" {word}"] for key, word in figures]
    return [
        *groups,
        [(share, "bold"), " of tokens trained on"],
        [(f"{count_text(trained)} of {count_text(total)}", "$quiet")],
    ]


def _lengths(report: Mapping[str, Any]) -> list[Pieces]:
    total, prompt, answer = (report["lengths"][part] for part in ("total", "prompt", "answer"))
    counts = (total.get("histogram") or {}).get("counts") or []
    curve = f"{sparkline(counts, 16, glyphs().ascii)} " if len(counts) > 1 else ""
    span = f"{count_text(total['min'])} to {count_text(total['max'])}, {count_text(total['median'])} in the middle"
    over, limit = report["over_length"], count_text(report["max_length"])
    longer: Pieces = [(f"none longer than {limit}", "$quiet")]
    if over["rows"]:
        longer = [(f"{count_text(over['rows'])} longer than {limit}", "$text-warning")]
    return [
        ["Tokens a row ", (curve, "$primary"), span],
        longer,
        [(f"prompt {count_text(prompt['median'])}, answer {count_text(answer['median'])}", "$quiet")],
    ]


def _finding(finding: Mapping[str, Any]) -> Content:
    marks = glyphs()
    glyph, style = {
        "error": (marks.cross, "$text-error"),
        "warning": (marks.warning, "$text-warning"),
    }.get(str(finding["severity"]), (marks.dot, "$quiet"))
    rows = finding["rows"]
    where = f" Row {rows[0] + 1}" + (f" and {count_text(finding['count'] - 1)} more." if finding["count"] > 1 else ".")
    return Content.assemble(
        (f"{glyph} ", style), (visible(finding["sentence"]), style), (where if rows else "", "$quiet")
    )
