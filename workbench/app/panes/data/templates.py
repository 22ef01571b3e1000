"""One row in every chat template, with the tokens that are trained on and what is wrong with each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from workbench.app.deferred import deferred
from workbench.app.glyphs import glyphs
from workbench.app.panes.data.views import TokensView
from workbench.app.screens.dialog import DIALOG_CSS
from workbench.app.widgets.drawn import Drawn
from workbench.app.words import clipped, visible
from workbench.core.words import count_text

NAMES = 30
"""Cells for the list of templates."""

TITLES = {
    "own": "the model's own", "chatml": "ChatML", "alpaca": "Alpaca", "llama3": "Llama 3", "gemma": "Gemma",
    "mistral": "Mistral", "phi": "Phi", "plain": "plain", "bare": "bare",
}  # fmt: skip
"""The templates as people call them."""

IN_SHORT = {
    "foreign_template": "It is not the model's own.",
    "no_template": "The model has none; this one is taken.",
    "unknown_end_token": "Its end token is none of this model.",
    "untrained_end_token": "Its end token was likely never trained.",
    "dropped_turn": "A turn is left out or changed.",
    "no_end_token": "No end token is trained on.",
    "bos_twice": "The start token comes twice.",
}
"""What is wrong, where there is no room for whole sentences."""

ROOMY = 80
"""Cells from which there is."""

Fetch = Callable[[int], Awaitable[tuple[Mapping[str, Any] | None, str]]]
"""Gives a row in every template, or the sentence that says why not."""


class Templates(ModalScreen[str | None]):
    """Gives the name of the template that was chosen, or None."""

    DEFAULT_CSS = f"""
    Templates {{ {DIALOG_CSS} }}
    Templates .dialog {{ width: 96%; height: 96%; max-width: 140; padding: 0 1; }}
    Templates OptionList {{ width: {NAMES}; height: 1fr; border: none; padding: 0; margin-right: 1; }}
    Templates #template-warnings {{ width: 1fr; max-height: 8; }}
    Templates #template-heading {{ height: 1; }}
    Templates TokensView {{ border: none; padding: 0; }}
    Templates TokensView:focus {{ border: none; background: $boost; }}
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Back", key_display="Esc"),
        Binding("n,right", "other_row(1)", "Next row"),
        Binding("N,left", "other_row(-1)", "Row before"),
        Binding("i", "ids", "Ids"),
    ]
    HELP = (
        "The same row in every chat template: Up and Down go from one to the next, Enter takes the lit one into the "
        "recipe. Bold and underlined tokens are trained on. Below the name stands what would be wrong with it for this "
        "model and this row. n and N show another row, i the tokens' ids; Tab goes to the text, to scroll it."
    )

    def __init__(self, row: int, total: int, fetch: Fetch) -> None:
        super().__init__()
        self.row = row
        self.total = total
        self.fetch = fetch
        self.templates: Sequence[Mapping[str, Any]] = ()
        self.problem = ""
        """Why this row cannot be shown."""
        self.list = OptionList()
        self.heading = Drawn(id="template-heading")
        self.warnings = Drawn(id="template-warnings")
        self.tokens = TokensView()

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = "Templates"
            dialog.border_subtitle = "Enter takes it  n next row  i ids  Esc back"
            with Horizontal():
                yield self.list
                with Vertical():
                    yield self.heading
                    yield self.warnings
                    yield self.tokens

    def on_mount(self) -> None:
        self.list.focus()
        self._ask()

    def _ask(self) -> None:
        self.run_worker(deferred(self._fetch, self.row), group="template-row", exclusive=True)

    async def _fetch(self, row: int) -> None:
        found, self.problem = await self.fetch(row)
        lit = self.lit["name"] if self.lit is not None else None
        if found is not None:
            self.templates = found["templates"]
            names = [template["name"] for template in self.templates]
            chosen = next((at for at, template in enumerate(self.templates) if template["chosen"]), 0)
            self.list.set_options(Option(_line(template)) for template in self.templates)
            self.list.highlighted = names.index(lit) if lit in names else chosen
        self._show()

    @property
    def lit(self) -> Mapping[str, Any] | None:
        """The template under the cursor."""
        at = self.list.highlighted
        return self.templates[at] if at is not None and at < len(self.templates) else None

    def _show(self) -> None:
        template = self.lit
        row = f"row {count_text(self.row + 1)}"
        if self.problem or template is None:
            self.heading.show(Content.styled(row, "bold"))
            self.warnings.show(Content.styled(visible(self.problem), "$text-error"))
            self.tokens.clear()
            return
        title = TITLES.get(template["name"], template["name"])
        self.heading.show(lambda width: Content.assemble((clipped(f"{visible(title)}, {row}", width), "bold")))
        self.warnings.show(lambda width: _warnings(template, width))
        more = template["count"] - len(template["ids"])
        self.tokens.show({**template, "cut": 0, "hidden": more}, False)

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        event.stop()
        self._show()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        if self.lit is not None:
            self.dismiss(str(self.lit["name"]))

    def action_other_row(self, step: int) -> None:
        self.row = (self.row + step) % self.total
        self._ask()

    def action_ids(self) -> None:
        self.tokens.ids = not self.tokens.ids


def _warnings(template: Mapping[str, Any], width: int) -> Content:
    marks = glyphs()
    if template["problem"]:
        return Content.styled(f"{marks.cross} {visible(template['problem'])}", "$text-error")
    said = []
    for one in template["warnings"]:
        mark = marks.warning if one["severity"] == "warning" else marks.dot
        words = one["sentence"] if width >= ROOMY else IN_SHORT[one["kind"]]
        said.append(Content.assemble((f"{mark} ", "bold $text-warning"), visible(words)))
    sound = "Nothing is wrong with it for this model and row."
    return Content("\n").join(said or [Content.styled(f"{marks.tick} {sound}", "$text-success")])


def _line(template: Mapping[str, Any]) -> Content:
    """A template's name, how many tokens it makes of the row, and a mark where something is wrong."""
    marks = glyphs()
    warned = any(one["severity"] == "warning" for one in template["warnings"])
    mark, style = (marks.warning, "bold $text-warning") if warned else (marks.tick, "bold $text-success")
    if template["problem"]:
        mark, style = marks.cross, "bold $text-error"
    chosen = marks.chosen if template["chosen"] else " "
    name = clipped(visible(TITLES.get(template["name"], template["name"])), 16)
    figures = "refused" if template["problem"] else count_text(template["count"])
    return Content.assemble((f"{chosen} ", "$accent"), (f"{mark} ", style), f"{name:<16}", (f"{figures:>7}", "$quiet"))
