"""Models from the Hub, through the Hub's own cache: safetensors, config and tokenizer, and nothing that can run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.core.errors import UserError
from workbench.core.words import size_text
from workbench.engine.failures import is_disk_full

TOKENIZER = ("tokenizer", "special_tokens_map", "added_tokens", "chat_template", "vocab", "merges", "spiece")
"""How the names of tokenizer files begin."""

WANTED = [
    "*.safetensors",
    "*.safetensors.index.json",
    "config.json",
    "generation_config.json",
    "*.model",
    *(f"{name}*" for name in TOKENIZER),
]

UNWANTED = ["*/*", "consolidated*", "adapter_*", "*.py", "*.bin"]
"""Other people's folders, Mistral's second copy of the weights, and what is no base model or could run."""

INTERVAL = 0.5
"""Seconds between two words on how far a download is."""

Progress = Callable[[str], None]


def fetch_model(name: str, revision: str | None, progress: Progress) -> Path:
    """The model's folder in the Hub's cache, fetched now where it is not there whole.

    UserError where it cannot be had: no connection, no such model, a gated one, one without safetensors, a full disk.
    """
    folder = _fetch(name, revision, WANTED, progress)
    if not (folder / "config.json").is_file():
        raise UserError(f"{name} on the Hub is not a Transformers model: it has no config.json; choose another.")
    if not any(folder.glob("*.safetensors")):
        raise UserError(f"{name} on the Hub has no safetensors weights; choose a model that has them.")
    return folder


def fetch_config(name: str, revision: str | None, progress: Progress) -> Path:
    """A folder with the model's config.json, and perhaps no more; UserError as for `fetch_model`."""
    folder = _fetch(name, revision, ["config.json"], progress)
    if not (folder / "config.json").is_file():
        raise UserError(f"{name} on the Hub is not a Transformers model: it has no config.json; choose another.")
    return folder


def _fetch(name: str, revision: str | None, files: list[str], progress: Progress) -> Path:
    from huggingface_hub import snapshot_download

    progress(f"Fetching {name} from the Hub")
    with told(name, revision, MODEL):
        return Path(
            snapshot_download(
                name, revision=revision, allow_patterns=files, ignore_patterns=UNWANTED, tqdm_class=bar(name, progress)
            )
        )


@dataclass(frozen=True, slots=True)
class Kind:
    """How the Hub and a recipe call one kind of thing."""

    words: str
    page: str
    revision: str
    instead: str


MODEL = Kind("model", "https://huggingface.co", "model.revision", "name a model folder")
DATA = Kind("data set", "https://huggingface.co/datasets", "data.revision", "name a file or a folder")


@contextmanager
def told(name: str, revision: str | None, kind: Kind) -> Iterator[None]:
    """What the Hub's client raises, as a UserError in one sentence."""
    from huggingface_hub import constants, errors

    try:
        yield
    except errors.GatedRepoError as error:
        sentence = f"{name} is gated: accept its terms at {kind.page}/{name}, then log in with `hf auth login`."
        raise UserError(sentence, str(error)) from error
    except errors.RevisionNotFoundError as error:
        raise UserError(f"{name} has no revision {revision}; check {kind.revision}.", str(error)) from error
    except errors.RepositoryNotFoundError as error:
        raise UserError(
            f"There is no {kind.words} {name} on the Hub, or it is private; check the spelling, or log in with "
            "`hf auth login`.",
            str(error),
        ) from error
    except (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled) as error:
        raise UserError(
            f"{name} is not in the Hub's cache on this machine, and the Hub cannot be reached; go online once, "
            f"or {kind.instead}.",
            str(error),
        ) from error
    except (errors.HfHubHTTPError, errors.HFValidationError) as error:
        sentence = f"The Hub refuses to give {name}; try again later, or {kind.instead}."
        raise UserError(sentence, str(error)) from error
    except OSError as error:
        if is_disk_full(error) or isinstance(error, PermissionError):
            sentence = (
                f"The Hub's cache {constants.HF_HUB_CACHE} cannot take {name} ({error.strerror}); make room there."
            )
            raise UserError(sentence, str(error)) from error
        raise


def bar(name: str, progress: Progress) -> Any:
    """A tqdm that draws nothing and says how many bytes are here. What `progress` raises ends the download."""
    from tqdm.auto import tqdm  # type: ignore[import-untyped]

    class Nowhere:
        def write(self, text: str) -> None:
            """Drop what a bar would draw."""

        def flush(self) -> None:
            """Nothing is held back."""

    class Bar(tqdm):
        def __init__(self, *args: Any, **options: Any) -> None:
            options.pop("name", None)
            super().__init__(*args, **{**options, "file": Nowhere(), "disable": False, "mininterval": INTERVAL})

        def refresh(self, *args: Any, **options: Any) -> None:  # noqa: ARG002
            # tqdm's own takes a lock here, which it would keep for good if anything were raised.
            if self.unit == "B" and self.n and self.total:
                progress(f"Fetching {name} from the Hub: {size_text(self.n)} of {size_text(self.total)}")

        def display(self, *args: Any, **options: Any) -> None:
            """Draw nothing."""

    return Bar
