"""The app: its frame of top line, tabs, panes and keys. Wiring only."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.reactive import reactive
from textual.scrollbar import ScrollBar, ScrollBarRender
from textual.widget import Widget

from workbench.app.actions import PANE_NEXT, PANES, bindings_for
from workbench.app.builders import build_pane, hand_down_once, keep_handing_down
from workbench.app.glyphs import glyphs
from workbench.app.hang_up import PERIOD, end_when_hung_up
from workbench.app.messages import ChatRequested
from workbench.app.palette import ActionsProvider
from workbench.app.preferences import load_preferences, save_preference
from workbench.app.run_desk import RunDesk
from workbench.app.screens.quiet import QuietScreen
from workbench.app.screens.too_small import TooSmall, is_too_small
from workbench.app.themes import THEMES, TITLES
from workbench.app.widgets.key_line import KeyLine
from workbench.app.widgets.pane_tabs import PaneTabs
from workbench.app.widgets.plain_bars import PlainScrollBars
from workbench.app.widgets.top_line import TopLine
from workbench.core.places import Workspace, sample_folder

if TYPE_CHECKING:
    from textual.geometry import Size

    from workbench.core.recipe import Recipe

WIDE = 120
"""Columns from which method and memory stand side by side."""

SIDE_BY_SIDE = ("method", "memory")


class WorkbenchApp(RunDesk):
    """The workbench on one workspace; with `recipe`, that one instead of the last."""

    TITLE = "Workbench"
    CSS_PATH = "workbench.tcss"
    BINDINGS = bindings_for("app")
    COMMANDS: ClassVar[set[Any]] = {ActionsProvider}

    pane: reactive[str] = reactive("", init=False)
    """The pane that is shown, or the one of two that has the focus."""

    def __init__(self, workspace: Workspace, recipe: Recipe | None = None) -> None:
        super().__init__(workspace)
        self.built: dict[str, Widget] = {}
        """Panes by name, as far as they have been shown."""
        self._given = recipe
        self._been: list[str] = []
        self._leaving = False
        """Whether it has been asked if the person wants to leave."""
        self._building = asyncio.Lock()
        ScrollBar.renderer = PlainScrollBars if glyphs().ascii else ScrollBarRender
        for theme in THEMES.values():
            self.register_theme(theme)
        liked = load_preferences(workspace).get("theme")
        self.theme = liked if liked in THEMES else "workbench"

    def get_css_variables(self) -> dict[str, str]:
        own = {"quiet": "#93a1b1", "edge-blurred": "#36434f", "bar-empty": "#3a4754"}
        return {**own, **super().get_css_variables(), "edge": glyphs().border}

    def get_default_screen(self) -> QuietScreen:
        return QuietScreen(id="_default")

    def compose(self) -> ComposeResult:
        yield TopLine()
        yield PaneTabs()
        yield Horizontal(id="panes")
        yield KeyLine()

    def on_mount(self) -> None:
        """The first screen holds nothing that has to be imported; the rest follows once it is painted."""
        few = self.no_color or self.console.color_system in (None, "standard", "windows")
        self.set_class(few and not self.is_headless, "-plain")
        if self._is_first_start:
            self.action_welcome()
        self.call_after_refresh(self._open)
        if not self.is_headless:
            self.set_interval(PERIOD, end_when_hung_up)

    @property
    def _is_first_start(self) -> bool:
        if self._given is not None or self.workspace.last_recipe.exists():
            return False
        return not any(self.workspace.runs.glob("*/recipe.yaml"))

    async def _open(self) -> None:
        """Take up the recipe and the runs, and show the first pane."""
        self.open_first_recipe(self._given)
        live = self.find_runs()
        keep_handing_down(self, self.query_one(TopLine))
        await self.show_pane("monitor" if live is not None else "data")
        self._check_size(self.size)
        self.begin_reading()

    # panes

    async def show_pane(self, name: str) -> None:
        """Show a pane, built now if it has not been shown before, and give it the focus."""
        async with self._building:  # a key may ask for a pane while the first one is being built
            for needed in (name, *SIDE_BY_SIDE) if self.is_wide and name in SIDE_BY_SIDE else (name,):
                if needed not in self.built:
                    await self._build(needed)
        if self.pane and self.pane != name:
            self._been = [*self._been[-20:], self.pane]
        self.pane = name
        self._arrange()
        self.call_after_refresh(self._focus_pane, name)

    async def _build(self, name: str) -> None:
        pane = build_pane(name)
        pane.add_class("pane")
        pane.border_title = PANES[name]
        pane.border_subtitle = PANE_NEXT.get(name, "")
        pane.display = False
        hand_down_once(self, pane)
        order = list(PANES)
        after = next((self.built[other] for other in order[order.index(name) + 1 :] if other in self.built), None)
        await self.query_one("#panes").mount(pane, before=after)
        keep_handing_down(self, pane)
        self.built[name] = pane

    @property
    def is_wide(self) -> bool:
        """Whether two panes stand side by side."""
        return self.size.width >= WIDE

    def _arrange(self) -> None:
        shown = SIDE_BY_SIDE if self.is_wide and self.pane in SIDE_BY_SIDE else (self.pane,)
        for name, pane in self.built.items():
            pane.display = name in shown
        self.query_one(PaneTabs).active = self.pane

    def _focus_pane(self, name: str) -> None:
        pane = self.built.get(name)
        if pane is None or name != self.pane or (self.focused and pane in self.focused.ancestors_with_self):
            return
        first = getattr(pane, "focus_first", None)
        if first is not None:
            first()
        else:
            next((widget for widget in pane.query("*").results(Widget) if widget.focusable), pane).focus()

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """The pane with the focus is lit, and the tab follows the focus from one of two panes to the other."""
        above = set(event.widget.ancestors_with_self)
        for name, pane in self.built.items():
            pane.set_class(pane in above, "-lit")
            if pane in above and pane.display and name != self.pane and name in SIDE_BY_SIDE:
                self.pane = name
                self.query_one(PaneTabs).active = name

    async def on_pane_tabs_chosen(self, event: PaneTabs.Chosen) -> None:
        await self.show_pane(event.pane)

    def on_resize(self) -> None:
        self.call_next(self._resized)

    async def _resized(self) -> None:
        """Arrange anew for the size that the terminal has now."""
        self._check_size(self.size)
        if self.pane in SIDE_BY_SIDE and self.is_wide and not all(name in self.built for name in SIDE_BY_SIDE):
            await self.show_pane(self.pane)
        elif self.built:
            self._arrange()

    def _check_size(self, size: Size) -> None:
        """Cover everything while the terminal is too small, and uncover it again."""
        covered = isinstance(self.screen, TooSmall)
        if is_too_small(size) and not covered and self.built:
            self.push_screen(TooSmall())
        elif covered and not is_too_small(size):
            self.pop_screen()

    def run_started(self) -> None:
        self.call_later(self.show_pane, "monitor")

    async def on_chat_requested(self, event: ChatRequested) -> None:
        event.stop()
        self.follow(event.folder)
        await self.show_pane("chat")

    # actions

    async def action_pane(self, name: str) -> None:
        await self.show_pane(name)

    async def action_back(self) -> None:
        if self._been:
            name = self._been.pop()
            been = self._been
            await self.show_pane(name)
            self._been = been

    def action_welcome(self) -> None:
        from workbench.app.screens.welcome import Welcome

        self.push_screen(Welcome(), self._through_door)

    async def _through_door(self, door: str | None) -> None:
        if door == "story":
            if self.open_recipe(str(sample_folder() / "capitals.yaml")):
                await self.show_pane("data")
        elif door == "own":
            self.action_choose()
        elif door == "learn":
            await self.show_pane("learn")

    def action_choose(self) -> None:
        from workbench.app.screens.opening import Opening

        self.push_screen(Opening(self.recipe), self._chosen)

    async def _chosen(self, settings: dict[str, Any] | None) -> None:
        if settings is not None and (not settings or self.edit(settings)):
            await self.show_pane("data")

    def action_explain(self) -> None:
        from workbench.app.screens.explanation import Explanation

        self.push_screen(Explanation(self.pane, self.focused))

    def action_next_theme(self) -> None:
        names = list(THEMES)
        self.set_theme(names[(names.index(self.theme) + 1) % len(names)] if self.theme in names else names[0])

    def set_theme(self, name: str) -> None:
        """Change the colours, now and for the next start."""
        self.theme = name
        save_preference(self.workspace, "theme", name)
        self.tell(f"Colours: {TITLES[name]}.")

    # leaving

    async def action_quit(self) -> None:
        """Leave; asks first, and once, where something would be lost."""
        if self._leaving:
            return
        losses = [str(lost) for pane in self.built.values() if (lost := getattr(pane, "would_lose", lambda: None)())]
        if self.unsaved:
            losses.append(f"The recipe is not kept for the next start. {self.unsaved}")
        if not losses:
            await self._leave(True)
            return
        from workbench.app.screens.question import Question

        self._leaving = True
        self.push_screen(Question("Leave", " ".join(losses), "Leave", "Stay"), self._leave)

    async def _leave(self, yes: bool | None) -> None:
        self._leaving = False
        if not yes:
            return
        from workbench.app.following import live_run, refresh_runs

        live = live_run(refresh_runs(self.workspace, self.runs))
        self.exit(message=f"The run {live.name} goes on. Open workbench again to follow it." if live else None)

    def action_help_quit(self) -> None:
        self.tell("Ctrl+q leaves. A run that is going on goes on.")
