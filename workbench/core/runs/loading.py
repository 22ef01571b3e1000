"""How a run's result is loaded with plain Transformers and PEFT: code that runs as it stands."""

from __future__ import annotations

from pathlib import Path

from workbench.core.data.templates.render import BUILT_IN, choose_template
from workbench.core.data.tokens.tokenizer import open_tokenizer
from workbench.core.errors import UserError
from workbench.core.files import read_json
from workbench.core.methods.shared_knobs import FULL_PRECISION
from workbench.core.recipe import Recipe

OWN_KINDS = ("BOTTLENECK", "BITFIT", "ADAPTION_PROMPT")
"""Kinds that plain PEFT does not have, or not for every model that we train them on."""


def opens_with_peft(adapter: Path, recipe: Recipe | None = None) -> bool:
    """Whether plain PEFT loads the adapter in that folder; a kind of ours, or of the user's own, it has not."""
    config = read_json(adapter / "adapter_config.json")
    own = isinstance(config, dict) and config.get("peft_type") in OWN_KINDS
    return not own and not (recipe is not None and recipe.method.knobs.get("module"))


def opening_lines(adapter: str, recipe: Recipe, plain: bool) -> tuple[list[str], str]:
    """Imports that opening an adapter on a `base` needs, and the expression that does it."""
    if plain:
        return ["from peft import PeftModel"], f"PeftModel.from_pretrained(base, {adapter!r})"
    module = recipe.method.knobs.get("module")
    lines = ["from pathlib import Path", ""]
    if module:
        lines += ["from workbench.engine import tuners"]
    lines += ["from workbench.engine.methods.stored import open_adapter  # PEFT alone has not this kind"]
    if module:
        lines += ["", f"tuners.open_module({str(module)!r})"]
    return lines, f"open_adapter(base, Path({adapter!r}))"


def loading_code(recipe: Recipe, result: Path, precision: str, question: str) -> str:
    """Python that loads the adapter or model in `result`, in its training precision, and asks it `question`."""
    config = read_json(result / "adapter_config.json")
    if isinstance(config, dict):
        base = str(config.get("base_model_name_or_path") or recipe.model.path)
        lines, place = _adapter(recipe, result, base, precision), Path(base)
    else:
        lines, place = _model(result, precision), result
    template = _foreign_template(recipe, place)
    if template is not None:
        lines.append(f"tokenizer.chat_template = {template!r}")
    return "\n".join([*lines, *_question(question)]) + "\n"


def _model(result: Path, precision: str) -> list[str]:
    return [
        "from transformers import AutoModelForCausalLM, AutoTokenizer",
        "",
        f"folder = {str(result)!r}",
        f"model = AutoModelForCausalLM.from_pretrained(folder, dtype={precision!r})",
        "tokenizer = AutoTokenizer.from_pretrained(folder)",
    ]


def _adapter(recipe: Recipe, result: Path, base: str, precision: str) -> list[str]:
    names, options, quantised = "AutoModelForCausalLM, AutoTokenizer", f"dtype={precision!r}", []
    revision = f", revision={recipe.model.revision!r}" if recipe.model.revision and not Path(base).exists() else ""
    if recipe.method.knobs.get("quantisation", FULL_PRECISION) != FULL_PRECISION:
        names += ", BitsAndBytesConfig"
        options += ", quantization_config=quantised"
        quantised = [f"quantised = BitsAndBytesConfig({_quantisation(recipe, precision)})"]
    imports, opening = opening_lines(str(result), recipe, opens_with_peft(result, recipe))
    return [
        f"from transformers import {names}",
        *imports,
        "",
        *quantised,
        f"base = AutoModelForCausalLM.from_pretrained({base!r}, {options}{revision})",
        f"model = {opening}",
        f"tokenizer = AutoTokenizer.from_pretrained({base!r}{revision})",
    ]


def _foreign_template(recipe: Recipe, place: Path) -> str | None:
    """The source of the chat template that was trained with, where it is not the one of the tokenizer in `place`."""
    choice = recipe.data.template
    if not (place / "tokenizer.json").is_file():
        return BUILT_IN.get(choice)
    try:
        tokenizer = open_tokenizer(place)
        template = choose_template(tokenizer, choice)
        if template.name == "own":
            return None
        bos = "{{ bos_token }}" if tokenizer.adds_bos and "bos_token" not in template.source else ""
    except UserError:
        return None
    return bos + template.source


def _quantisation(recipe: Recipe, precision: str) -> str:
    knobs = recipe.method.knobs
    if knobs["quantisation"] == "int8":
        return "load_in_8bit=True"
    return (
        f"load_in_4bit=True, bnb_4bit_quant_type={knobs['quantisation']!r}, "
        f"bnb_4bit_use_double_quant={knobs['double_quantisation']!r}, bnb_4bit_compute_dtype={precision!r}"
    )


def _question(question: str) -> list[str]:
    return [
        "",
        f'question = [{{"role": "user", "content": {question!r}}}]',
        "prompt = tokenizer.apply_chat_template(",
        '    question, add_generation_prompt=True, return_tensors="pt", return_dict=True',
        ")",
        "answer = model.generate(**prompt, max_new_tokens=40, do_sample=False)[0, prompt['input_ids'].shape[1] :]",
        "print(tokenizer.decode(answer, skip_special_tokens=True))",
    ]
