"""Data from the Hub: named owner/name, fetched by the engine into the workspace's cache, and read from there."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.core.data.files.folders import kind_of
from workbench.core.data.files.sources import find_source
from workbench.core.errors import UserError
from workbench.core.files import read_json
from workbench.core.places import Workspace
from workbench.core.recipe import DataSection

HUB_ID = re.compile(r"(?P<name>[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(?P<rest>(:[\w.+-]+){0,2})", re.ASCII)

ABOUT = "about"
"""The file beside the fetched rows that says what they are, as JSON."""


@dataclass(frozen=True, slots=True)
class HubData:
    """One split of one subset of a data set on the Hub."""

    name: str
    """owner/name."""
    subset: str | None = None
    """None takes the only one, or the one that its owner calls the default."""
    split: str | None = None
    """None takes train, or the only one."""
    revision: str | None = None


def hub_data(source: str, section: DataSection, beside: Path | None = None) -> HubData | None:
    """What a source means on the Hub, or None where it is a file, a folder or a sample.

    `owner/name` takes the recipe's subset, split and revision where it is the recipe's own source; owner/name:split and
    owner/name:subset:split name their own.
    """
    found = HUB_ID.fullmatch(source)
    if found is None or kind_of(Path(source)):
        return None
    try:
        find_source(source, beside)
    except UserError:
        words = found["rest"].split(":")[1:]
        own = HUB_ID.fullmatch(section.source)
        same = own is not None and own["name"] == found["name"]
        subset = words[0] if len(words) == 2 else section.subset if same else None
        split = words[-1] if words else section.split if source == section.source else None
        return HubData(found["name"], subset, split, section.revision if same else None)
    return None


def hub_sources(section: DataSection) -> tuple[HubData, ...]:
    """Everything from the Hub that a recipe's data needs."""
    names = [section.source, *map(str, section.mix)]
    if isinstance(section.held_out, str):
        names.append(section.held_out)
    found = (hub_data(name, section) for name in names)
    return tuple(dict.fromkeys(data for data in found if data is not None))


def fetched_folder(data: HubData, workspace: Workspace) -> Path:
    """Where the engine puts the rows, as Parquet files."""
    parts = (data.name, data.subset or "", data.split or "", data.revision or "")
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
    return workspace.cache / "data" / f"{data.name.replace('/', '--')[:80]}-{digest}"


def is_fetched(data: HubData, workspace: Workspace) -> bool:
    """Whether the rows are there."""
    return (fetched_folder(data, workspace) / ABOUT).is_file()


def unfetched(section: DataSection, workspace: Workspace) -> tuple[HubData, ...]:
    """What of a recipe's data has to be fetched before it can be read."""
    return tuple(data for data in hub_sources(section) if not is_fetched(data, workspace))


def open_fetched(data: HubData, workspace: Workspace | None) -> Path:
    """The folder with the rows. UserError where they have not been fetched."""
    if workspace is None or not is_fetched(data, workspace):
        raise UserError(f"{data.name} has not been fetched from the Hub yet; `workbench inspect {data.name}` does it.")
    return fetched_folder(data, workspace)


def about_fetched(data: HubData, workspace: Workspace) -> dict[str, Any]:
    """`{"name", "subset", "split", "revision", "rows", "splits"}` as fetched; `revision` is the commit."""
    found = read_json(fetched_folder(data, workspace) / ABOUT)
    return found if isinstance(found, dict) else {}


def check_source(source: str, main: str | None = None) -> None:
    """UserError where a source is neither a file, a folder, a sample nor a name that the Hub may know.

    A relative path may stand beside the recipe's `main` source.
    """
    beside = find_source(main).parent if main is not None and hub_data(main, DataSection()) is None else None
    if hub_data(source, DataSection(), beside) is None:
        find_source(source, beside)
