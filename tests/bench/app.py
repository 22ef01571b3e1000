"""Measure the app as a person meets it: first screen, keys while training, bytes to the terminal, start of commands.

    python tests/bench/app.py

Every figure is taken on the installed program in a real pseudo-terminal, ratios side by side in one run. Prints one JSON
document; exit status 1 where a figure misses its bound.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from terminal import Terminal

PYTHON = sys.executable
WORKBENCH = [PYTHON, "-m", "workbench"]
HELLO = """
from textual.app import App, ComposeResult
from textual.widgets import Static
class Hello(App):
    def compose(self) -> ComposeResult:
        yield Static("Hello, world")
Hello().run()
"""
ROUNDS = 5


def first_paint(command: list[str], text: str, environment: dict[str, str]) -> float:
    """Seconds from exec to `text` on the screen."""
    terminal = Terminal(command, environment)
    try:
        terminal.wait_for(text)
        return time.perf_counter() - terminal.started
    finally:
        terminal.close()


def measure_first_paint(work: Path) -> dict[str, float]:
    """Medians of the app's first screen and of a Textual hello-world, taken in turn."""
    hello = work / "hello.py"
    hello.write_text(HELLO)
    pairs = []
    for turn in range(ROUNDS + 1):
        home = {"WORKBENCH_HOME": str(work / f"home{turn}")}
        pairs.append((first_paint([PYTHON, str(hello)], "Hello, world", {}), first_paint(WORKBENCH, "story", home)))
    pairs = pairs[1:]  # the first turn fills the disk's cache
    world, app = (statistics.median(values) for values in zip(*pairs, strict=True))
    return {"hello": world, "app": app, "ratio": app / world, "bound": 1.5}


def measure_commands(work: Path) -> dict[str, float]:
    """Medians of commands that need no engine, in seconds."""
    found = {}
    home = {**os.environ, "WORKBENCH_HOME": str(work / "commands")}
    for words in ("--help", "runs", "methods", "doctor", "estimate capitals", "inspect capitals"):
        times = []
        for _ in range(ROUNDS):
            start = time.perf_counter()
            subprocess.run([*WORKBENCH, *words.split()], env=home, capture_output=True, check=True)
            times.append(time.perf_counter() - start)
        found[words] = statistics.median(times)
    return {**found, "bound": 0.3}


def start_long_run(home: dict[str, str]) -> None:
    """A run that keeps both cores busy for minutes."""
    settings = ["training.steps=100000", "training.evaluate_every=200", "training.checkpoint_every=500"]
    words = [*WORKBENCH, "train", "capitals", "--detach", "--name", "busy"]
    words += [part for setting in [*settings, "training.score_rows=0"] for part in ("--set", setting)]
    subprocess.run(words, env={**os.environ, **home}, check=True, capture_output=True)


def measure_busy(work: Path) -> dict[str, object]:
    """Keys and bytes while a run trains, and bytes when nothing happens."""
    home = {"WORKBENCH_HOME": str(work / "busy")}
    start_long_run(home)
    terminal = Terminal(WORKBENCH, home)
    try:
        terminal.wait_for("Monitor")
        terminal.send("4")
        terminal.wait_for("tokens/s", 90)
        terminal.count_for(5)
        training = terminal.count_for(30) / 1024
        delays = measure_keys(terminal)
    finally:
        subprocess.run([*WORKBENCH, "stop", "busy"], env={**os.environ, **home}, capture_output=True)
        terminal.close()
    return {"training_kib_s": training, "training_bound": 15, **delays}


def measure_keys(terminal: Terminal) -> dict[str, float]:
    """Milliseconds from a key press to its character on the screen, typed into the chat pane's prompt."""
    terminal.send("5")
    time.sleep(3)
    for _ in range(4):
        terminal.forget()
        terminal.send("Q")
        try:
            terminal.wait_for("Q", 1.0)
            break
        except TimeoutError:
            terminal.send("\t")
            time.sleep(0.2)
    delays = []
    for key in "ZXJVKWYHGU" * 4:
        terminal.forget()
        start = time.perf_counter()
        terminal.send(key)
        terminal.wait_for(key, 5.0)
        delays.append((time.perf_counter() - start) * 1000)
        while time.perf_counter() - start < 0.11:
            terminal.read(0.02)
    delays.sort()
    return {"key_median_ms": statistics.median(delays), "key_p95_ms": delays[int(0.95 * len(delays))], "key_bound": 50}


def measure_idle(work: Path) -> dict[str, float]:
    """KiB a second of an app that nobody touches."""
    terminal = Terminal(WORKBENCH, {"WORKBENCH_HOME": str(work / "idle")})
    try:
        terminal.wait_for("story")
        terminal.count_for(3)
        return {"idle_kib_s": terminal.count_for(20) / 1024, "bound": 1}
    finally:
        terminal.close()


def main() -> int:
    """Measure, print, and say whether every bound holds."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # without compiled files a start compiles everything anew
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        paint, commands, idle = measure_first_paint(work), measure_commands(work), measure_idle(work)
        busy = measure_busy(work)
    print(json.dumps({"first_paint": paint, "commands": commands, "idle": idle, "busy": busy}, indent=1))
    good = (
        paint["ratio"] <= paint["bound"]
        and all(value <= commands["bound"] for value in commands.values())
        and idle["idle_kib_s"] <= idle["bound"]
        and float(busy["training_kib_s"]) <= 15
        and float(busy["key_p95_ms"]) <= 50
    )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
