"""Driving the whole app in a test: it is opened on a workspace, and read from its screen."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from textual.pilot import Pilot
from textual.widget import Widget
from waiting import wait_for

from workbench.app.preferences import save_preference
from workbench.app.workbench_app import WorkbenchApp
from workbench.core.places import Workspace
from workbench.core.recipe import Recipe, recipe_from_mapping

STORY = {"model": {"path": "tiny"}, "data": {"source": "capitals"}}


def story(**sections: dict) -> Recipe:
    """The bundled model and data, with what the test changes."""
    return recipe_from_mapping({**STORY, **sections})


@asynccontextmanager
async def opened(
    workspace: Workspace,
    recipe: Recipe | None = None,
    size: tuple[int, int] = (120, 36),
    read: bool = True,
    trace: bool = False,
) -> AsyncIterator[tuple[WorkbenchApp, Pilot]]:
    """The app, open and past its first screen; with `read`, its model and data are known; with `trace`, it traces."""
    if not trace:  # seconds of two cores for every test that looks at the memory
        save_preference(workspace, "trace", False)
    app = WorkbenchApp(workspace, recipe)
    async with app.run_test(size=size, notifications=True) as pilot:
        await wait_for(lambda: bool(app.pane), 30)
        if read:
            await wait_for(lambda: app.estimate is not None and app.data_state.report is not None, 60)
            await pilot.pause()
        yield app, pilot


def screen_text(app: WorkbenchApp) -> str:
    """What is on the screen, line by line, without its colours."""
    return "\n".join("".join(segment.text for segment in line) for line in app.screen._compositor.render_strips())


def text_of(widget: Widget) -> str:
    """The part of the screen that a widget takes."""
    lines = screen_text(widget.app).split("\n")  # type: ignore[arg-type]
    region = widget.region
    return "\n".join(line[region.x : region.right] for line in lines[region.y : region.bottom])


async def press(pilot: Pilot, *keys: str) -> None:
    """Press keys one by one, each after the one before has been dealt with."""
    for key in keys:
        await pilot.press(key)
        await pilot.pause()


async def type_text(pilot: Pilot, text: str) -> None:
    """Type a text into what has the focus."""
    names = {
        "/": "slash",
        ".": "full_stop",
        "-": "minus",
        "_": "underscore",
        " ": "space",
        ",": "comma",
        "=": "equals_sign",
    }
    for letter in text:
        await pilot.press(names.get(letter, letter))
    await pilot.pause()
