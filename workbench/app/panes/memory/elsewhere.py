"""How far the estimate was from measured runs elsewhere: a sentence a table in the pane, every row in its help."""

from __future__ import annotations

from textual.content import Content

from workbench.app.words import visible
from workbench.core.memory.accuracy import MEANINGS, Table, accuracy_tables
from workbench.core.words import share_text, size_text


def elsewhere_view() -> Content:
    """The tables in a sentence each; empty where there are none."""
    tables = accuracy_tables()
    if not tables:
        return Content("")
    lines = [
        Content.assemble(("Held against measured runs elsewhere", "bold $primary"), (" (F1 lists them)", "$quiet"))
    ]
    return Content("\n").join([*lines, *(Content(visible(table.sentence)) for table in tables)])


def elsewhere_help() -> str:
    """Every row of every table, as the pane's help has them."""
    return "\n\n".join(_table(table) for table in accuracy_tables())


def _table(table: Table) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in table.versions.items())
    head = f"{table.sentence} Measured: {table.source}; held against it on {table.date}; {versions}."
    lines = [visible(head), "", f"{'measured':>9} {'traced':>9} {'formula':>9}  {MEANINGS[table.of]}"]
    for row in table.rows:
        formula = row.formula / row.measured - 1
        lines.append(f"{size_text(row.measured):>9} {_signed(row.error):>9} {_signed(formula):>9}  {visible(row.what)}")
    return "\n".join(lines)


def _signed(error: float) -> str:
    return f"{'+' if error >= 0 else '-'}{share_text(abs(error))}"
