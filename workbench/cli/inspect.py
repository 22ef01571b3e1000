"""workbench inspect: a data set as it is read, tokenised and masked."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from workbench.cli.models import fetch_data, find_folder
from workbench.cli.page import Page, find_page, say, say_json
from workbench.cli.progress import row_progress
from workbench.cli.recipes import anchor_path, change
from workbench.core.data.remembered import data_report
from workbench.core.places import find_workspace
from workbench.core.recipe import Recipe, parse_settings
from workbench.core.words import count_text, share_text, visible_text

SHORT = 100
"""Values that are shown on one line are cut after so many letters."""


def run(given: argparse.Namespace) -> int:
    """Print the report on the data."""
    settings = {"data.source": anchor_path(given.data), **parse_settings(given.settings)}
    if given.model is not None:
        settings["model.path"] = given.model
    if given.max_length is not None:
        settings["data.max_length"] = given.max_length
    for name in ("subset", "split"):
        if getattr(given, name) is not None:
            settings[f"data.{name}"] = getattr(given, name)
    recipe = change(Recipe(), settings)
    workspace = find_workspace(given.workspace)
    folder = find_folder(recipe.model, workspace)
    fetch_data(recipe, workspace)
    with row_progress(given.json) as progress:
        if given.show_mask:
            from workbench.core.data.inspect import inspect_data  # templates and tokenizers take 0.1 s to import

            report = inspect_data(recipe, folder, given.show_mask, progress, workspace)
        else:
            report = data_report(recipe, folder, workspace, needs_answers=False, progress=progress)
    if given.json:
        say_json(report)
        return 0
    page = find_page()
    for line in _lines(report, page):
        say(line)
    for line in _mask_lines(report.get("masks", []), folder, page):
        say(line)
    return 0


def _lines(report: dict[str, Any], page: Page) -> Iterator[str]:
    yield page.bold(visible_text(str(report["source"])))
    yield from _entry(
        "rows",
        f"{count_text(report['rows'])}, {count_text(report['usable_rows'])} usable: "
        f"{count_text(report['train_rows'])} to train on, {count_text(report['held_out_rows'])} held out",
        page,
    )
    if len(report["splits"]) > 1:
        yield from _entry("split", f"{report['split']} of {', '.join(report['splits'])}", page)
    yield from _entry("format", f"{report['format']}: {report['format_reason']}", page)
    yield from _entry("columns", ", ".join(report["columns"]), page)
    mapping = ", ".join(f"{role} = {column}" for role, column in report["mapping"].items())
    yield from _entry("mapping", mapping or "none needed", page)
    yield from _entry("template", str(report["template"]), page)
    share = report["trained_tokens"] / report["total_tokens"] if report["total_tokens"] else None
    yield from _entry(
        "trained on",
        f"{str(report['train_on']).replace('_', ' ')}: {count_text(report['trained_tokens'])} "
        f"of {count_text(report['total_tokens'])} tokens ({share_text(share)})",
        page,
    )
    over = report["over_length"]
    kept = {"drop": "left out", "cut_right": "cut at the end", "cut_left": "cut at the start", "split": "split"}[
        over["action"]
    ]
    too_long = "none" if not over["rows"] else f"{count_text(over['rows'])}, {kept}"
    yield from _entry("too long", f"{too_long} (longer than {count_text(report['max_length'])} tokens)", page)
    yield ""
    yield from _lengths(report["lengths"], page)
    yield ""
    if not report["findings"]:
        yield "Nothing was found wrong with the data."
    for finding in report["findings"]:
        rows = ", ".join(str(row + 1) for row in finding["rows"][:10])
        more = ", …" if finding["count"] > 10 else ""
        where = " Row" if finding["of"] == "source" else " Held-out row"
        said = f"{where} {rows}{more}" if rows else ""
        yield from _entry(finding["severity"], f"{finding['sentence']}{said}", page)
    most = max(report["findings"], key=lambda finding: finding["more"], default=None)
    if most is not None and most["more"]:
        yield f"workbench data rows {visible_text(str(report['source']))} --of {most['kind']} names all of its rows."


def _entry(label: str, text: str, page: Page) -> list[str]:
    return page.entry(f"{label:<12}", visible_text(text))


def _lengths(lengths: dict[str, Any], page: Page) -> Iterator[str]:
    labels = {"prompt": "prompt", "answer": "answer", "total": "whole row"}
    rows = [
        [label, *(count_text(lengths[key][name]) for name in ("min", "mean", "median", "p95", "max"))]
        for key, label in labels.items()
    ]
    yield from page.table(("tokens in a", "least", "mean", "median", "95% up to", "most"), rows, "lrrrrr")
    histogram = lengths["total"]["histogram"]
    if histogram is None or len(histogram["counts"]) < 2:
        return
    yield ""
    yield "Rows by their length in tokens:"
    most, first, step = max(histogram["counts"]), histogram["from"], histogram["width"]
    room = max(8, min(48, page.width - 30))
    for index, count in enumerate(histogram["counts"]):
        low = first + index * step
        label = f"{low}" if step == 1 else f"{low}–{low + step - 1}"
        filled = max(round(count / most * room), 1 if count else 0)
        yield f"  {label:>13}  {'█' * filled} {count_text(count)}".rstrip()


def _mask_lines(masks: list[dict[str, Any]], folder: Path, page: Page) -> Iterator[str]:
    """Rows as text, the tokens that are trained on between brackets."""
    if not masks:
        return
    from workbench.core.data.tokens.tokenizer import open_tokenizer

    tokenizer = open_tokenizer(folder)
    yield ""
    yield f"Tokens that are trained on stand between {page.marked(' ')}:"
    for mask in masks:
        yield ""
        yield page.bold(f"row {mask['row'] + 1}") + f", {sum(mask['trained'])} of {len(mask['ids'])} tokens"
        text, before, read = "", "", 0
        for trained, group in groupby(mask["trained"]):
            read += len(list(group))
            now = tokenizer.decode(mask["ids"][:read])
            piece = visible_text(now[len(before) :])
            before = now
            text += page.marked(piece) if trained else piece
        yield from text.replace("\\n", "\\n\n").splitlines()
