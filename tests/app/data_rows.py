"""Rows for tests of the data pane, and waiting until they are shown."""

from __future__ import annotations

import json

from waiting import wait_for

from workbench.app.panes.data.rows import RowList
from workbench.app.panes.data.views import RawView
from workbench.app.widgets.drawn import Drawn


def words(widget) -> str:
    """All that a view holds, scrolled to or not."""
    return widget.query_one(Drawn).text


def write_rows(path, rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return str(path)


async def page_known(app):
    """Wait until the row under the cursor is known."""
    await wait_for(lambda: app.query_one(RowList).row_at(app.query_one(RowList).cursor) is not None)


async def rows_shown(app):
    """Wait until the row under the cursor is known and drawn."""
    await page_known(app)
    await wait_for(lambda: words(app.query_one(RawView)))
