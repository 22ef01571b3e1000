"""Data sets from the Hub, through the Hub's own cache and `datasets`, written as Parquet that core reads.

Only builders that read rows are used, from files alone: no script of a data set is ever run.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from workbench.core.data.files.hub import ABOUT, HubData, fetched_folder, is_fetched
from workbench.core.errors import UserError
from workbench.core.files import write_json_atomically
from workbench.core.places import Workspace
from workbench.core.words import count_text
from workbench.engine.failures import is_disk_full
from workbench.engine.hub import DATA, bar, told

Progress = Callable[[str], None]
"""Called with what is being done, in words; raising in it cancels the work."""

CARD = ["README.md", ".huggingface.yaml"]
"""Files that say which subsets there are."""

ROWS = "rows"

INTERVAL = 0.2
"""Seconds between two words on how far it is."""

READ = ("arrow", "csv", "json", "parquet", "text")
"""Builders of `datasets` whose rows a text model can learn from."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a data set is read from: its name on the Hub, or its folder in the Hub's cache when offline."""

    name: str
    path: str
    revision: str | None
    """The commit."""

    @property
    def is_local(self) -> bool:
        return self.path != self.name


def list_choices(name: str, revision: str | None, progress: Progress) -> dict[str, Any]:
    """`{"name", "revision", "default", "subsets": {subset: [split, …]}}` of a data set on the Hub (or in its cache).

    UserError where it cannot be had: no connection, no such data set, a gated one, one with a script.
    """
    _quiet()
    place = _find(name, revision, progress)
    subsets, default = _choices(place)
    return {"name": name, "revision": place.revision, "default": default, "subsets": subsets}


def fetch_data(data: HubData, workspace: Workspace, progress: Progress) -> Path:
    """The folder with the rows of one split as Parquet, made now where it is not there; see `core.data.hub`.

    UserError as for `list_choices`, and where there is no such subset or split.
    """
    target = fetched_folder(data, workspace)
    if is_fetched(data, workspace):
        return target
    _quiet()
    place = _find(data.name, data.revision, progress)
    subsets, default = _choices(place)
    subset = _choose("subset", data.subset, list(subsets), default, data.name)
    splits = subsets[subset]
    split = _choose("split", data.split, splits, "train" if "train" in splits else None, data.name)
    aside = target.parent / f".{target.name}.{os.getpid()}"
    with _disk(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        _clear_leftovers(target.parent)
        shutil.rmtree(aside, ignore_errors=True)
        try:
            rows = _write(place, subset, split, aside, progress)
            made = aside / ROWS
            about = {"name": data.name, "subset": subset, "split": split, "revision": place.revision}
            write_json_atomically(made / ABOUT, {**about, "rows": rows, "splits": splits})
            shutil.rmtree(target, ignore_errors=True)
            made.replace(target)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    return target


def _quiet() -> None:
    """No bars and no warnings on a stream that belongs to somebody else."""
    import datasets

    datasets.disable_progress_bars()
    datasets.logging.set_verbosity_error()


def _find(name: str, revision: str | None, progress: Progress) -> Place:
    from huggingface_hub import HfApi, constants, errors, snapshot_download

    progress(f"Looking for {name} on the Hub")
    if not constants.HF_HUB_OFFLINE:
        try:
            with told(name, revision, DATA):
                found = HfApi().dataset_info(name, revision=revision)
            with told(name, revision, DATA):
                # The card, and with it the name of the commit, so that the cache answers for it without a network.
                snapshot_download(name, repo_type="dataset", revision=revision, allow_patterns=CARD)
            return Place(name, name, str(found.sha))
        except Exception as error:
            if not _is_no_connection(error):
                raise
    with told(name, revision, DATA):
        try:
            folder = snapshot_download(
                name, repo_type="dataset", revision=revision, allow_patterns=CARD, local_files_only=True
            )
        except errors.RevisionNotFoundError as error:
            raise errors.LocalEntryNotFoundError(str(error)) from error
    return Place(name, folder, Path(folder).name)


def _is_no_connection(error: BaseException) -> bool:
    """Whether the Hub could not be reached at all, as opposed to what it answered."""
    from huggingface_hub import errors

    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, (ConnectionError, TimeoutError, errors.OfflineModeIsEnabled)):
            return True
        if type(cause).__module__.partition(".")[0] in ("httpx", "httpcore", "requests", "urllib3"):
            return not hasattr(cause, "response") or getattr(cause, "response", None) is None
        if isinstance(cause, errors.HfHubHTTPError):
            return bool(cause.response is not None and cause.response.status_code >= 500)
        cause = cause.__cause__ or cause.__context__
    return False


def _choices(place: Place) -> tuple[dict[str, list[str]], str | None]:
    from datasets.load import dataset_module_factory

    try:
        with _read(place.name):
            module = dataset_module_factory(place.path, revision=None if place.is_local else place.revision)
    except UserError as error:
        if not place.is_local:
            raise
        raise UserError(
            f"Only a part of {place.name} is in the Hub's cache on this machine, and the Hub cannot be reached; go "
            "online once, or name a file or a folder.",
            error.details,
        ) from error
    kind = module.module_path.rpartition(".")[2]
    if kind not in READ:
        raise UserError(f"{place.name} on the Hub holds no rows of text (it is read as {kind}); choose another.")
    found = module.builder_configs_parameters
    subsets = {str(config.name): list(map(str, config.data_files or ())) for config in found.builder_configs or ()}
    if not subsets:
        raise UserError(f"{place.name} on the Hub holds no data file that can be read; choose another.")
    return subsets, found.default_config_name


def _choose(what: str, given: str | None, names: list[str], default: str | None, where: str) -> str:
    listed = ", ".join(names[:20]) + (", …" if len(names) > 20 else "")
    if given is not None:
        if given in names:
            return given
        raise UserError(f"{where} has no {what} {given[:60]!r}; it has {listed}.")
    if len(names) == 1:
        return names[0]
    if default in names:
        return str(default)
    raise UserError(f"{where} has several {what}s; set data.{what} to one of {listed}.")


def _write(place: Place, subset: str, split: str, into: Path, progress: Progress) -> int:
    """Write one split as Parquet files into the folder ROWS within `into`; the number of its rows."""
    import datasets
    from datasets.data_files import DataFilesDict, DataFilesList

    with _read(place.name):
        builder = datasets.load_dataset_builder(
            place.path,
            subset,
            revision=None if place.is_local else place.revision,
            cache_dir=str(into / "cache"),
        )
    files = list((builder.config.data_files or {}).get(split, ()))
    if not files:
        raise UserError(
            f"The split {split} of {place.name} is not in the Hub's cache on this machine, and the Hub cannot be "
            "reached; go online once, or choose another split."
        )
    files = _download(place, files, progress)
    # The files are here now, and those of this split are all that is wanted.
    builder.config.data_files = DataFilesDict({split: DataFilesList(files, [(file,) for file in files])})
    _count_rows(builder, place.name, progress)
    with _read(place.name):
        builder.download_and_prepare(
            str(into / ROWS), file_format="parquet", verification_mode="no_checks", max_shard_size="1GB"
        )
    return _kept_rows(into / ROWS, place.name)


def _download(place: Place, files: list[str], progress: Progress) -> list[str]:
    """The files in the Hub's cache, fetched now where they are not there."""
    from huggingface_hub import HfFileSystem, snapshot_download

    if place.is_local:
        return files
    hub = HfFileSystem()
    wanted: dict[str, list[str]] = {}
    paths: list[tuple[str, str]] = []
    for file in files:
        if not file.startswith("hf://"):
            raise UserError(f"{place.name} names files outside the Hub ({file[:80]}), which are not fetched.")
        found: Any = hub.resolve_path(file)
        wanted.setdefault(str(found.revision), []).append(str(found.path_in_repo))
        paths.append((str(found.revision), str(found.path_in_repo)))
    folders: dict[str, Path] = {}
    for revision, names in wanted.items():
        with told(place.name, revision, DATA):
            folder = snapshot_download(
                place.name,
                repo_type="dataset",
                revision=revision,
                allow_patterns=[*CARD, *map(_literal, names)],
                tqdm_class=bar(place.name, progress),
            )
        folders[revision] = Path(folder)
    return [str(folders[revision] / path) for revision, path in paths]


def _literal(name: str) -> str:
    import glob

    return glob.escape(name)


def _count_rows(builder: Any, name: str, progress: Progress) -> None:
    """Have the builder say how far it is, and stop where nobody waits any more."""
    made = builder._generate_tables
    rows = 0

    def counted(*args: Any, **options: Any) -> Iterator[Any]:
        nonlocal rows
        for key, table in made(*args, **options):
            progress(f"Reading {name}, {count_text(rows)} rows")
            rows += table.num_rows
            yield key, table

    builder._generate_tables = counted


def _kept_rows(folder: Path, name: str) -> int:
    """Leave nothing but Parquet files in the folder; the number of rows in them."""
    from pyarrow import parquet

    rows = 0
    for file in folder.iterdir():
        if file.suffix == ".parquet":
            rows += parquet.read_metadata(file).num_rows
        else:
            file.unlink()
    if not rows:
        raise UserError(f"{name} holds no rows in this split; choose another.")
    return rows


@contextmanager
def _read(name: str) -> Iterator[None]:
    """What `datasets` raises, as a UserError in one sentence."""
    from datasets import exceptions

    try:
        yield
    except UserError:
        raise
    except (exceptions.DatasetsError, FileNotFoundError, ValueError, RuntimeError) as error:
        if is_disk_full(error):
            raise
        said = " ".join(str(error).split())
        if "scripts are no longer supported" in said:
            raise UserError(
                f"{name} on the Hub needs a script of its own to be read, which is never run.", said
            ) from error
        if _is_no_connection(error):
            raise UserError(f"The Hub cannot be reached for {name} now; try again later.", said) from error
        raise UserError(
            f"{name} on the Hub cannot be read as rows; choose another subset or data set.", said
        ) from error


@contextmanager
def _disk(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if not is_disk_full(error) and not isinstance(error, PermissionError) and "disk space" not in str(error):
            raise
        raise UserError(
            f"The data cannot be written to {target.parent} ({error.strerror or error}); make room or choose another "
            "workspace."
        ) from error


def _clear_leftovers(parent: Path) -> None:
    """Remove what killed processes have left half-made."""
    for folder in parent.glob(".*.*"):
        owner = folder.name.rpartition(".")[2]
        if owner.isdigit() and int(owner) != os.getpid() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)


def _main(asked: dict[str, Any]) -> None:
    """Do what was asked, with progress and the answer as JSON lines on standard output; see `fetching`."""
    said = 0.0
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")

    def tell(message: dict[str, Any]) -> None:
        sys.stdout.write(json.dumps(message) + "\n")
        sys.stdout.flush()

    def progress(text: str) -> None:
        nonlocal said
        if time.monotonic() - said >= INTERVAL:
            said = time.monotonic()
            tell({"progress": text})

    try:
        if asked["do"] == "choices":
            tell({"result": list_choices(asked["name"], asked["revision"], progress)})
        else:
            data, workspace = HubData(**asked["data"]), Workspace(Path(asked["workspace"]))
            tell({"result": str(fetch_data(data, workspace, progress))})
    except UserError as error:
        tell({"error": error.sentence, "details": error.details, "user": True})
    except Exception as error:
        first = next(iter(str(error).strip().splitlines()), "")[:200]
        sentence = f"The data could not be fetched ({type(error).__name__}: {first}); the log has the details."
        tell({"error": sentence, "details": traceback.format_exc(), "user": False})
        traceback.print_exc()


if __name__ == "__main__":
    _main(json.loads(sys.argv[1]))
