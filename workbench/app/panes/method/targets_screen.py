"""Target modules picked from the model's own module tree: presets, kinds of matrices, and blocks."""

from __future__ import annotations

from typing import Any, ClassVar

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, OptionList
from textual.widgets.option_list import Option

from workbench.app.glyphs import glyphs
from workbench.app.screens.dialog import DIALOG_CSS
from workbench.app.widgets.drawn import Drawn
from workbench.app.words import clipped, visible
from workbench.core.errors import UserError
from workbench.core.methods.layers import chosen_layers
from workbench.core.methods.roles import blocks, part_of
from workbench.core.methods.targets import PRESETS, target_modules
from workbench.core.models.skeleton import Module, Skeleton
from workbench.core.recipe import Recipe, change_recipe
from workbench.core.words import count_text

Node = tuple[str, str]
"""preset, part, kind, blocks or block, and its name."""


class TargetsScreen(ModalScreen[dict[str, Any] | None]):
    """Gives the settings that were picked, or None."""

    DEFAULT_CSS = f"""
    TargetsScreen {{ {DIALOG_CSS} }}
    TargetsScreen .dialog {{ width: 84; height: 90%; padding: 0 1; }}
    TargetsScreen OptionList {{ height: 1fr; margin: 1 0 0 0; }}
    TargetsScreen .dialog-buttons {{ margin-top: 0; }}
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Back", key_display="Esc"),
        Binding("ctrl+o,f12", "take", "Take these"),
        Binding("space", "tick", "Tick"),
        Binding("right", "open(True)", "Open", show=False),
        Binding("left", "open(False)", "Close", show=False),
    ]

    def __init__(self, recipe: Recipe, skeleton: Skeleton) -> None:
        super().__init__()
        self.recipe = recipe
        self.skeleton = skeleton
        self.kinds = list(dict.fromkeys(module.leaf for module in skeleton.linear_layers))
        """Names of matrices that can be targets, in the model's order."""
        self.numbers = [number for number, _ in blocks(skeleton)]
        self.by_layers = "layers" in recipe.method.knobs
        self.targets = self._leaves(str(recipe.method.knobs["targets"]))
        self.taken = self._chosen_layers()
        self.opened: set[Node] = {("part", "attention"), ("part", "feed-forward"), ("part", "other")}
        self._shown: list[Node] = []
        self.list = OptionList()
        self.sum = Drawn()

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = "Targets"
            dialog.border_subtitle = "Space ticks, Right opens, Enter takes"
            yield self.list
            yield self.sum
            with Horizontal(classes="dialog-buttons"):
                yield Button("Take these (^o)", id="take", compact=True)
                yield Button("Back (Esc)", id="back", compact=True)

    def on_mount(self) -> None:
        self._draw()
        self.list.focus()

    def on_resize(self) -> None:
        self.call_after_refresh(self._draw)

    # what is picked

    def _leaves(self, targets: str) -> set[str]:
        try:
            return {module.leaf for module in target_modules(self.skeleton, targets)}
        except UserError:
            return set()

    def _chosen_layers(self) -> set[int]:
        try:
            return set(chosen_layers(self.skeleton, str(self.recipe.method.knobs.get("layers", "all"))))
        except UserError:
            return set(self.numbers)

    @property
    def words(self) -> str:
        """The targets as the recipe writes them: a preset where they are one."""
        for preset in PRESETS:
            if self.targets and self._leaves(preset) == self.targets:
                return preset
        return ",".join(kind for kind in self.kinds if kind in self.targets)

    @property
    def settings(self) -> dict[str, Any]:
        settings: dict[str, Any] = {"method.targets": self.words}
        if self.by_layers:
            settings["method.layers"] = ranges(sorted(self.taken), len(self.numbers))
        ranks = self.recipe.method.knobs.get("ranks")
        if isinstance(ranks, dict) and any(name not in self.targets for name in ranks):
            settings["method.ranks"] = {name: rank for name, rank in ranks.items() if name in self.targets}
        return settings

    # drawing

    def _modules(self, kind: str) -> list[Module]:
        return [module for module in self.skeleton.linear_layers if module.leaf == kind]

    def _parts(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for kind in self.kinds:
            found.setdefault(part_of(self._modules(kind)[0], self.skeleton), []).append(kind)
        return found

    def _draw(self) -> None:
        width = max(30, self.list.scrollable_content_region.width)
        rows: list[tuple[Node, Content]] = []
        for preset, meaning in PRESETS.items():
            if self._leaves(preset):
                rows.append((("preset", preset), self._preset(preset, meaning, width)))
        for part, kinds in self._parts().items():
            node = ("part", part)
            ticked = sum(kind in self.targets for kind in kinds)
            size = sum(module.size for kind in kinds for module in self._modules(kind))
            rows.append((node, self._row(node, part, ticked, len(kinds), count_text(size), 0, width)))
            if node in self.opened:
                for kind in kinds:
                    modules = self._modules(kind)
                    shape = glyphs().times.join(str(side) for side in (modules[0].out_features, modules[0].in_features))
                    words = f"{len(modules)} of {shape}"
                    rows.append((("kind", kind), self._row(("kind", kind), kind, int(kind in self.targets), 1, words, 1,
                                                           width)))  # fmt: skip
        if self.by_layers and self.numbers:
            node = ("blocks", "")
            words = f"{len(self.taken)} of {len(self.numbers)}"
            rows.append((node, self._row(node, "blocks", len(self.taken), len(self.numbers), words, 0, width)))
            if node in self.opened:
                for number in self.numbers:
                    inside = ("block", str(number))
                    rows.append(
                        (inside, self._row(inside, f"block {number}", int(number in self.taken), 1, "", 1, width))
                    )
        self._show(rows)

    def _show(self, rows: list[tuple[Node, Content]]) -> None:
        same = [node for node, _ in rows] == self._shown
        at = self._shown[self.list.highlighted] if self.list.highlighted is not None and self._shown else None
        self._shown = [node for node, _ in rows]
        if same:
            for place, (_, line) in enumerate(rows):
                if self.list.get_option_at_index(place).prompt != line:
                    self.list.replace_option_prompt_at_index(place, line)
        else:
            self.list.set_options(Option(line) for _, line in rows)
            self.list.highlighted = self._shown.index(at) if at in self._shown else 0
        self.sum.show(self._said())

    def _said(self) -> Content:
        """What the choice trains, or why it cannot be."""
        try:
            if not self.targets or (self.by_layers and not self.taken):
                raise UserError("Tick at least one kind of matrix and one block.")
            changed = change_recipe(self.recipe, self.settings)
            count = changed.method.facts.count(self.skeleton, changed.method.knobs)
        except UserError as error:
            return Content.styled(visible(error.sentence), "$text-error")
        return Content.assemble(
            ("targets ", "$quiet"), (visible(self.words), "bold"), (" trains ", "$quiet"),
            (count_text(count.total), "bold"), (f" parameters in {len(count.by_module)} matrices", "$quiet"),
        )  # fmt: skip

    def _preset(self, preset: str, meaning: str, width: int) -> Content:
        marks = glyphs()
        chosen = self.words == preset
        text = f"{marks.chosen if chosen else marks.unchosen} {preset:<12} "
        return Content.assemble(
            (text, "bold $primary" if chosen else ""), (clipped(meaning, width - cell_len(text)), "$quiet")
        )

    def _row(self, node: Node, title: str, ticked: int, of: int, words: str, depth: int, width: int) -> Content:
        marks = glyphs()
        fold = "  " if depth else f"{marks.opened if node in self.opened else marks.closed} "
        box = marks.tick if ticked == of else "-" if ticked else " "
        head = f"{'  ' * depth}{fold}[{box}] {visible(title)}"
        room = max(1, width - cell_len(head) - cell_len(words))
        return Content.assemble((head, "bold" if ticked else ""), " " * room, (words, "$quiet"))

    # what the person does

    @property
    def _lit(self) -> Node | None:
        return None if self.list.highlighted is None else self._shown[self.list.highlighted]

    def action_tick(self) -> None:
        """Tick the lit line, and all below it, or take the tick away."""
        if self._lit is None:
            return
        kind, name = self._lit
        if kind == "preset":
            self.targets = self._leaves(name)
        elif kind == "blocks":
            self.taken = set() if self.taken == set(self.numbers) else set(self.numbers)
        elif kind == "block":
            self.taken ^= {int(name)}
        else:
            names = set(self._parts()[name]) if kind == "part" else {name}
            self.targets = self.targets - names if names <= self.targets else self.targets | names
        self._draw()

    def action_open(self, wanted: bool) -> None:
        if self._lit is None or self._lit[0] not in ("part", "blocks"):
            return
        (self.opened.add if wanted else self.opened.discard)(self._lit)
        self._draw()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        kind, _ = self._shown[event.option_index]
        if kind == "preset":
            self.action_tick()
        self.action_take()

    def action_take(self) -> None:
        """Take what is ticked, where it can be."""
        try:
            changed = change_recipe(self.recipe, self.settings)
            changed.method.facts.count(self.skeleton, changed.method.knobs)
        except UserError:
            self.app.bell()
            return
        if self.targets:
            self.dismiss(self.settings)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        event.stop()
        if event.button.id == "take":
            self.action_take()
        else:
            self.dismiss(None)


def ranges(numbers: list[int], of: int) -> str:
    """Numbers as `method.layers` writes them: all, or 0-3,7."""
    if len(numbers) == of:
        return "all"
    found: list[list[int]] = []
    for number in numbers:
        if found and number == found[-1][1] + 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in found)
