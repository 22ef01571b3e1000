"""Ways to the method pane and its fields, for the tests of it."""

from driving import press
from waiting import wait_for

from workbench.app.widgets.knob_form import KnobForm


def row(app, key):
    """The knob's row in the method pane."""
    return next(found.rows[key] for found in app.built["method"].query(KnobForm) if key in found.rows)


async def on_method(pilot, app):
    """Go to the method pane, and wait until it is there."""
    await press(pilot, "f3")
    await wait_for(lambda: app.pane == "method" and app.built["method"].display)
    await pilot.pause()
