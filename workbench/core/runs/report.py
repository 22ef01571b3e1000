"""report.md: a run in words and figures, the same figures that the panes and the commands show."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from workbench.core.errors import UserError
from workbench.core.files import write_text_atomically
from workbench.core.recipe import Recipe, load_recipe, recipe_to_yaml
from workbench.core.runs.events import Event
from workbench.core.runs.facts import describe_run, read_facts, read_view
from workbench.core.runs.folder import RunFolder
from workbench.core.runs.loading import loading_code
from workbench.core.runs.series import Series
from workbench.core.runs.view import RunView
from workbench.core.words import (
    clip_text,
    count_text,
    loss_text,
    seconds_text,
    share_text,
    size_text,
    sparkline,
    visible_text,
)

CURVE = 60
"""Letters of a loss curve."""

SAMPLES = 12
"""Held-out rows that the report shows, the newest of the run."""


def write_report(folder: RunFolder) -> str:
    """Write the run's report.md from its facts, its recipe and its events; its text.

    It can be written at any time: what is not known yet is a dash.
    """
    facts = {**describe_run(folder), **read_facts(folder)}
    view = read_view(folder)
    try:
        recipe: Recipe | None = load_recipe(folder.recipe)
    except UserError:
        recipe = None
    parts = [
        _summary(folder, facts, view, recipe),
        _trained(facts, recipe),
        _curves(view),
        _data(facts, recipe, view),
        _memory(facts),
        _samples(view),
        _notices(view),
        _versions(facts),
        _loading(folder, facts, recipe, view),
        _going_on(folder, facts),
        _recipe(recipe),
    ]
    text = "\n\n".join("\n".join(lines) for part in parts if (lines := list(part))) + "\n"
    write_text_atomically(folder.report, text)
    return text


def literal(text: str) -> str:
    """Foreign text in Markdown: shown as it is, whatever marks it holds, in a table too."""
    shown = visible_text(text)
    longest = max((len(run) for run in re.findall("`+", shown)), default=0)
    fence = "`" * (longest + 1)
    gap = " " if shown[:1] in ("`", " ") or shown[-1:] in ("`", " ") or not shown else ""
    return f"{fence}{gap}{shown}{gap}{fence}".replace("|", "\\|")


def _table(headers: Sequence[str], rows: Sequence[Sequence[str]], right: int) -> list[str]:
    """A Markdown table whose columns from `right` on stand on the right."""
    rule = ["---" if index < right else "---:" for index in range(len(headers))]
    return ["| " + " | ".join(row) + " |" for row in (headers, rule, *rows)]


def _summary(folder: RunFolder, facts: dict[str, Any], view: RunView, recipe: Recipe | None) -> Iterator[str]:
    yield f"# {folder.name}"
    yield ""
    method = recipe.method.facts.title if recipe else facts.get("method") or "?"
    model = literal(recipe.model.path if recipe else str(facts.get("model")))
    steps = facts.get("steps") if facts.get("steps") is not None else view.step
    yield (
        f"{method} on {model}: {facts.get('state')} after {count_text(steps)} steps "
        f"in {seconds_text(facts.get('seconds'))}."
    )
    yield ""
    rows = [["held-out loss", loss_text(facts.get("base_loss")), loss_text(facts.get("held_out_loss"))]]
    if facts.get("scored"):
        score = f"exact match of {count_text(facts['scored'])} held-out answers"
        rows.append([score, share_text(facts.get("base_score")), share_text(facts.get("score"))])
    yield from _table(("", "base", "tuned"), rows, right=1)


def _trained(facts: dict[str, Any], recipe: Recipe | None) -> Iterator[str]:
    yield "## What was trained"
    yield ""
    yield (
        f"- {count_text(facts.get('trainable_parameters'))} of {count_text(facts.get('total_parameters'))} parameters "
        f"({share_text(facts.get('share'))})"
    )
    if recipe is not None:
        knobs = ", ".join(f"{name} {_plain(value)}" for name, value in recipe.method.knobs.items())
        yield f"- method: {recipe.method.name}" + (f" ({knobs})" if knobs else "")
        training, rate = recipe.training, facts.get("learning_rate") or recipe.learning_rate_on(None)
        yield (
            f"- {count_text(training.effective_batch)} rows a step, {count_text(training.micro_batch)} at once; "
            f"{training.optimizer}, learning rate {rate:g}, {training.schedule}, "
            f"warm-up {share_text(training.warmup)}, seed {training.seed}"
        )
    yield f"- {count_text(facts.get('tokens'))} tokens read, {count_text(facts.get('trained_tokens'))} trained on"
    device, precision = facts.get("device") or "an unknown device", facts.get("precision") or "an unknown precision"
    yield f"- on {device} in {precision}, {count_text(facts.get('tokens_per_second'))} tokens/s"
    yield f"- the result takes {size_text(facts.get('adapter_bytes'))}"


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _curves(view: RunView) -> Iterator[str]:
    if not len(view.loss):
        return
    yield "## Loss"
    yield ""
    yield "```text"
    for label, series in (("training", view.loss), ("held out", view.held_out)):
        if len(series):
            yield f"{label}  {sparkline([value for _, value in series.points], CURVE)}  {_from_to(series)}"
    yield "```"


def _from_to(series: Series) -> str:
    (first, begin), (last, end) = series.points[0], series.points[-1]
    low = min(value for _, value in series.points)
    return f"{loss_text(begin)} at step {first}, {loss_text(end)} at step {last}, lowest {loss_text(low)}"


def _data(facts: dict[str, Any], recipe: Recipe | None, view: RunView) -> Iterator[str]:
    yield "## Data"
    yield ""
    if recipe is not None:
        data = recipe.data
        held = literal(data.held_out) if isinstance(data.held_out, str) else f"{share_text(data.held_out)} held out"
        yield f"- source: {literal(data.source)}, held out: {held}"
        yield (
            f"- template: {literal(data.template)}, trained on: {data.train_on.replace('_', ' ')}, "
            f"at most {count_text(data.max_length)} tokens a row"
        )
    started = view.started or {}
    rows, held_out = (facts.get(key, started.get(key)) for key in ("rows", "held_out_rows"))
    yield f"- {count_text(rows)} rows trained on, {count_text(held_out)} held out"


def _memory(facts: dict[str, Any]) -> Iterator[str]:
    memory = facts.get("memory") or {}
    predicted, measured = memory.get("predicted"), memory.get("measured")
    yield "## Memory"
    yield ""
    yield from _table(("", "peak"), [["predicted", size_text(predicted)], ["measured", size_text(measured)]], right=1)
    meaning = {"process": "of the whole process", "reserved": "what torch reserved on the GPU"}.get(
        memory.get("of", "")
    )
    if meaning:
        yield ""
        yield f"Both are {meaning}."
    if predicted and measured:
        ratio = predicted / measured
        yield ""
        if 0.5 < ratio < 2:
            side = "above" if ratio > 1 else "below"
            yield f"The prediction was {share_text(abs(ratio - 1))} {side} the measurement."
        else:
            yield f"The prediction was {ratio:.2g} times the measurement."


def _samples(view: RunView) -> Iterator[str]:
    newest = _newest(view.samples)
    if not newest:
        return
    yield "## Held-out rows as answered"
    yield ""
    rows = [
        [literal(clip_text(str(sample[key]), 200)) if sample.get(key) is not None else "–" for key in _SHOWN]
        for sample in newest
    ]
    yield from _table(("asked", "expected", "base", "tuned"), rows, right=4)


_SHOWN = ("prompt", "expected", "base", "tuned")


def _newest(samples: Sequence[Event]) -> list[Event]:
    """The last sample of each prompt, with the base's answer from wherever it was asked."""
    base = {sample.get("prompt"): sample["base"] for sample in samples if sample.get("base") is not None}
    last = {sample.get("prompt"): {**sample, "base": base.get(sample.get("prompt"))} for sample in samples}
    return list(last.values())[-SAMPLES:]


def _notices(view: RunView) -> Iterator[str]:
    if not view.notices:
        return
    yield "## Notices"
    yield ""
    for text in dict.fromkeys(str(notice.get("text", "")) for notice in view.notices):
        yield f"- {literal(text)}"


def _versions(facts: dict[str, Any]) -> Iterator[str]:
    versions = facts.get("versions") or {}
    if not versions:
        return
    yield "## Versions"
    yield ""
    yield ", ".join(f"{name} {version}" for name, version in versions.items())


def _loading(folder: RunFolder, facts: dict[str, Any], recipe: Recipe | None, view: RunView) -> Iterator[str]:
    if folder.result is None or recipe is None:
        return
    yield "## Loading the result"
    yield ""
    yield f"In the workbench: `workbench chat {folder.name}`. With plain Transformers and PEFT:"
    yield ""
    yield "```python"
    question = str(view.samples[-1].get("prompt")) if view.samples else "Hello."
    yield loading_code(recipe, folder.result, str(facts.get("precision") or "float32"), question).rstrip()
    yield "```"


def _going_on(folder: RunFolder, facts: dict[str, Any]) -> Iterator[str]:
    yield "## Going on"
    yield ""
    newest = folder.newest_checkpoint()
    if facts.get("state") == "finished":
        yield f"The run is finished. To run its recipe again: `workbench train {folder.recipe}`"
    elif newest is None:
        yield f"There is no checkpoint; it begins again with: `workbench resume {folder.name}`"
    else:
        yield f"The newest checkpoint is `{newest.name}`; to go on from it: `workbench resume {folder.name}`"


def _recipe(recipe: Recipe | None) -> Iterator[str]:
    if recipe is None:
        return
    yield "## Recipe"
    yield ""
    yield "```yaml"
    yield recipe_to_yaml(recipe).rstrip()
    yield "```"
