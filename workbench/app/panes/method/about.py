"""What is true of the chosen method, in words: what it does, what it trains and how many that is, and what it fits."""

from __future__ import annotations

from textual.content import Content

from workbench.app.glyphs import glyphs
from workbench.app.panes.method.methods import needs_a_knob
from workbench.app.widgets.values import value_text
from workbench.app.words import figure, written
from workbench.core.errors import UserError
from workbench.core.methods import Method
from workbench.core.methods.counted import is_counted
from workbench.core.methods.proved import WORDS, proved_of, proved_words
from workbench.core.models.skeleton import Skeleton
from workbench.core.recipe import Recipe
from workbench.core.words import count_text

Pieces = list[tuple[str, str] | str]

BASES = {"none": "whole", "nf4": "4-bit NF4", "fp4": "4-bit FP4", "int8": "8-bit"}
"""What a base may be stored in, in words."""


def about(method: Method, low: bool) -> Content:
    """What the method is, its equation, and where the pane is not low, what becomes of its result."""
    after: Pieces = [] if low else ["\n", *_afterwards(method)]
    return Content.assemble(written(method.what), "\n", (written(method.equation), "bold $accent"), *after)


def facts(recipe: Recipe, skeleton: Skeleton | None, low: bool) -> Content:
    """The method's facts, those that depend on the model for this one, and its paper; all that `about` leaves out."""
    method = recipe.method.facts
    pieces: Pieces = [
        *_trains(recipe, skeleton), "\n", *_rate(method, skeleton), "\n",
        *((_label("After"), *_afterwards(method), "\n") if low else ()),
        *_fits(method, skeleton), "\n", (written(method.paper), "$quiet"),
    ]  # fmt: skip
    return Content.assemble(*pieces)


def _label(text: str) -> tuple[str, str]:
    return f"{text:<9}", "$primary"


def _trains(recipe: Recipe, skeleton: Skeleton | None) -> Pieces:
    method = recipe.method.facts
    pieces: Pieces = [_label("Trains"), f"{method.trains}: ", (written(method.formula), "bold $accent")]
    if skeleton is not None and is_counted(recipe.method, skeleton):
        try:
            pieces += [" = ", (count_text(method.count(skeleton, recipe.method.knobs).total), "bold")]
        except UserError:
            pass  # the sentence stands below
    return pieces


def _rate(method: Method, skeleton: Skeleton | None) -> Pieces:
    rate = figure(method.rate_on(skeleton))
    where = " on this model, less on a wider one" if method.by_width and skeleton is not None else ""
    quiet = f"learning rate {rate}{where}"
    knobs = [f"{name} {value_text(value)}" for name, value in _main_defaults(method)]
    return [_label("Defaults"), quiet, *((f", {', '.join(knobs)}",) if knobs else ())]


def _main_defaults(method: Method) -> list[tuple[str, object]]:
    from workbench.core.knobs import knobs_of

    knobs = knobs_of(method.knobs).values()
    return [(knob.name.replace("_", " "), knob.default) for knob in knobs if knob.default not in ("", None, {}, [])][:3]


def _afterwards(method: Method) -> Pieces:
    """Two facts that fit one line of a pane of 56 cells."""
    marks = glyphs()
    if method.name == "peft":
        merges = "some kinds merge"
    else:
        merges = f"{marks.tick} merges into the base" if method.merges else f"{marks.cross} does not merge"
    shares = "share one model" if method.shares_base else "are two models"
    return [(f"{merges} {marks.dot} base and tuned {shares}", "$quiet")]


def _fits(method: Method, skeleton: Skeleton | None) -> Pieces:
    """Over which bases it works, and where that has been proved."""
    bases = ", ".join(BASES.get(base, base) for base in method.bases)
    pieces: Pieces = [_label("Fits"), f"a base that is {bases}"]
    if method.name == "peft":
        return [*pieces, (", where its kind does; the command workbench methods KIND tries what a kind can", "$quiet")]
    yes, no = _architectures(method.name)
    if yes:
        pieces.append((f" {glyphs().dot} proved on {', '.join(yes)}", "$quiet"))
    if no:
        pieces.append((f", not on {', '.join(no)}", "$quiet"))
    here = proved_words(method.name, skeleton.model_type) if skeleton is not None else ""
    if skeleton is not None and here:
        pieces.append((f"; here {here}", "$quiet"))
    return pieces


def _architectures(name: str) -> tuple[list[str], list[str]]:
    """The architectures that the method has been proved on, and those that it refuses."""
    yes: list[str] = []
    no: list[str] = []
    for row in proved_of(name)[:1]:
        for model_type, cells in row["cells"].items():
            if not cells:
                continue
            (yes if any("refuses" not in cell for cell in cells.values()) else no).append(
                WORDS.get(model_type, model_type)
            )
    return yes, no


def misfit(reason: str) -> bool:
    """Whether a reason is about the model, and no knob would help."""
    return bool(reason) and not needs_a_knob(reason)
