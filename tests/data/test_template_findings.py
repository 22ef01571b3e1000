"""What a chat template does wrong to the data, or to the model, comes out as a finding with a remedy."""

import json

import pytest
import tokenizers

from workbench.core.data.inspect import inspect_data
from workbench.core.places import tiny_folder
from workbench.core.recipe import Recipe, change_recipe

SYSTEM = [
    {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": f"Ask {n}?"},
                  {"role": "assistant", "content": f"Answer {n}."}]}
    for n in range(6)
]  # fmt: skip
PLAIN = [{"instruction": f"Ask {n}?", "output": f"Answer {n}."} for n in range(6)]


def model_folder(folder, template=None, tokens=(), bos=None):
    """The bundled model's tokenizer as that of a base model: with another template or none, and more tokens."""
    backend = tokenizers.Tokenizer.from_file(str(tiny_folder() / "tokenizer.json"))
    backend.add_special_tokens([*tokens, *([bos] if bos else [])])
    backend.save(str(folder / "tokenizer.json"))
    config = json.loads((tiny_folder() / "tokenizer_config.json").read_text())
    config.pop("chat_template", None)
    if bos:
        config["bos_token"] = bos
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    if template:
        (folder / "chat_template.jinja").write_text(template)
    return folder


def findings(tmp_path, rows, folder, **settings):
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    changes = {f"data.{key}": value for key, value in settings.items()}
    recipe = change_recipe(Recipe(), {"data.source": str(file), "data.held_out": 0.0, **changes})
    return {item["kind"]: item for item in inspect_data(recipe, folder)["findings"]}, recipe


def mended(tmp_path, rows, folder, recipe, finding):
    settings = {key.partition(".")[2]: value for key, value in finding["fix"]["settings"].items()}
    return findings(tmp_path, rows, folder, **settings)[0]


@pytest.mark.parametrize("name", ["chatml", "alpaca", "llama3", "gemma", "mistral", "phi", "plain", "bare"])
def test_a_template_that_is_not_the_models_own_is_told_and_one_step_takes_the_own(tmp_path, name):
    found, recipe = findings(tmp_path, PLAIN, tiny_folder(), template=name)
    assert found["foreign_template"]["severity"] == "warning"
    assert found["foreign_template"]["count"] == 6
    assert "foreign_template" not in mended(tmp_path, PLAIN, tiny_folder(), recipe, found["foreign_template"])


def test_the_models_own_template_brings_no_finding_of_its_kind(tmp_path):
    assert findings(tmp_path, PLAIN, tiny_folder())[0] == {}


def test_a_base_model_without_a_template_is_told(tmp_path):
    found, _ = findings(tmp_path, PLAIN, model_folder(tmp_path))
    assert "no chat template" in found["no_template"]["sentence"]
    assert set(found) == {"no_template"}


@pytest.mark.parametrize(
    ("name", "end"), [("chatml", "<|im_end|>"), ("llama3", "<|eot_id|>"), ("gemma", "<end_of_turn>"), ("phi", "<|end|>")]
)  # fmt: skip
def test_an_end_token_that_the_model_does_not_know_or_was_never_trained_on_is_told(tmp_path, name, end):
    without = model_folder(tmp_path)
    found, recipe = findings(tmp_path, PLAIN, without, template=name)
    assert f"ends an answer with {end}, which is no token of this model" in found["unknown_end_token"]["sentence"]
    assert not {"unknown_end_token", "no_end_token"} & set(
        mended(tmp_path, PLAIN, without, recipe, found["unknown_end_token"])
    )
    reserved = model_folder(tmp_path, tokens=[end])
    found, recipe = findings(tmp_path, PLAIN, reserved, template=name)
    assert "never been trained on" in found["untrained_end_token"]["sentence"]
    assert "no_end_token" not in found
    assert "untrained_end_token" not in mended(tmp_path, PLAIN, reserved, recipe, found["untrained_end_token"])
    trained = model_folder(tmp_path, "{{ messages[0].content }}", tokens=[end])
    assert "untrained_end_token" not in findings(tmp_path, PLAIN, trained, template=name)[0]


def test_an_end_token_that_is_missing_from_the_mask_is_told(tmp_path):
    outside = (
        "{% for m in messages %}{% if m.role == 'assistant' %}{% generation %}{{ m.content }}{% endgeneration %}"
        "<|endoftext|>{% else %}{{ m.content }}\n{% endif %}{% endfor %}"
    )
    found, _ = findings(tmp_path, PLAIN, model_folder(tmp_path, outside))
    assert found["no_end_token"]["count"] == 6
    assert "no_end_token" not in findings(tmp_path, PLAIN, model_folder(tmp_path, outside.replace("{% endgeneration %}<|endoftext|>", "<|endoftext|>{% endgeneration %}")))[0]  # fmt: skip


def test_a_start_token_that_comes_twice_is_told(tmp_path):
    twice = "{{ bos_token }}{{ bos_token }}{% for m in messages %}{{ m.content }}<|endoftext|>{% endfor %}"
    found, _ = findings(tmp_path, PLAIN, model_folder(tmp_path, twice, bos="<s>"))
    assert found["bos_twice"]["count"] == 6
    once = twice.replace("{{ bos_token }}", "", 1)
    assert "bos_twice" not in findings(tmp_path, PLAIN, model_folder(tmp_path, once, bos="<s>"))[0]


def test_a_start_token_in_the_text_itself_comes_once(tmp_path):
    rows = [{"text": f"<s>Once upon a time, {n}."} for n in range(6)]
    assert "bos_twice" not in findings(tmp_path, rows, model_folder(tmp_path, bos="<s>"))[0]


def test_a_system_message_that_the_template_drops_is_told(tmp_path):
    drops = (
        "{% for m in messages if m.role != 'system' %}{{ m.content }}"
        "{% if m.role == 'assistant' %}<|endoftext|>{% endif %}\n{% endfor %}"
    )
    found, _ = findings(tmp_path, SYSTEM, model_folder(tmp_path, drops))
    assert found["dropped_turn"]["count"] == 6
    for name in ("own", "chatml", "gemma", "mistral"):
        assert "dropped_turn" not in findings(tmp_path, SYSTEM, tiny_folder(), template=name)[0]
