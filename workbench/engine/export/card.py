"""The model card of an exported model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workbench.core.models.locate import locate_model
from workbench.core.recipe import Recipe


def merged_card(run: str, recipe: Recipe, facts: Mapping[str, Any], precision: str, difference: float) -> str:
    """What was merged into what, how it was checked, and what the run measured, as Markdown.

    Names of folders stand in it, their paths do not.
    """
    place = locate_model(recipe.model.path, needs_weights=False)
    method = recipe.method.facts
    head = ["---", "library_name: transformers", "pipeline_tag: text-generation"]
    if place.kind == "hub":
        head.append(f"base_model: {place.name}")
    head += ["tags:", "- workbench", f"- {method.name}", "- merged", "---", ""]
    data = Path(recipe.data.source).name
    lines = [
        f"# {run}",
        "",
        f"{place.name}, fine-tuned with {method.title} on {data}; the adapter is merged into the original weights. "
        "Made with Workbench.",
        "",
        f"The merge was computed in float32 and is stored in {precision}. On a sample prompt, the stored model's "
        f"logits differ from those of base and adapter by at most {difference:.3g}.",
        "",
    ]
    if method.name == "qlora":
        lines += [
            "The adapter was trained over a quantised base. This model stands on the original weights, so it answers "
            "a little differently from what was evaluated during training.",
            "",
        ]
    rows = [
        ("Held-out loss", facts.get("base_loss"), facts.get("held_out_loss"), "{:.4f}"),
        ("Held-out exact match", facts.get("base_score"), facts.get("score"), "{:.1%}"),
    ]
    measured = [row for row in rows if isinstance(row[2], (int, float))]
    if measured:
        lines += ["| | base | tuned |", "|---|---:|---:|"]
        for name, base, tuned, form in measured:
            lines.append(f"| {name} | {_figure(base, form)} | {_figure(tuned, form)} |")
        lines.append("")
    lines += [
        "```python",
        "from transformers import AutoModelForCausalLM, AutoTokenizer",
        "",
        'model = AutoModelForCausalLM.from_pretrained(".")',
        'tokenizer = AutoTokenizer.from_pretrained(".")',
        "```",
    ]
    return "\n".join((*head, *lines)) + "\n"


def _figure(value: Any, form: str) -> str:
    return form.format(value) if isinstance(value, (int, float)) else "–"
