"""AdapterFusion: trained adapters of one base, combined."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.core.errors import UserError
from workbench.core.knobs import knob
from workbench.core.methods.method import Count, Method
from workbench.core.methods.shared_knobs import double_quantisation_knob, quantisation_knob
from workbench.core.models.skeleton import Skeleton
from workbench.core.places import find_workspace

CONFIG = "adapter_config.json"


@dataclass(frozen=True, slots=True)
class FusionKnobs:
    """Knobs of AdapterFusion."""

    adapters: list[str] = knob([], "Two or more finished runs (or folders) of bottleneck adapters, by name or path.")
    quantisation: str = quantisation_knob()
    double_quantisation: bool = double_quantisation_knob()


def source_name(number: int) -> str:
    """The name in the fused model of the adapter with that number."""
    return f"source_{number}"


def adapter_folder(path: str) -> Path:
    """The folder of a run's adapter, or the adapter's own; a bare word may be a run's name. UserError without one."""
    start = Path(path).expanduser()
    named = [find_workspace().runs / path / "adapter"] if path and "/" not in path else []
    for folder in (start / "adapter", start, *named):
        if (folder / CONFIG).is_file() and (folder / "adapter_model.safetensors").is_file():
            return folder
    raise UserError(f"There is no finished adapter in {path}; name a run that trained one, or its folder.")


def read_sources(adapters: Sequence[str]) -> list[dict[str, Any]]:
    """The adapters' configs; UserError where they cannot be fused: other kinds, or in other places of the model."""
    if len(adapters) < 2:
        raise UserError("method.adapters needs two or more runs of bottleneck adapters, such as [capitals, sentiment].")
    found: list[dict[str, Any]] = []
    for path in adapters:
        try:
            config = json.loads((adapter_folder(str(path)) / CONFIG).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            raise UserError(f"The adapter in {path} has no config that can be read.") from None
        if config.get("peft_type") != "BOTTLENECK" or config.get("fuse"):
            raise UserError(f"The adapter in {path} is no bottleneck adapter; AdapterFusion combines those alone.")
        found.append(config)
    places = {(config["placement"], config.get("reads"), *sorted(config["target_modules"])) for config in found}
    if len(places) > 1:
        raise UserError(
            "The adapters of method.adapters stand in different places of the model; "
            "train all of them as Pfeiffer's, or all as Houlsby's, with the same layers."
        )
    return found


def _count(skeleton: Skeleton, knobs: FusionKnobs) -> Count:
    """Query, key and value of d×d, the first two with biases, at each adapter's place (section 3.2)."""
    width = skeleton.hidden_size
    sites = read_sources(knobs.adapters)[0]["target_modules"]
    return Count(tuple((site, 3 * width * width + 2 * width) for site in sorted(sites)), added=True)


def _refuse(skeleton: Skeleton, knobs: FusionKnobs) -> str | None:
    try:
        sources = read_sources(knobs.adapters)
    except UserError as error:
        return error.sentence
    names = {part for module in skeleton.modules for part in _prefixes(module.name)}
    if not set(sources[0]["target_modules"]) <= names:
        return "The adapters of method.adapters were trained on another model; train them on this one."
    return None


def _prefixes(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts) + 1)]


METHOD = Method(
    name="fusion",
    title="AdapterFusion",
    what=(
        "Two or more adapters that were trained on tasks of their own are put into one model and frozen. "
        "In every block an attention over the adapters is trained, which decides token by token whom to listen to. "
        "So one model does all of their tasks."
    ),
    equation="h ← h + softmax_n((Q·h)ᵀ·K·z_n)·V·z_n over adapters n,   V ≈ 1 at the start",
    paper="Pfeiffer et al., AdapterFusion: Non-Destructive Task Composition, 2021, arXiv 2005.00247",
    knobs=FusionKnobs,
    learning_rate=1e-4,
    by_width=True,
    trains="an attention over the adapters, in every block",
    merges=False,
    shares_base=True,
    formula="3·d² + 2·d for each place of an adapter",
    counting=_count,
    refusing=_refuse,
)
