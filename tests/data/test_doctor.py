"""What the doctor finds, counts and names, and what its remedies do."""

import json

import pytest

from workbench.core.data.checks.doctor import is_personal, passes_luhn, script_of
from workbench.core.data.checks.languages import language_of
from workbench.core.data.clean import save_clean
from workbench.core.data.dataset import prepare_data
from workbench.core.data.files.sources import read_table
from workbench.core.data.inspect import inspect_data, page_rows
from workbench.core.errors import UserError
from workbench.core.places import tiny_folder
from workbench.core.recipe import Recipe, change_recipe

LONG = "the quick brown fox jumps over the lazy dog and then it goes home to sleep until the next morning"
GOOD = [
    {"instruction": f"Question {number} of many, and what is it for?", "output": f"It is the answer number {number}."}
    for number in range(40)
]


def recipe_for(tmp_path, rows, **settings):
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    changes = {key.replace("__", "."): value for key, value in settings.items()}
    return change_recipe(Recipe(), {"data.source": str(file), **changes})


def findings(recipe):
    return {finding["kind"]: finding for finding in inspect_data(recipe, tiny_folder())["findings"]}


@pytest.mark.parametrize(
    ("kind", "row"),
    [
        ("repeats_prompt", {"instruction": "Say this again.", "output": "Say this again."}),
        ("one_word", {"instruction": "Colour?", "output": "red"}),
        ("encoding", {"instruction": "CafÃ© open?", "output": "Yes it is."}),
        ("encoding", {"instruction": "Caf\ufffd open?", "output": "Yes it is."}),
        ("other_script", {"instruction": "Где находится столица?", "output": "Столица находится в Москве."}),
        (
            "other_language",
            {
                "instruction": "Was ist die größte Stadt?",
                "output": "Das ist nicht leicht zu sagen, und es ist auch eine Frage der Zeit.",
            },
        ),
        ("outlier", {"instruction": "Long?", "output": f"{LONG} " * 12}),
        ("secret", {"instruction": "Key?", "output": "It is AKIAABCDEFGHIJKLMNOP I think."}),
        ("secret", {"instruction": "Key?", "output": "-----BEGIN RSA PRIVATE KEY----- and so on"}),
        ("personal", {"instruction": "Mail?", "output": "Write to ann.lee@example.org please."}),
        ("personal", {"instruction": "Card?", "output": "Mine is 4111 1111 1111 1111 today."}),
        ("personal", {"instruction": "Phone?", "output": "Call +44 20 7946 0958 now."}),
        ("personal", {"instruction": "Account?", "output": "Pay to DE89 3704 0044 0532 0130 00 today."}),
        ("control_token", {"instruction": "What is <|endoftext|> for?", "output": "It ends a text."}),
        ("escape_sequence", {"instruction": "Clear \x1b[2J it", "output": "Done and dusted."}),
        ("duplicate", GOOD[0]),
        ("no_answer", {"instruction": "a", "output": ""}),
        ("too_long", {"instruction": "Long?", "output": f"{LONG} " * 300}),
    ],
)
def test_a_row_is_found_with_its_number_and_a_remedy(tmp_path, kind, row):
    clean = findings(recipe_for(tmp_path, GOOD, data__held_out=0.0))
    assert kind not in clean
    found = findings(recipe_for(tmp_path, [*GOOD, row], data__held_out=0.0))[kind]
    assert (found["count"], found["rows"]) == (1, [40])
    if kind != "no_answer":
        recipe = recipe_for(tmp_path, [*GOOD, row], data__held_out=0.0)
        assert kind not in findings(change_recipe(recipe, found["fix"]["settings"]))


def test_near_duplicates_are_found_and_can_be_left_out(tmp_path):
    rows = [
        *GOOD,
        {"instruction": "Tell", "output": f"{LONG} again"},
        {"instruction": "Tell", "output": f"{LONG} again today"},
    ]
    recipe = recipe_for(tmp_path, rows, data__held_out=0.0)
    assert findings(recipe)["near_duplicate"]["rows"] == [41]
    prepared = prepare_data(change_recipe(recipe, {"data.leave_out": ["near_duplicate"]}), tiny_folder())
    assert [item.row for item in prepared.train] == list(range(41))
    assert prepared.report["left_out"] == {"near_duplicate": 1}


def test_a_leak_is_found_within_a_source_and_across_files_and_clusters_mend_it(tmp_path):
    rows = [
        {"instruction": f"Ask {number // 2}?", "output": f"{LONG} {number // 2} {'twice' * (number % 2)}"}
        for number in range(40)
    ]
    recipe = recipe_for(tmp_path, rows, data__held_out=0.25)
    leak = findings(recipe)["leak"]
    assert leak["count"] > 0
    mended = change_recipe(recipe, leak["fix"]["settings"])
    assert "leak" not in findings(mended)
    assert 6 <= len(prepare_data(mended, tiny_folder()).held_out) <= 12
    other = tmp_path / "held.jsonl"
    near = {"instruction": "Quite another question?", "output": f"{LONG} {LONG} 1"}
    other.write_text(json.dumps(rows[0]) + "\n" + json.dumps({"instruction": "New?", "output": "Never seen."}) + "\n")
    found = findings(change_recipe(recipe, {"data.held_out": str(other)}))["leak"]
    assert (found["count"], found["rows"]) == (1, [0])
    other.write_text(json.dumps({**rows[0], "output": rows[0]["output"] + " indeed"}) + "\n" + json.dumps(near) + "\n")
    assert findings(change_recipe(recipe, {"data.held_out": str(other)}))["leak"]["rows"] == [0]


def test_uneven_labels_are_told(tmp_path):
    rows = [{"instruction": f"Review {number}?", "output": "good" if number % 20 else "bad"} for number in range(200)]
    found = findings(recipe_for(tmp_path, rows))["label_imbalance"]
    assert found["count"] == 10
    assert "95%" in found["sentence"]
    assert found["fix"]["settings"] == {"data.held_out_by": "output"}
    even = prepare_data(change_recipe(recipe_for(tmp_path, rows), found["fix"]["settings"]), tiny_folder())
    assert sum(row["output"] == "bad" for row in (rows[item.row] for item in even.held_out)) == 1
    even = [{**row, "output": "good" if number % 2 else "bad"} for number, row in enumerate(rows)]
    assert "label_imbalance" not in findings(recipe_for(tmp_path, even))


def test_a_dropped_system_message_and_a_foreign_template_are_told(tmp_path):
    template = tmp_path / "own.jinja"
    template.write_text(
        "{% for m in messages %}{% if m.role != 'system' %}{{ m.content }}{% if m.role == 'assistant' %}<|endoftext|>{% endif %}\n{% endif %}{% endfor %}"
    )
    rows = [
        {
            "messages": [
                {"role": "system", "content": "Be brief."},
                *({"role": role, "content": f"{role} {number}"} for role in ("user", "assistant")),
            ]
        }
        for number in range(5)
    ]
    found = findings(recipe_for(tmp_path, rows, data__template=str(template), data__held_out=0.0))
    assert found["dropped_turn"]["count"] == 5
    assert found["foreign_template"]["count"] == 5


def test_a_template_whose_end_token_is_not_in_the_mask_is_told(tmp_path):
    template = tmp_path / "endless.jinja"
    template.write_text("{% for m in messages %}{{ m.content }}\n{% endfor %}{% if add_generation_prompt %}{% endif %}")
    found = findings(recipe_for(tmp_path, GOOD, data__template=str(template), data__held_out=0.0))
    assert found["no_end_token"]["count"] == 40


def test_rows_that_the_template_refuses_are_left_out_and_counted(tmp_path):
    template = tmp_path / "strict.jinja"
    template.write_text(
        "{% for m in messages %}{% if 'bad' in m.content %}{{ raise_exception('no') }}{% endif %}{{ m.content }}<|endoftext|>{% endfor %}"
    )
    rows = [*GOOD, {"instruction": "a bad one", "output": "b"}]
    recipe = recipe_for(tmp_path, rows, data__template=str(template), data__held_out=0.0)
    assert findings(recipe)["refused"]["rows"] == [40]
    with pytest.raises(UserError, match="Row 1: The chat template"):
        prepare_data(recipe_for(tmp_path, rows[-1:], data__template=str(template)), tiny_folder())


def test_the_cleaned_set_is_saved_and_the_source_stays(tmp_path):
    rows = [*GOOD, GOOD[0], {"instruction": "Mail?", "output": "a.b@example.org it is", "extra": [1]}]
    recipe = recipe_for(tmp_path, rows, data__duplicates="first", data__leave_out=["personal", 3])
    before = (tmp_path / "rows.jsonl").read_bytes()
    for name in ("clean.jsonl", "clean.parquet"):
        saved = save_clean(recipe, tiny_folder(), tmp_path / name)
        assert (saved["rows"], saved["source_rows"]) == (39, 42)
        found = [
            {key: value for key, value in row.items() if value is not None}
            for row in read_table(str(tmp_path / name)).rows
        ]
        assert found == [row for number, row in enumerate(GOOD) if number != 2]
        with pytest.raises(UserError, match="already"):
            save_clean(recipe, tiny_folder(), tmp_path / name)
    assert (tmp_path / "rows.jsonl").read_bytes() == before


def test_a_page_says_which_rows_the_recipe_leaves_out(tmp_path):
    recipe = recipe_for(
        tmp_path, GOOD, data__leave_out=[2], data__filter='row["instruction"].startswith("Question 4 ") == False'
    )
    problems = [row["problem"] for row in page_rows(recipe, tiny_folder(), 0, 6)["rows"]]
    assert problems == [None, "data.leave_out names it", None, None, "it does not pass data.filter", None]


@pytest.mark.parametrize(
    "text",
    [
        "Order 1234567890123456",
        "The years 1990 to 1999, page 123.",
        "3.14159265358979",
        "2024-01-31 12:30:45",
        "a @ b",
        "user@host",
        "ISBN 9783161484100 is a book",
    ],
)
def test_numbers_that_are_nobodys_are_left_alone(text):
    assert not is_personal(text)


def test_check_digits_and_scripts():
    assert passes_luhn("4111111111111111")
    assert not passes_luhn("4111111111111112")
    assert not passes_luhn("0000000000000000")
    assert [
        script_of(text)
        for text in ("Hello there", "Привет, как дела", "こんにちは世界です", "你好世界今天天气很好", "123")
    ] == ["Latin", "Cyrillic", "Japanese", "Chinese", ""]


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("What is the capital of France, and which river is it on?", "English"),
        ("Der Hund ist nicht auf dem Sofa, und die Katze auch nicht.", "German"),
        ("Le chat est dans la maison et les enfants sont avec lui pour la nuit.", "French"),
        ("El perro está en la casa y los niños son muy buenos, pero también el gato.", "Spanish"),
        ("Il gatto è nella casa della nonna, ma non sono sicuro che anche gli altri lo siano.", "Italian"),
        ("O gato não está em casa, mas os cães são mais do que uma boa companhia.", "Portuguese"),
        ("Het is niet de bedoeling dat een hond op de bank zit, en ook niet voor de deur van het huis.", "Dutch"),
        ("Det är inte bra att katten och hunden är på soffan.", "Swedish"),
        ("To nie jest dobre, że pies jest na kanapie i się bawi.", "Polish"),
        ("Kedi bir evde, köpek ve kuş için daha çok yer var, bu gibi değil.", "Turkish"),
        ("", ""),
        ("Paris", ""),
        ("for x in range(10): print(x)", ""),
        ("SELECT name FROM users WHERE id = 3", ""),
        ("Translate into German: good morning", ""),
    ],
)
def test_a_language_is_told_by_its_commonest_words_or_not_at_all(text, language):
    assert language_of(text) == language


@pytest.mark.parametrize("name", ["capitals", "facts"])
def test_the_bundled_samples_are_all_in_one_language(name):
    assert "other_language" not in findings(change_recipe(Recipe(), {"data.source": name}))
