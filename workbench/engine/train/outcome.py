"""What a run leaves behind: the adapter or model with its card, and the facts."""

from __future__ import annotations

import platform
import shutil
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from workbench.core.files import write_json_atomically, write_text_atomically
from workbench.core.models.locate import locate_model
from workbench.core.recipe import Recipe, recipe_to_yaml
from workbench.core.runs.folder import RunFolder
from workbench.core.runs.loading import opening_lines, opens_with_peft
from workbench.core.words import count_text, loss_text, seconds_text, share_text
from workbench.engine.methods.stored import save_adapter

TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "tokenizer.model",
    "vocab.json",
    "merges.txt",
    "chat_template.jinja",
)
WEIGHTS = ("*.safetensors",)


def save_result(model: Any, folder: RunFolder, model_folder: Path) -> Path:
    """Write the adapter (loadable with plain PEFT) or the whole model (with plain Transformers); its folder.

    Written aside and renamed, so that the folder is complete or absent. Raises what the disk raises.
    """
    adapter = hasattr(model, "peft_config")
    final = folder.adapter if adapter else folder.model
    hidden = folder.path / f".{final.name}"
    shutil.rmtree(hidden, ignore_errors=True)
    try:
        if adapter:
            save_adapter(model, hidden)
        else:
            model.config.use_cache = True  # Trainer switches it off for training
            model.save_pretrained(hidden)
            for name in TOKENIZER_FILES:
                if (model_folder / name).is_file():
                    shutil.copyfile(model_folder / name, hidden / name)
        for file in hidden.iterdir():
            file.chmod(0o644)  # PEFT writes its weights for the owner only
        if final.exists():
            shutil.rmtree(final)
        hidden.rename(final)
    except BaseException:
        shutil.rmtree(hidden, ignore_errors=True)
        raise
    return final


def weight_bytes(result: Path | None) -> int | None:
    """Bytes of the result's weights; None where there is no result."""
    if result is None:
        return None
    return sum(file.stat().st_size for pattern in WEIGHTS for file in result.glob(pattern))


def find_versions(recipe: Recipe) -> dict[str, str]:
    """The versions that made the run."""
    names = ["workbench", "torch", "transformers", "peft", "accelerate"]
    if recipe.method.name == "qlora" or "8bit" in recipe.training.optimizer or "paged" in recipe.training.optimizer:
        names.append("bitsandbytes")
    found = {"python": platform.python_version()}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def write_facts(folder: RunFolder, facts: dict[str, Any]) -> None:
    """Put down what comparisons, documents and the report read."""
    write_json_atomically(folder.path / "facts.json", facts)


def write_card(result: Path, recipe: Recipe, facts: dict[str, Any], report: dict[str, Any]) -> None:
    """Write the result's model card."""
    plain = opens_with_peft(result, recipe)
    card = model_card(recipe, facts, report, adapter=result.name == "adapter", plain=plain)
    write_text_atomically(result / "README.md", card)


def model_card(recipe: Recipe, facts: dict[str, Any], report: dict[str, Any], adapter: bool, plain: bool = True) -> str:
    """What was made, from which base, on which data, by which method, and how good it is, as Markdown.

    `plain` says whether PEFT alone loads the adapter.
    """
    place = locate_model(recipe.model.path, needs_weights=False)
    method = recipe.method.facts
    kind = "adapter" if adapter else "model"
    head = ["---", f"library_name: {'peft' if adapter else 'transformers'}", "pipeline_tag: text-generation"]
    if place.kind == "hub":
        head += [f"base_model: {place.name}"]
    head += ["tags:", "- workbench", f"- {method.name}", "---"]
    rows = [
        ("Base model", place.name),
        (
            "Data",
            f"{recipe.data.source}: {count_text(facts['rows'])} rows, {count_text(facts['held_out_rows'])} held out",
        ),
        ("Template", str(report.get("template", ""))),
        ("Loss on", recipe.data.train_on.replace("_", " ")),
        ("Method", f"{method.title} ({method.paper})"),
        ("Trainable parameters", f"{count_text(facts['trainable_parameters'])} ({share_text(facts['share'])})"),
        (
            "Steps",
            f"{count_text(facts['steps'])} of {recipe.training.effective_batch} rows, seed {recipe.training.seed}",
        ),
        ("Tokens", f"{count_text(facts['tokens'])}, of which {count_text(facts['trained_tokens'])} with a loss"),
        ("Time", f"{seconds_text(facts['seconds'])} on {facts['device']}, in {facts['precision']}"),
    ]
    figures = [
        ("held-out loss", loss_text(facts["base_loss"]), loss_text(facts["held_out_loss"])),
        (
            f"exact match of {count_text(facts['scored'] or 0)} held-out answers",
            share_text(facts["base_score"]),
            share_text(facts["score"]),
        ),
    ]
    lines = [*head, "", f"# {facts['run']}", "", f"A fine-tuned {kind} of {place.name}, made with Workbench.", ""]
    lines += ["| | |", "|---|---|", *(f"| {name} | {_cell(value)} |" for name, value in rows), ""]
    lines += [
        "| | base | tuned |",
        "|---|---:|---:|",
        *(f"| {name} | {base} | {tuned} |" for name, base, tuned in figures),
    ]
    lines += ["", "## Use", "", "```python", *_use(adapter, recipe, plain), "```", ""]
    lines += [
        "Give it prompts in the template above; the same text without it is not what was trained on.",
        "It knows what its base knew and its data said, and may be wrong about anything else.",
        "",
        "## Recipe",
        "",
        "```yaml",
        recipe_to_yaml(recipe).rstrip(),
        "```",
    ]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _use(adapter: bool, recipe: Recipe, plain: bool) -> list[str]:
    if adapter and not plain:
        imports, opening = opening_lines("adapter", recipe, plain)
        name = locate_model(recipe.model.path, needs_weights=False).name
        base = f"base = AutoModelForCausalLM.from_pretrained({name!r})"
        return ["from transformers import AutoModelForCausalLM", *imports, "", base, f"model = {opening}"]
    if adapter:
        return [
            "from peft import AutoPeftModelForCausalLM",
            "",
            'model = AutoPeftModelForCausalLM.from_pretrained("adapter")',
        ]
    return [
        "from transformers import AutoModelForCausalLM, AutoTokenizer",
        "",
        'model = AutoModelForCausalLM.from_pretrained("model")',
        'tokenizer = AutoTokenizer.from_pretrained("model")',
    ]
