"""Take the pictures in this folder: each pane of the real app, on real runs, as SVG and PNG at 120x36.

    python screenshots/take.py

Trains the bundled story with nine methods first, in a home folder of its own, so that no path of this machine is seen;
that takes a few minutes. The PNGs are drawn by headless Chromium with the Fira Code font; without Chromium only the
SVGs are made.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from textual.pilot import Pilot

from workbench.app.panes.runs.table import RunTable
from workbench.app.workbench_app import WorkbenchApp
from workbench.core.places import Workspace, find_workspace, sample_folder
from workbench.core.recipe import load_recipe
from workbench.core.runs.folder import RunFolder

FOLDER = Path(__file__).resolve().parent
SIZE = (120, 36)
QUESTIONS = 2
"""Held-out questions asked in the picture of the chat."""


OWN_RATE = ["training.learning_rate=null", "training.steps=160"]
"""Each method learns by its own default, as long as the slowest needs."""

RUNS = {
    "full": ["method.name=full", *OWN_RATE],
    "layernorm": ["method.name=layernorm", *OWN_RATE],
    "bitfit": ["method.name=bitfit", "method.add_missing=true", *OWN_RATE],
    "ia3": ["method.name=ia3", *OWN_RATE],
    "prefix": ["method.name=prefix", *OWN_RATE],
    "prompt": ["method.name=prompt", *OWN_RATE],
    "houlsby": ["method.name=houlsby", *OWN_RATE],
    "lora-q-and-v": ["method.name=lora", "method.targets=q+v", *OWN_RATE],
    "capitals-lora": [],
}
"""The runs of the pictures and what each changes in the sample's recipe; the last is the one that is followed."""

COMPARED = ("lora-q-and-v", "prefix", "ia3", "full")


def train_runs(workspace: Workspace) -> None:
    """Finished runs to look at and to compare, through the command line."""
    for name, changes in RUNS.items():
        words = [sys.executable, "-m", "workbench", "--workspace", str(workspace.root), "train", "capitals"]
        words += ["--name", name, *(part for change in changes for part in ("--set", change))]
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL)


async def until(condition: Callable[[], object], what: str, deadline: float = 120.0) -> None:
    """Wait until `condition` holds."""
    end = time.monotonic() + deadline
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"{what} did not happen within {deadline:g} s")
        await asyncio.sleep(0.1)


def screen_text(app: WorkbenchApp) -> str:
    """What the screen says."""
    return "\n".join("".join(segment.text for segment in line) for line in app.screen._compositor.render_strips())


def save(app: WorkbenchApp, name: str) -> None:
    """Write the screen as SVG, and as PNG where there is Chromium."""
    svg = FOLDER / f"{name}.svg"
    svg.write_text(app.export_screenshot(title="workbench", simplify=True), encoding="utf-8")
    draw_png(svg, FOLDER / f"{name}.png")
    print(name)


def draw_png(svg: Path, png: Path) -> None:
    """Draw an SVG with headless Chromium, at its own size."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not chromium:
        return
    text = svg.read_text(encoding="utf-8")
    box = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', text)
    if box is None:
        return
    width, height = (round(float(side)) for side in box.groups())
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "page.html"
        local = re.sub(r"@font-face \{.*?\}", "", text, flags=re.DOTALL)  # the fonts named there lie on the network
        style = "<style>body{margin:0}svg{display:block;font-variant-ligatures:none}</style>"  # <| is two letters
        page.write_text(f"<!doctype html><meta charset=utf-8>{style}{local}", encoding="utf-8")
        subprocess.run(
            [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
             "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run",
             f"--user-data-dir={folder}/profile", f"--window-size={width},{height}", f"--screenshot={png}",
             page.as_uri()],
            check=True, capture_output=True, timeout=120,
        )  # fmt: skip


async def show(pilot: Pilot[object], key: str, says: str) -> None:
    """Go to a pane and wait until it says something."""
    app = pilot.app
    assert isinstance(app, WorkbenchApp)
    await pilot.press(key)
    await until(lambda: says in screen_text(app), f"the pane behind {key} saying {says!r}")
    await pilot.pause(1.0)


async def take(workspace: Workspace) -> None:
    """Every pane, one after the other."""
    app = WorkbenchApp(find_workspace(workspace.root / "first-start"))
    async with app.run_test(size=SIZE) as pilot:
        await until(lambda: "story" in screen_text(app), "the welcome screen")
        await pilot.pause(0.5)
        save(app, "welcome")
    app = WorkbenchApp(workspace, load_recipe(sample_folder() / "capitals.yaml"))
    async with app.run_test(size=SIZE) as pilot:
        await until(lambda: bool(app.built), "the first pane")
        await show(pilot, "f2", "held out")
        save(app, "data")
        await show(pilot, "f3", "fits")
        await until(lambda: "Traced: " in screen_text(app), "the trace")
        save(app, "method")
        await show(pilot, "f4", "fits")
        save(app, "memory")
        await show(pilot, "f5", "finished")
        save(app, "monitor")
        await show(pilot, "f6", "base")
        for number in range(1, QUESTIONS + 1):
            await pilot.press("ctrl+n")
            await until(lambda number=number: f"of {number}" in screen_text(app), f"answer {number}")
            await pilot.pause(1.0)
        save(app, "chat")
        await show(pilot, "f7", "capitals-lora")
        save(app, "runs")
        app.query_one(RunTable).marked += [RunFolder(workspace.runs / name) for name in COMPARED]
        await show(pilot, "m", "trained weights")
        save(app, "compare")
        await pilot.press("escape")
        await show(pilot, "f8", "1 ")
        save(app, "learn")


def main() -> None:
    """Train, then take every picture."""
    os.environ.pop("NO_COLOR", None)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["HOME"] = folder
        workspace = find_workspace(Path(folder) / "workbench")
        train_runs(workspace)
        asyncio.run(take(workspace))


if __name__ == "__main__":
    main()
