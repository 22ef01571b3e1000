"""What is chosen in a dialog or a line: columns, a template, and the file that the rows are saved to."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workbench.app.deferred import deferred
from workbench.app.glyphs import glyphs
from workbench.app.messages import RecipeEdited, Told
from workbench.app.panes.data.columns import Columns
from workbench.app.panes.data.walking import Walking
from workbench.app.reading import sentence_of
from workbench.app.words import base_name
from workbench.core.recipe import recipe_to_mapping
from workbench.core.words import count_text, size_text

NO_FORM = "Plain text is mixed with conversations, and no format holds both; save each source alone."


class Choosing(Walking):
    """The rows, and dialogs about them."""

    def _change(self, settings: Mapping[str, Any], words: str) -> None:
        self.post_message(RecipeEdited(dict(settings)))
        self.post_message(Told(f"{words.rstrip('.')}. u takes that back."))

    # columns

    def action_columns(self) -> None:
        self.run_worker(deferred(self._ask_columns), group="columns", exclusive=True)

    async def _ask_columns(self) -> None:
        recipe = self.recipe
        found, wrong = await sentence_of(lambda: self.desk.helper.request("columns", recipe=recipe_to_mapping(recipe)))
        if wrong:
            self.post_message(Told(wrong, "error"))
            return
        report = self.data_state.report
        why = "No format fits these columns by itself; say which is which."
        mapping: Mapping[str, str] = recipe.data.mapping
        if report is not None:
            why = f"Read as {report['format']}: {report['format_reason']}."
            mapping = mapping or report["mapping"]

        def chosen(mapping: dict[str, str] | None) -> None:
            if mapping is not None:
                self.post_message(RecipeEdited({"data.mapping": mapping, "data.format": "auto"}))

        self.app.push_screen(Columns(found["columns"], mapping, why), chosen)

    # templates

    def action_templates(self) -> None:
        """Show the lit row in every template; the one that is taken goes into the recipe."""
        if not self.rows.total:
            self.post_message(Told("There is no row to show yet."))
            return
        from workbench.app.panes.data.templates import Templates

        recipe, held_out = recipe_to_mapping(self.recipe), self.rows.of != "source"

        async def fetch(row: int) -> tuple[Mapping[str, Any] | None, str]:
            request = self.desk.helper.request
            return await sentence_of(lambda: request("templates", recipe=recipe, row=row, held_out=held_out))

        def chosen(name: str | None) -> None:
            if name is not None and name != self.chosen_template:
                self._change({"data.template": name}, f"The template is {name}")

        self.app.push_screen(Templates(self.rows.lit, self._last, fetch), chosen)

    @property
    def chosen_template(self) -> str:
        """The template that the rows are rendered with, as far as it is known."""
        report = self.data_state.report
        return str(report["template"]) if report is not None else self.recipe.data.template

    # saving

    def action_save_copy(self) -> None:
        if self.data_state.report is None:
            self.post_message(Told("The data has not been read yet, so there is nothing to save."))
            return
        name = base_name(self.recipe.data.source).partition(".")[0] or "data"
        forms = {part["format"] for part in self.data_state.report["sources"]}
        if "text" in forms and len(forms) > 1:
            self.post_message(Told(NO_FORM, "warning"))
            return
        as_messages = "oasst" in forms or len(forms) > 1
        what = "conversations that are left, as messages," if as_messages else "rows that are left"
        self.ask_line.ask("save", f"Save the {what} to (.jsonl or .parquet):", f"{name}.clean.jsonl")

    def take_answer(self, about: str, text: str) -> None:
        if about == "save":
            self.run_worker(
                deferred(self._save, str(Path(text).expanduser().absolute())), group="asking", exclusive=True
            )
        else:
            super().take_answer(about, text)

    async def _save(self, to: str) -> None:
        stops = f"{glyphs().dot} Esc stops"

        def tell(event: Mapping[str, Any]) -> None:
            self.note(f"Saving, {event.get('text') or ''} read {stops}")

        self.note(f"Saving {stops}")
        try:
            saved, wrong = await sentence_of(
                lambda: self.desk.helper.request("clean", tell, recipe=recipe_to_mapping(self.recipe), to=to)
            )
        finally:
            self.note("")
        if wrong:
            self.post_message(Told(wrong, "error"))
        else:
            of = f"{count_text(saved['rows'])} of {count_text(saved['source_rows'])} rows"
            form = f", each a row of {saved['format']}" if saved["format"] else ""
            self.post_message(Told(f"{of} are in {saved['path']}, {size_text(saved['bytes'])}{form}."))
