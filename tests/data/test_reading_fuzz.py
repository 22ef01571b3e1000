"""Whatever stands in a file: rows, or one sentence; never another exception, never a hang."""

import gzip
import json
import os

import pyarrow
import pyarrow.parquet
import pytest
from hostile_files import HOSTILE
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workbench.core.data.conversations.formats import detect_format, read_conversations
from workbench.core.data.files.sources import read_table
from workbench.core.data.inspect import inspect_data, page_rows
from workbench.core.data.search import search_rows
from workbench.core.errors import UserError
from workbench.core.places import tiny_folder
from workbench.core.recipe import Recipe, change_recipe

SUFFIXES = (
    ".json",
    ".jsonl",
    ".csv",
    ".tsv",
    ".txt",
    ".parquet",
    ".arrow",
    ".jsonl.gz",
    ".csv.zst",
    ".jsonl.zst",
    ".md",
)
SETTINGS = settings(max_examples=150, deadline=5000, suppress_health_check=list(HealthCheck), derandomize=True)


def read_all(file, skip=False):
    """Every row of a file as a conversation, or the sentence that refuses it."""
    try:
        table = read_table(str(file), skip_bad=skip)
        rows = list(table.rows)
        assert all(isinstance(row, dict) for row in rows)
        return list(read_conversations(table, detect_format(table)))
    except UserError as error:
        assert error.sentence
        assert "Traceback" not in error.sentence
        return error.sentence


def json_values():
    texts = st.text(max_size=20) | st.sampled_from(["\ud800", "\x1b[31m", "[bold]", "<|im_end|>", "\0", "\ufdd0", "🦊"])
    leaves = st.none() | st.booleans() | st.integers() | st.floats() | texts
    keys = st.sampled_from(
        [
            "instruction",
            "output",
            "messages",
            "conversations",
            "role",
            "content",
            "from",
            "value",
            "text",
            "weight",
            "tools",
            "prompt",
            "completion",
            "parent_id",
            "message_id",
            "tool_calls",
        ]
    )
    return st.recursive(
        leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=5), max_leaves=20
    )


def packed(content, name):
    return gzip.compress(content) if name.endswith(".gz") else content


@SETTINGS
@given(content=st.binary(max_size=400), suffix=st.sampled_from(SUFFIXES), skip=st.booleans())
def test_any_bytes_under_any_name(tmp_path_factory, content, suffix, skip):
    file = tmp_path_factory.mktemp("bytes") / f"x{suffix}"
    file.write_bytes(content)
    read_all(file, skip)


@SETTINGS
@given(values=st.lists(json_values(), max_size=6), suffix=st.sampled_from([".json", ".jsonl"]), skip=st.booleans())
def test_any_json_as_rows(tmp_path_factory, values, suffix, skip):
    file = tmp_path_factory.mktemp("json") / f"x{suffix}"
    text = json.dumps(values) if suffix == ".json" else "\n".join(map(json.dumps, values))
    file.write_text(text, encoding="utf-8")
    read_all(file, skip)


@SETTINGS
@given(
    rows=st.lists(st.dictionaries(st.sampled_from(["instruction", "output", "text"]), st.text(max_size=30), min_size=1), min_size=1, max_size=5),
    suffix=st.sampled_from([".jsonl", ".jsonl.gz", ".parquet", ".csv"]),
    place=st.floats(0, 1), change=st.integers(1, 255), cut=st.booleans(),
)  # fmt: skip
def test_a_good_file_with_one_byte_changed_or_its_end_missing(tmp_path_factory, rows, suffix, place, change, cut):
    folder = tmp_path_factory.mktemp("damaged")
    file = folder / f"x{suffix}"
    if suffix == ".parquet":
        rows = [{key: value.encode("utf-8", "replace").decode() for key, value in row.items()} for row in rows]
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), file)
        content = bytearray(file.read_bytes())
    else:
        content = bytearray(packed("\n".join(json.dumps(row) for row in rows).encode("utf-8", "replace"), file.name))
    at = int(place * (len(content) - 1))
    if cut:
        del content[at:]
    else:
        content[at] ^= change
    file.write_bytes(content)
    read_all(file)


@pytest.mark.parametrize(("name", "content"), HOSTILE, ids=lambda value: value if isinstance(value, str) else "")
@pytest.mark.timeout(120)
def test_a_hostile_file_is_rows_or_a_sentence(tmp_path, name, content):
    file = tmp_path / name
    file.write_bytes(content)
    found = read_all(file)
    assert found, "an empty file is refused, never nothing"
    read_all(file, skip=True)
    large = len(content) > 1_000_000 or name.startswith("bomb")  # five million letters take the tokenizer seconds
    for skip in ("stop",) if large else ("stop", "skip"):
        recipe = change_recipe(Recipe(), {"data.source": str(file), "data.on_bad_row": skip})
        for look in (
            lambda recipe: page_rows(recipe, tiny_folder(), 0, 5),
            lambda recipe: search_rows(recipe, "b"),
            lambda recipe: {} if large else inspect_data(recipe, tiny_folder(), masks=1),
        ):
            try:
                json.dumps(look(recipe))
            except UserError as error:
                assert "\n" not in error.sentence
                assert "Traceback" not in error.sentence


@pytest.mark.timeout(10)
def test_a_pipe_and_a_device_are_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.jsonl")
    (tmp_path / "zero.jsonl").symlink_to("/dev/zero")
    for name in ("pipe.jsonl", "zero.jsonl"):
        assert "no plain file" in read_all(tmp_path / name)


def test_nested_structs_in_parquet_are_read_as_messages(tmp_path):
    rows = [{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b", "weight": 1}]}]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "x.parquet")
    assert [message.content for message in read_all(tmp_path / "x.parquet")[0].messages] == ["a", "b"]
