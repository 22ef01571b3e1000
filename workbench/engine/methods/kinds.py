"""`python -m workbench.engine.methods.kinds`: PEFT's kinds of adapters, read from PEFT's own config classes.

Reads {"module"} on standard input; writes one JSON line, {"kinds": [...]} or {"refused": sentence}.
"""

from __future__ import annotations

import dataclasses
import json
import re
import sys
from typing import Any

from peft.config import PeftConfigMixin, PromptLearningConfig
from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING

from workbench.core.errors import UserError
from workbench.engine import tuners

HIDDEN = {field.name for field in dataclasses.fields(PeftConfigMixin)} | {
    "base_model_name_or_path", "revision", "inference_mode", "task_type", "runtime_config",
}  # fmt: skip
"""Fields that are PEFT's own bookkeeping, not a person's choice."""


def describe_kinds() -> list[dict[str, Any]]:
    """Every kind with its settings, defaults and help, in PEFT's order."""
    return [_describe(_word(name), config) for name, config in PEFT_TYPE_TO_CONFIG_MAPPING.items()]


def _describe(name: str, config: type) -> dict[str, Any]:
    text = config.__doc__ or ""
    settings = [_setting(field, text) for field in dataclasses.fields(config) if field.name not in HIDDEN]
    return {"kind": name, "what": _first_sentence(text), "settings": settings}


def _setting(field: Any, text: str) -> dict[str, Any]:
    default = field.default
    if default is dataclasses.MISSING:
        default = None if field.default_factory is dataclasses.MISSING else field.default_factory()
    words = field.metadata.get("help") or _from_docstring(field.name, text)
    if not words and field.name in {one.name for one in dataclasses.fields(PromptLearningConfig)}:
        words = _from_docstring(field.name, PromptLearningConfig.__doc__ or "")
    return {
        "name": field.name,
        "help": re.sub(r"\s+", " ", words if isinstance(words, str) else " ".join(words)).strip(),
        "default": _plain(default),
        "accepts": re.sub(r"\b(typing|Optional|Union|Literal)\b\.?", lambda found: found[1], str(field.type)),
    }


def _from_docstring(name: str, text: str) -> str:
    """What a class's docstring says of an argument: `name (type): words`, up to the next argument."""
    found = re.search(rf"^\s+{name} \(.*?\):(.*?)(?=^\s+\w+ \(.*?\):|\Z)", text, re.MULTILINE | re.DOTALL)
    return found[1] if found else ""


def _first_sentence(text: str) -> str:
    plain = re.sub(r"\[`(\w+)`\]", r"\1", re.sub(r"\s+", " ", text)).strip()
    return re.split(r"(?<=\.) ", plain, maxsplit=1)[0][:300]


def _plain(value: Any) -> Any:
    try:
        return json.loads(json.dumps(value))
    except TypeError:
        return str(value)


def _word(name: Any) -> str:
    return str(getattr(name, "value", name))


def main() -> int:
    asked = json.loads(sys.stdin.read() or "{}")
    answer: dict[str, Any]
    try:
        tuners.open_module(str(asked.get("module") or ""))
        answer = {"kinds": describe_kinds()}
    except UserError as error:
        answer = {"refused": error.sentence}
    sys.stdout.write(json.dumps(answer) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
