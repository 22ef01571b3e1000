"""What is trained, by kind of layer, as bars."""

from __future__ import annotations

from rich.cells import cell_len
from textual.content import Content

from workbench.app.counting import COUNTING
from workbench.app.glyphs import glyphs
from workbench.app.widgets.bars import bar
from workbench.app.words import clipped, visible
from workbench.core.errors import UserError
from workbench.core.methods import Count
from workbench.core.methods.counted import is_counted
from workbench.core.models.skeleton import Skeleton
from workbench.core.recipe import Recipe
from workbench.core.words import count_text, share_text


def trainable(recipe: Recipe, skeleton: Skeleton | None, room: int, width: int) -> Content:
    """A line with the total, and one bar for each kind of layer as far as there is room (in lines)."""
    if skeleton is None:
        return Content("")
    section = recipe.method
    if not is_counted(section, skeleton):
        return Content.assemble((f"{glyphs().running} ", "$text-primary"), (COUNTING, "$quiet"))
    try:
        count = section.facts.count(skeleton, section.knobs)
    except UserError:
        return Content.styled("What it trains is not known yet; the sentence above its knobs says why.", "$quiet")
    trains = "" if section.name == "peft" else section.facts.trains  # which says nothing of the kind that is chosen
    return _drawing(count, skeleton, trains, max(20, width), room)


def _drawing(count: Count, skeleton: Skeleton, trains: str, width: int, room: int) -> Content:
    every = skeleton.total_parameters + (count.total if count.added else 0)
    total = (
        f"{count_text(count.total)} of {count_text(every)} parameters are trained, {share_text(count.share(skeleton))}"
    )
    leaves = sorted(count.by_leaf().items(), key=lambda item: item[1], reverse=True)
    lines = [Content.styled(total, "bold")]
    shown = leaves[: room - 1 if room >= 3 else 0]
    if len(shown) < len(leaves) and shown:
        rest = leaves[len(shown) - 1 :]
        shown = [*shown[:-1], (f"{len(rest)} more kinds", sum(size for _, size in rest))]
    names = max((cell_len(visible(name)) for name, _ in shown), default=0)
    names = min(names, width // 3)
    figures = max((len(count_text(size)) for _, size in shown), default=0)
    cells = max(4, width - names - figures - 4)
    largest = max((size for _, size in shown), default=1)
    for name, size in shown:
        label = clipped(visible(name), names)
        lines.append(
            Content.assemble(
                (label + " " * (names - cell_len(label)), "$quiet"), "  ", f"{count_text(size):>{figures}}", "  ",
                (bar(size / largest, cells), "$primary"),
            )
        )  # fmt: skip
    if room >= 3 and len(leaves) < room - 1 and trains:
        lines.insert(1, Content.styled(clipped(trains[:1].upper() + trains[1:] + ".", width), "$quiet"))
    return Content("\n").join(lines)
