"""workbench doctor: what this machine has, what is missing, and what to do."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from workbench.cli.page import Page, find_page, say, say_json
from workbench.core.doctor import examine_machine
from workbench.core.places import find_workspace
from workbench.core.words import size_text, visible_text


def run(given: argparse.Namespace) -> int:
    """Print the examination."""
    report = examine_machine(find_workspace(given.workspace))
    if given.json:
        say_json(report)
        return 0
    page = find_page()
    for line in _lines(report, page):
        say(line)
    return 0


def _lines(report: dict[str, Any], page: Page) -> Iterator[str]:
    python, cpu, hub, terminal = report["python"], report["cpu"], report["hub"], report["terminal"]
    yield from _entry("Python", f"{python['version']} ({python['executable']}) on {python['platform']}", page)
    packages = ", ".join(f"{name} {version or 'missing'}" for name, version in report["packages"].items())
    yield from _entry("packages", packages, page)
    yield from _entry(
        "CPU",
        f"{cpu['name']}, {cpu['cores'] or '?'} cores, {cpu['threads']} threads, {cpu['usable']} usable here",
        page,
    )
    if cpu["flags"] is not None:
        flags = ", ".join(f"{name} {'yes' if there else 'no'}" for name, there in cpu["flags"].items())
        yield from _entry("", flags, page)
    yield from _entry("memory", f"{size_text(cpu['free'])} free of {size_text(cpu['memory'])}", page)
    if not report["gpus"]:
        yield from _entry("GPU", "none", page)
    for gpu in report["gpus"]:
        yield from _entry("GPU", f"{gpu['name']}, {size_text(gpu['free'])} free of {size_text(gpu['total'])}", page)
    place = report["workspace"]
    yield from _entry("workspace", f"{place['path']}, {size_text(place['free'])} free on its disk", page)
    models = f"{hub['models']} {'model' if hub['models'] == 1 else 'models'}"
    offline = "offline: nothing is fetched" if hub["offline"] else "models are fetched when a Hub id is named"
    yield from _entry("Hub cache", f"{hub['cache']}, {models}; {offline}", page)
    size = f"{terminal['columns']}x{terminal['rows']}, " if terminal["live"] else "not a terminal, "
    encoding = "UTF-8" if terminal["utf8"] else "not UTF-8"
    ssh = ", over SSH" if terminal["ssh"] else ""
    yield from _entry("terminal", f"{size}colours: {terminal['colours']}, {encoding}{ssh}", page)
    bundled = report["bundled"]
    there = {True: "there", False: "missing"}
    yield from _entry("bundled", f"model tiny {there[bundled['model']]}, samples {there[bundled['samples']]}", page)
    yield ""
    if not report["missing"]:
        yield "Nothing is missing."
    for item in report["missing"]:
        yield from page.entry("", visible_text(item["what"]))
        yield from page.entry("  → ", visible_text(item["do"]))


def _entry(label: str, text: str, page: Page) -> list[str]:
    return page.entry(f"{label:<11}", visible_text(text))
