"""Everything else that PEFT has: a method given by PEFT's own config file, or by the name of its kind."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workbench.core.errors import UserError
from workbench.core.knobs import knob
from workbench.core.methods.method import Count, Method
from workbench.core.methods.peft_kinds import config_file, module_file
from workbench.core.methods.shared_knobs import FULL_PRECISION, double_quantisation_knob, quantisation_knob
from workbench.core.methods.trying import try_on
from workbench.core.models.skeleton import Skeleton


@dataclass(frozen=True, slots=True)
class PeftKnobs:
    """Knobs of a method that PEFT's config describes."""

    kind: str = knob(
        "", "The kind's name, such as LOHA, where no config file is given; workbench methods peft lists them."
    )
    config: str = knob("", "PEFT's adapter_config.json, or a folder with one: any kind that PEFT has.")
    settings: dict[str, Any] = knob({}, "Settings of the kind by PEFT's own names, such as {r: 4}, over the file's.")
    module: str = knob("", "A Python file with a tuner of your own, which is run, and registers its kind with PEFT.")
    quantisation: str = quantisation_knob()
    double_quantisation: bool = double_quantisation_knob()


def config_values(knobs: Mapping[str, Any]) -> dict[str, Any]:
    """What PEFT's config is to hold: the file's values or the kind's name, and under `settings` what goes over them.

    UserError where neither or both are given, or the file names no kind of adapter.
    """
    config, kind = str(knobs["config"]), str(knobs["kind"]).strip().upper()
    if config and kind:
        raise UserError("method.config and method.kind cannot both be given; the file names its kind already.")
    values: dict[str, Any] = {"peft_type": kind}
    if not kind:
        values = json.loads(config_file(config).read_text("utf-8"))
    return {**values, "settings": dict(knobs["settings"])}


def _asked(knobs: PeftKnobs) -> tuple[dict[str, Any], str]:
    module = str(module_file(knobs.module)) if knobs.module else ""
    return config_values(
        {"config": knobs.config, "kind": knobs.kind, "settings": knobs.settings}
    ), module  # fmt: skip


def count_by_trial(skeleton: Skeleton, knobs: PeftKnobs) -> Count:
    """What the config trains on this model, counted on the model built without weights; kept for the next time.

    UserError with PEFT's own reason where it does not fit.
    """
    found = try_on(skeleton, *_asked(knobs))
    if "refused" in found:
        raise UserError(str(found["refused"]))
    return Count(tuple((name, int(size)) for name, size in found["by_module"]), added=bool(found["added"]))


def is_counted(skeleton: Skeleton, knobs: Mapping[str, Any]) -> bool:
    """Whether `count` and `reason_against` answer at once: it was tried before, or cannot be tried at all."""
    from workbench.core.methods.trying import is_tried

    section = PeftKnobs(**knobs)
    try:
        values, module = _asked(section)
    except UserError:
        return True
    quantised = section.quantisation != FULL_PRECISION or skeleton.stored is not None
    return is_tried(skeleton, values, module, quantised)


def _refuse(skeleton: Skeleton, knobs: PeftKnobs) -> str | None:
    from workbench.core.methods.trying import abilities_on

    try:
        count_by_trial(skeleton, knobs)
        held = skeleton.stored.kind if skeleton.stored else knobs.quantisation
        bits = {"nf4": "4-bit", "fp4": "4-bit", "int8": "8-bit"}.get(held)
        if bits is None:
            return None
        able = abilities_on(skeleton, *_asked(knobs)).get(bits, True)
    except UserError as error:
        return error.sentence
    if able is True:
        return None
    remedy = "Give the model in 16-bit numbers." if skeleton.stored else "Set method.quantisation to none."
    return f"This kind does not train over a {bits} base: {able} {remedy}"


def _not_training(skeleton: Skeleton, knobs: PeftKnobs) -> str | None:
    """Why a config that can be counted, and whose memory can be estimated, is not trained here."""
    reason = try_on(skeleton, *_asked(knobs)).get("untrained")
    return None if reason is None else str(reason)


METHOD = Method(
    name="peft",
    title="Any of PEFT's",
    what=(
        "Any kind of adapter that PEFT has, described by PEFT's own adapter_config.json. "
        "What it trains and counts is found out by building it on this model without weights. "
        "It is as good as that kind's own code: try it on a few rows first."
    ),
    equation="as the config's kind has it",
    paper="Mangrulkar et al., PEFT, 2022, github.com/huggingface/peft",
    knobs=PeftKnobs,
    learning_rate=1e-3,
    trains="what the config's kind trains",
    merges=True,
    shares_base=True,
    formula="counted on the model, built without weights",
    counting=count_by_trial,
    refusing=_refuse,
    not_training=_not_training,
)
