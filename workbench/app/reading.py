"""What the app knows of the recipe's model and data: read by the helper, kept as one frozen value."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from workbench.core.errors import RunFailedError, UserError
from workbench.core.models.locate import locate_model
from workbench.core.models.ready import cached_skeleton, ready_folder
from workbench.core.models.skeleton import Skeleton, skeleton_from_json
from workbench.core.recipe import Recipe, recipe_to_mapping

if TYPE_CHECKING:
    from workbench.core.helper import Helper
    from workbench.core.memory.row_shape import RowShape
    from workbench.core.places import Workspace


class Say(Protocol):
    """Takes a line about what is going on, and how much of it is done (0 to 1) where that is known."""

    def __call__(self, text: str, share: float | None = None) -> None: ...


@dataclass(frozen=True, slots=True)
class DataState:
    """How far the reading of the data is."""

    report: Mapping[str, Any] | None = None
    """What `inspect` says, or None where it has not been read."""
    problem: str = ""
    """Why it cannot be used, in one sentence."""
    busy: str = ""
    """What is going on."""
    share: float | None = None
    """How much of that is done, from 0 to 1; None where nobody knows."""
    stopped: bool = False
    """Whether the person stopped the reading; the report, if any, is of what was read before."""

    @property
    def rows(self) -> RowShape | None:
        """The longest row, as the memory estimate needs it; None where the data has not been read."""
        if self.report is None:
            return None
        from workbench.core.memory.row_shape import row_shape

        return row_shape(dict(self.report))


def model_key(recipe: Recipe) -> tuple[object, ...]:
    """What the skeleton depends on."""
    return (recipe.model.path, recipe.model.revision)


def data_key(recipe: Recipe) -> tuple[object, ...]:
    """What the report on the data depends on."""
    values = recipe_to_mapping(recipe)["data"]
    return (*model_key(recipe), repr(values), recipe.training.seed)


async def read_skeleton(helper: Helper, recipe: Recipe, workspace: Workspace, say: Say) -> Skeleton:
    """The skeleton of the recipe's model: the cached one, else the helper's. UserError where there is none."""
    locate_model(recipe.model.path, needs_weights=False)  # says in a sentence what is wrong with the path
    found = cached_skeleton(recipe.model, workspace)
    if found is not None:
        return found
    say("Reading the model")
    do = "prepare" if missing_weights(recipe.model.path) is None else "skeleton"
    answer = await _ask_of_model(do, helper, recipe, say)
    skeleton = skeleton_from_json(answer.get("skeleton") or {})
    if skeleton is None:
        raise UserError("The model's layers could not be read; see the helper's log in the workspace.")
    return skeleton


def missing_weights(path: str) -> str | None:
    """Why the model can be looked at and estimated but not trained: its folder holds no weights; None where it does."""
    try:
        locate_model(path)
    except UserError as error:
        return error.sentence
    return None


async def prepare(helper: Helper, recipe: Recipe, say: Say) -> dict[str, Any]:
    """Have the helper make the model's tokenizer and skeleton readable without the engine."""
    return await _ask_of_model("prepare", helper, recipe, say)


async def _ask_of_model(do: str, helper: Helper, recipe: Recipe, say: Say) -> dict[str, Any]:
    """What one of the helper's verbs gives for the recipe's model; `skeleton` needs no more than its config."""
    model = recipe.model
    return await helper.request(
        do,
        on_event=lambda event: say(str(event.get("text") or "Reading the model")),
        model={"path": model.path, "revision": model.revision, "attention": model.attention},
    )


async def read_data(helper: Helper, recipe: Recipe, workspace: Workspace, say: Say) -> dict[str, Any]:
    """The report on the recipe's data. UserError where it cannot be used."""
    wrong = missing_weights(recipe.model.path)
    if wrong:
        raise UserError(f"{wrong} Method (2) and memory (3) do without them.")
    if ready_folder(recipe.model, workspace) is None:
        await prepare(helper, recipe, say)
    say("Reading the data")

    def tell(event: Mapping[str, Any]) -> None:
        done, total = event.get("done"), event.get("total")
        if isinstance(done, int) and isinstance(total, int) and total:
            say(f"Reading the data, {done:,} of {total:,} rows", done / total)
        elif event.get("text"):
            say(str(event["text"]))

    return await helper.request("inspect", on_event=tell, recipe=recipe_to_mapping(recipe), sets=True)


async def sentence_of(work: Callable[[], Awaitable[Any]]) -> tuple[Any, str]:
    """The work's value and nothing, or nothing and the sentence that says what went wrong."""
    try:
        return await work(), ""
    except (UserError, RunFailedError) as error:
        return None, error.sentence
    except OSError as error:
        return None, f"This cannot be read ({error.strerror or error})."
