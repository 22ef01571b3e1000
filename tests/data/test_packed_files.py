"""Compressed files: the first rows come while the rest is still packed, with progress, and can be left."""

import collections
import errno
import gzip
import json
import shutil
from unittest import mock

import pyarrow
import pytest

from workbench.core.data.files.sources import read_table
from workbench.core.data.inspect import page_rows
from workbench.core.data.search import search_rows
from workbench.core.errors import UserError
from workbench.core.places import tiny_folder
from workbench.core.recipe import Recipe, change_recipe

COUNT = 100_000
ROWS = [
    {"instruction": f"ask {number} ü and so on, for a line of some more length", "output": f"answer {number}"}
    for number in range(1000)
]


def text_of(kind):
    """100,000 rows in one kind of text file, 6 MB and more."""
    if kind == "json":
        return json.dumps(ROWS * 100, ensure_ascii=False)
    if kind == "csv":
        return "instruction,output\n" + "".join(f'"{row["instruction"]}",{row["output"]}\n' for row in ROWS) * 100
    if kind == "txt":
        return "".join(f"{row['instruction']}\n\n" for row in ROWS) * 100
    return "".join(json.dumps(row) + "\n" for row in ROWS) * 100


def pack(file, content):
    if file.suffix == ".gz":
        file.write_bytes(gzip.compress(content, 1))
    else:
        with pyarrow.CompressedOutputStream(str(file), "zstd") as out:
            out.write(content)
    return file


@pytest.mark.parametrize("kind", ["jsonl", "json", "csv", "txt"])
@pytest.mark.parametrize("packed", ["gz", "zst"])
def test_the_first_rows_come_while_the_rest_is_packed(tmp_path, kind, packed):
    file = pack(tmp_path / f"x.{kind}.{packed}", text_of(kind).encode())
    rows = read_table(str(file)).rows
    first = {"text": ROWS[0]["instruction"]} if kind == "txt" else ROWS[0]
    assert rows[0] == first
    assert not rows._file.is_whole
    assert not rows.is_counted
    assert rows[COUNT - 1] == ({"text": ROWS[-1]["instruction"]} if kind == "txt" else ROWS[-1])
    assert len(rows) == COUNT
    assert rows._file.is_whole
    again = iter(read_table(str(file)).rows)
    assert [next(again) for _ in range(3)] == rows[:3]
    assert sum(1 for _ in again) == COUNT - 3


def test_rows_of_a_packed_file_in_another_encoding(tmp_path):
    file = pack(tmp_path / "x.jsonl.gz", text_of("json").replace("}, {", "}\n{").strip("[]").encode("utf-16"))
    rows = read_table(str(file)).rows
    assert rows[0] == ROWS[0]
    assert rows[COUNT - 1] == ROWS[-1]


def test_the_number_of_rows_is_estimated_from_what_is_unpacked(tmp_path):
    file = pack(tmp_path / "x.jsonl.gz", text_of("jsonl").encode() * 3)
    guess, counted = read_table(str(file)).size
    assert not counted
    assert abs(guess - 3 * COUNT) < COUNT


def test_a_file_whose_end_is_missing_shows_its_rows_and_then_says_so(tmp_path):
    file = pack(tmp_path / "x.jsonl.gz", text_of("jsonl").encode())
    file.write_bytes(file.read_bytes()[:-2000])
    rows = read_table(str(file)).rows
    assert rows[0] == ROWS[0]
    with pytest.raises(UserError, match="not a whole gzip file"):
        len(rows)


def test_a_page_far_behind_tells_how_far_it_is_and_can_be_left(tmp_path):
    file = pack(tmp_path / "x.jsonl.gz", text_of("jsonl").encode() * 25)
    recipe = change_recipe(Recipe(), {"data.source": str(file)})

    class Left(BaseException):
        pass

    told = []

    def progress(done, total):
        told.append((done, total))
        if len(told) == 2:
            raise Left

    with pytest.raises(Left):
        page_rows(recipe, tiny_folder(), 2_400_000, 5, progress=progress)
    assert 0 < told[0][0] < told[1][0] <= told[1][1]
    with pytest.raises(Left):
        told.clear()
        search_rows(recipe, "no such words", progress=progress)
    assert page_rows(recipe, tiny_folder(), 2_400_000, 2)["rows"][0]["raw"] == ROWS[0]


def test_a_full_disk_is_told_in_one_sentence(tmp_path):
    file = pack(tmp_path / "x.jsonl.gz", text_of("jsonl").encode())
    usage = collections.namedtuple("usage", "total used free")
    says = pytest.raises(UserError, match=r"does not fit into .* make room there")
    with mock.patch.object(shutil, "disk_usage", lambda _: usage(10, 10, (1 << 30) + 100)), says:
        read_table(str(file))
    rows = read_table(str(file)).rows

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with mock.patch.object(rows._file, "_plain", mock.Mock(write=full)), says:
        len(rows)
