"""workbench chat: base and tuned on the same prompts, side by side."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Callable
from itertools import zip_longest
from typing import Any

from workbench.cli.command import StoppedError
from workbench.cli.models import fetch_data
from workbench.cli.page import Page, find_page, say, say_aside, say_json, write_inline
from workbench.cli.recipes import anchor_path, change
from workbench.core.errors import UserError
from workbench.core.helper import Helper
from workbench.core.places import Workspace, find_workspace
from workbench.core.recipe import Recipe
from workbench.core.runs.folder import RunFolder
from workbench.core.runs.listing import find_run
from workbench.core.words import cells, seconds_text, visible_text, wrap_text

KEYS = ("ids", "base", "tuned", "base_tokens", "tuned_tokens", "identical")
"""What a document says of an answer, beside its prompt."""

Messages = list[dict[str, Any]]

WIDE = 100
"""Columns from which the two answers stand beside each other."""


class Chat:
    """A run's base and tuned model, ready to answer."""

    def __init__(self, helper: Helper, runner: asyncio.Runner, given: argparse.Namespace) -> None:
        self.helper = helper
        self.runner = runner
        self.sampling = {
            "temperature": given.temperature,
            "top_p": given.top_p,
            "max_new_tokens": given.max_tokens,
            "seed": given.seed,
        }

    def open(self, folder: RunFolder) -> dict[str, Any]:
        """Load the run's models."""
        return self.runner.run(self.helper.request("open_chat", run=str(folder.path)))

    def ask(self, prompt: str, on_event: Callable[[dict[str, Any]], None] | None = None) -> dict[str, Any]:
        """Both answers to one prompt; ctrl-c cancels them."""
        return self.answer([{"role": "user", "content": prompt}], on_event)

    def answer(
        self, messages: list[dict[str, Any]], on_event: Callable[[dict[str, Any]], None] | None = None
    ) -> dict[str, Any]:
        """Both answers to a conversation so far."""
        sides = ["base", "tuned"]
        return self.runner.run(
            self.helper.request("chat", on_event, messages=messages, sides=sides, complete=False, **self.sampling)
        )


def run(given: argparse.Namespace) -> int:
    """Answer the prompts given, those on standard input, or those typed."""
    workspace = find_workspace(given.workspace)
    folder = find_run(given.run, workspace)
    typed = given.prompt is None and given.questions is None and sys.stdin.isatty()
    if typed and given.json:
        raise UserError("With --json the prompts come from --prompt or from standard input, one a line.")
    prompts = [] if typed else _conversations(given, workspace)
    with asyncio.Runner() as runner:
        helper = Helper(workspace)
        chat = Chat(helper, runner, given)
        try:
            if typed and sys.stderr.isatty():
                say_aside(f"Loading the models of {folder.name} …")
            chat.open(folder)
            if typed:
                _converse(chat, folder, find_page())
            else:
                _answer_all(chat, prompts, given.json)
        except KeyboardInterrupt:
            raise StoppedError("The chat has ended; no run was touched.") from None
        finally:
            runner.run(helper.close())
    return 0


def _conversations(given: argparse.Namespace, workspace: Workspace) -> list[Messages]:
    """What is to be answered: the rows of a data set, the prompts given, or those on standard input."""
    if given.questions is None:
        return [[{"role": "user", "content": prompt}] for prompt in _prompts(given.prompt)]
    if given.prompt is not None:
        raise UserError("Both --prompt and --questions are given; choose one of them.")
    from workbench.core.data.questions import read_questions

    recipe = change(Recipe(), {"data.source": anchor_path(given.questions)})
    fetch_data(recipe, workspace)
    return read_questions(recipe.data, given.first, workspace)


def _prompts(given: list[str] | None) -> list[str]:
    """The prompts given, or one from each line of standard input."""
    if given is not None and not all(prompt.strip() for prompt in given):
        raise UserError("A prompt is empty; give it some text.")
    found = given or [line.rstrip("\r\n") for line in sys.stdin if line.strip()]
    if not found:
        raise UserError("No prompt was given; add --prompt TEXT, or send one a line to standard input.")
    return found


def _answer_all(chat: Chat, conversations: list[Messages], as_json: bool) -> None:
    page = find_page()
    answers = []
    for messages in conversations:
        prompt = str(messages[-1]["content"])
        answer = chat.answer(messages)
        answers.append({"prompt": prompt, **{key: answer.get(key) for key in KEYS}})
        if not as_json:
            say(page.bold("> " + visible_text(prompt)))
            for line in side_by_side(answer["base"], answer["tuned"], page):
                say(line)
            if answer.get("identical"):
                say(page.dim("Both answers are the same, token for token."))
            say()
    if as_json:
        say_json(answers)


def side_by_side(base: str, tuned: str, page: Page) -> list[str]:
    """Two answers: beside each other on a wide page, one below the other on a narrow one."""
    base, tuned = (visible_text(text.strip(), keep="\n") or "(nothing)" for text in (base, tuned))
    if page.width < WIDE:
        return [*page.entry("base   ", base), *page.entry("tuned  ", tuned)]
    half = (page.width - 3) // 2
    left, right = (["base", *wrap_text(base, half)], ["tuned", *wrap_text(tuned, half)])
    rows = zip_longest(left, right, fillvalue="")
    return [f"{one}{' ' * (half - cells(one))} | {other}".rstrip() for one, other in rows]


def _converse(chat: Chat, folder: RunFolder, page: Page) -> None:
    """Prompts as they are typed, each answered by itself, until ctrl-d."""
    try:
        import readline  # noqa: F401  gives input() its history and its editing keys
    except ImportError:
        pass
    say(f"{folder.name}: every prompt is asked by itself. ctrl-c stops an answer, ctrl-d ends the chat.")
    while True:
        try:
            prompt = input("> ")
        except EOFError:
            say()
            return
        if not prompt.strip():
            continue
        live = _Live(page)
        try:
            answer = chat.ask(prompt, live.take)
        except KeyboardInterrupt:
            say_aside("The answers were stopped.")
            continue
        live.draw(answer["base"], answer["tuned"])
        same = "Both answers are the same, token for token; " if answer.get("identical") else ""
        say(page.dim(f"{same}{seconds_text(answer.get('seconds'))}"))


class _Live:
    """Two answers that grow side by side: their lines are drawn over again, ten times a second at most.

    Where nothing may be drawn over (no terminal, a dumb one, NO_COLOR) they are printed once, at the end.
    """

    def __init__(self, page: Page) -> None:
        self.page = page
        self.texts = {"base": "", "tuned": ""}
        self.drawn = 0
        self.at = 0.0

    def take(self, event: dict[str, Any]) -> None:
        """A piece of text of one side."""
        side = event.get("side")
        if event.get("event") != "text" or side not in self.texts:
            return
        self.texts[side] += str(event.get("text", ""))
        if self.page.colour and time.monotonic() - self.at >= 0.1:
            self.draw(self.texts["base"] or "…", self.texts["tuned"] or "…", self.page.height - 2)

    def draw(self, base: str, tuned: str, most: int | None = None) -> None:
        """Both texts in place of those drawn before; only the last `most` lines, if it is given."""
        lines = side_by_side(base, tuned, self.page)
        lines = lines if most is None else lines[-max(2, most) :]
        if self.drawn:
            write_inline(f"\x1b[{self.drawn}A\r\x1b[J")
        say("\n".join(lines))
        self.drawn, self.at = len(lines), time.monotonic()
