"""The command palette, fed from the table of actions; samples, runs and knobs are found there too."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Protocol, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.dom import DOMNode
from textual.message import Message
from textual.types import IgnoreReturnCallbackType
from textual.widget import Widget

from workbench.app.actions import ACTIONS, PANES, key_name
from workbench.app.messages import RecipeOpened, RunChosen
from workbench.app.themes import THEMES, TITLES
from workbench.app.words import visible

if TYPE_CHECKING:
    from workbench.core.runs.listing import RunSummary

Command = tuple[str, str, IgnoreReturnCallbackType]
"""Title, help, and what it does."""


class Commanded(Protocol):
    """What the palette asks of the app."""

    pane: str
    built: dict[str, Widget]

    @property
    def runs(self) -> tuple[RunSummary, ...]: ...

    async def run_action(self, action: str, default_namespace: DOMNode | None = None) -> bool: ...

    def set_theme(self, name: str) -> None: ...

    def post_message(self, message: Message) -> bool: ...


class ActionsProvider(Provider):
    """Finds actions by any part of their names."""

    @property
    def _app(self) -> Commanded:
        return cast(Commanded, self.app)

    def _commands(self) -> Iterator[Command]:
        app = self._app
        for place in (app.pane, "app"):
            target = None if place == "app" else app.built.get(place)
            for action in ACTIONS.get(place, ()):
                if action.palette and (place == "app" or target is not None):
                    keys = f"  {key_name(action.keys[0])}" if action.keys else ""
                    where = "" if place == "app" else f"{PANES[place]}: "
                    title = f"Go to {action.title}" if action.call.startswith("pane(") else f"{where}{action.title}"
                    yield f"{title}{keys}", action.help, partial(app.run_action, action.call, target)
        for name in THEMES:
            yield f"Theme: {TITLES[name]}", "Change the colours.", partial(app.set_theme, name)

    def _more(self) -> Iterator[Command]:
        from workbench.core.data.files.sources import sample_names
        from workbench.core.places import sample_folder

        app = self._app
        for name in sample_names():
            path = str(sample_folder() / f"{name}.yaml")
            yield (
                f"Open sample {name}",
                "Open the recipe of a bundled sample.",
                partial(app.post_message, RecipeOpened(path)),
            )
        for run in app.runs:
            name = visible(run.folder.name)
            yield (
                f"Follow {name}",
                f"Follow this run, which is {run.state}.",
                partial(app.post_message, RunChosen(run.folder)),
            )

    async def discover(self) -> Hits:
        for title, words, call in self._commands():
            yield DiscoveryHit(title, call, help=words)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for title, words, call in (*self._commands(), *self._more()):
            score = matcher.match(title)
            if score > 0:
                yield Hit(score, matcher.highlight(title), call, text=title, help=words)
