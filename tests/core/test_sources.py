"""Reading rows: every kind of file, and every kind of broken file."""

import gzip
import json

import pyarrow
import pyarrow.feather
import pyarrow.parquet
import pytest

from workbench.core.data.conversations.formats import detect_format, read_conversations
from workbench.core.data.files.sources import read_table
from workbench.core.errors import UserError
from workbench.core.places import sample_folder

ROWS = [{"instruction": "Say a.", "output": "a"}, {"instruction": "Say ü.", "output": "ü"}]


def _write(folder, kind):
    file = folder / f"rows{kind}"
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS)
    if kind == ".json":
        file.write_text(json.dumps(ROWS), encoding="utf-8")
    elif kind == ".jsonl":
        file.write_text(text, encoding="utf-8")
    elif kind == ".jsonl.gz":
        file.write_bytes(gzip.compress(text.encode()))
    elif kind == ".jsonl.zst":
        with pyarrow.CompressedOutputStream(str(file), "zstd") as stream:
            stream.write(text.encode())
    elif kind in (".csv", ".tsv"):
        mark = "," if kind == ".csv" else "\t"
        file.write_text(
            "\n".join(mark.join(row) for row in [ROWS[0], *(row.values() for row in ROWS)]), encoding="utf-8"
        )
    elif kind == ".parquet":
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(ROWS), file)
    elif kind == ".arrow":
        pyarrow.feather.write_feather(pyarrow.Table.from_pylist(ROWS), file, compression="uncompressed")
    return file


KINDS = [".json", ".jsonl", ".jsonl.gz", ".jsonl.zst", ".csv", ".tsv", ".parquet", ".arrow"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_rows_are_read_from_every_kind_of_file(tmp_path, kind):
    assert read_table(str(_write(tmp_path, kind))).rows[:] == ROWS


def test_a_folder_is_read_file_by_file(tmp_path):
    for kind in KINDS:
        _write(tmp_path, kind)
    assert len(read_table(str(tmp_path)).rows) == len(KINDS) * len(ROWS)


@pytest.mark.parametrize("start", [b"\xef\xbb\xbf", b""])
def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path, start):
    (tmp_path / "x.csv").write_bytes(start + b"prompt,completion\r\na,b\r\n")
    assert read_table(str(tmp_path / "x.csv")).columns == ("prompt", "completion")


def test_utf_16_is_read(tmp_path):
    (tmp_path / "x.jsonl").write_bytes(json.dumps(ROWS[1], ensure_ascii=False).encode("utf-16"))
    assert read_table(str(tmp_path / "x.jsonl")).rows[:] == [ROWS[1]]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("x.jsonl", b"", "empty"),
        ("x.json", b"[]", "no rows"),
        ("x.jsonl", b'{"a": 1}\n{"a": \n{"a": 2}\n', "line 2"),
        ("x.json", b'[{"a": 1}, {"a"', "not valid JSON"),
        ("x.jsonl", b"[1, 2]\n", "a row is an object"),
        ("x.jsonl", b"7\n", "a row is an object"),
        ("x.json", b"3", "not a list of rows"),
        ("x.parquet", b"PAR1 but no more", "not a whole .parquet file"),
        ("x.arrow", b"nonsense", "not a whole .arrow file"),
        ("x.csv", b"only\none\n", "only one column"),
        ("x.csv", b"a,b\n1,2,3\n", "line 2"),
        ("x.csv", b'a,b\n"1,2\n', "line 2"),
        ("x.csv", b"a,b\n\0,1\n", "NUL"),
        ("x.jsonl", b'\xff\xfa{"a": 1}', "not UTF-8"),
        ("x.jsonl.gz", b"not gzip", "not a whole gzip"),
        ("x.xlsx", b"PK", "not a kind of file"),
        ("x.jsonl", b"PAR1....", "Parquet"),
        ("x.json", b"[" * 100_000, "not valid JSON|nested too deeply"),
    ],
)
def test_a_broken_file_is_refused_in_one_sentence_that_names_it(tmp_path, name, content, says):
    file = tmp_path / name
    file.write_bytes(content)
    with pytest.raises(UserError, match=says) as refused:
        read_table(str(file))
    assert "\n" not in refused.value.sentence
    assert name in refused.value.sentence


def test_a_missing_source_names_the_samples_there_are():
    with pytest.raises(UserError, match="capitals"):
        read_table("no-such-thing")


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(UserError, match="no data file"):
        read_table(str(tmp_path))


@pytest.mark.parametrize("file", sorted(path.name for path in (sample_folder() / "formats").iterdir()))
def test_the_bundled_formats_are_detected_and_say_the_same(file):
    table = read_table(str(sample_folder() / "formats" / file))
    form = detect_format(table)
    conversations = read_conversations(table, form)
    assert all(item.problem is None for item in conversations)
    if form.name == "text":
        return
    reference = read_table(str(sample_folder() / "formats" / "messages.jsonl"))
    expected = read_conversations(reference, detect_format(reference))
    assert [item.messages for item in conversations] == [item.messages for item in expected]


def test_columns_that_no_format_knows_ask_for_a_mapping_and_take_it(tmp_path):
    file = tmp_path / "x.jsonl"
    file.write_text('{"frage": "Wer?", "antwort": "Ich."}\n')
    table = read_table(str(file))
    with pytest.raises(UserError, match=r"data\.mapping"):
        detect_format(table)
    form = detect_format(table, mapping={"prompt": "frage", "answer": "antwort"})
    assert [message.content for message in read_conversations(table, form)[0].messages] == ["Wer?", "Ich."]
    with pytest.raises(UserError, match="nichts"):
        detect_format(table, mapping={"prompt": "nichts", "answer": "antwort"})


def test_the_best_ranked_reply_is_followed_through_an_oasst_tree(tmp_path):
    rows = [
        {"message_id": "1", "parent_id": None, "role": "prompter", "text": "Hi", "rank": None},
        {"message_id": "2", "parent_id": "1", "role": "assistant", "text": "worse", "rank": 1},
        {"message_id": "3", "parent_id": "1", "role": "assistant", "text": "better", "rank": 0},
        {"message_id": "4", "parent_id": "3", "role": "prompter", "text": "unanswered", "rank": None},
    ]
    file = tmp_path / "tree.json"
    file.write_text(json.dumps(rows))
    table = read_table(str(file))
    conversations = read_conversations(table, detect_format(table))
    assert [[message.content for message in item.messages] for item in conversations] == [["Hi", "better"]]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"instruction": "a", "output": ""}, "it has no answer"),
        ({"instruction": "a", "output": None}, "it has no answer"),
        ({"instruction": " ", "output": "b"}, "it has no prompt"),
    ],
)
def test_a_row_without_prompt_or_answer_says_so_and_is_not_trained_on(tmp_path, row, problem):
    file = tmp_path / "x.json"
    file.write_text(json.dumps([row, {"instruction": "a", "output": "b"}]))
    table = read_table(str(file))
    conversations = read_conversations(table, detect_format(table))
    assert [item.problem for item in conversations] == [problem, None]
