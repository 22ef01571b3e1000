"""Files row by row: the first rows at once, one bad line by its number, and folders that `datasets` saves."""

import csv
import gzip
import io
import json
from unittest import mock

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.core.data.conversations.formats import detect_format
from workbench.core.data.files.sources import read_table
from workbench.core.errors import UserError

LINE = b'{"instruction": "a", "output": "b"}\n'


def test_one_bad_line_among_many_is_named_or_skipped(tmp_path):
    file = tmp_path / "x.jsonl"
    file.write_bytes(LINE * 5000 + b"\n" + b'{"instruction": "a", \n' + LINE * 5000)
    table = read_table(str(file))
    assert table.rows[:3] == [json.loads(LINE)] * 3
    with pytest.raises(UserError, match="line 5,002"):
        list(table.rows)
    rows = list(read_table(str(file), skip_bad=True).rows)
    assert len(rows) == 10_001
    assert [number for number, row in enumerate(rows) if "instruction" not in row] == [5000]
    assert rows[5001] == json.loads(LINE)


def test_a_field_too_many_in_a_table_is_named_or_skipped(tmp_path):
    file = tmp_path / "x.csv"
    file.write_text("a,b\n1,2\n1,2,3\n3,4\n")
    with pytest.raises(UserError, match="line 3"):
        read_table(str(file))
    assert [row for row in read_table(str(file), skip_bad=True).rows if "a" in row] == [
        {"a": "1", "b": "2"},
        {"a": "3", "b": "4"},
    ]


FIELDS = st.text(st.sampled_from('aé🦊 ,"\n\r\t;\\'), max_size=8)


@settings(max_examples=200, deadline=2000)
@given(st.lists(st.lists(FIELDS, min_size=3, max_size=3), min_size=1, max_size=6), st.sampled_from([".csv", ".tsv"]))
def test_records_with_quotes_and_line_breaks_are_those_of_the_csv_module(tmp_path_factory, rows, kind):
    file = tmp_path_factory.mktemp("csv") / f"x{kind}"
    with file.open("w", newline="", encoding="utf-8") as out:
        quoting = csv.QUOTE_ALL if "\r" in str(rows).replace("\\r", "\r") else csv.QUOTE_MINIMAL
        writer = csv.writer(out, delimiter="," if kind == ".csv" else "\t", lineterminator="\n", quoting=quoting)
        writer.writerows([["a", "b", "c"], *rows])
    expected = [dict(zip("abc", row, strict=True)) for row in rows]
    found = read_table(str(file)).rows
    assert list(found) == expected
    assert [found[number] for number in reversed(range(len(rows)))] == expected[::-1]


@settings(max_examples=300, deadline=2000)
@given(st.text(st.sampled_from('ab,"\n'), max_size=30))
def test_any_text_as_a_table_is_what_the_csv_module_reads_or_a_sentence(tmp_path_factory, text):
    file = tmp_path_factory.mktemp("csv") / "x.csv"
    file.write_text(f"a,b\n{text}", encoding="utf-8")
    try:
        expected = [row for row in csv.reader(io.StringIO(f"a,b\n{text}", newline=""), strict=True) if row][1:]
    except csv.Error:
        expected = None
    try:
        found = [list(row.values()) for row in read_table(str(file)).rows]
    except UserError as error:
        assert expected in (None, []) or any(len(row) != 2 for row in expected), error
    else:
        assert found == expected


def test_the_first_rows_of_a_huge_table_come_without_the_others(tmp_path):
    file = tmp_path / "x.csv"
    file.write_text("a,b\n" + '"one, two","three\nfour"\n' * 150_000)
    table = read_table(str(file))
    assert table.rows[0] == {"a": "one, two", "b": "three\nfour"}
    assert not table.rows.is_counted
    guess, counted = table.size
    assert not counted
    assert abs(guess - 150_000) < 1500
    assert len(table.rows) == 150_000
    assert table.size == (150_000, True)


def test_a_bad_record_stays_in_its_place_and_is_named_by_its_line(tmp_path):
    file = tmp_path / "x.csv"
    file.write_text('a,b\n1,"2\n3"\n"x"y,2\n5,6\n')
    with pytest.raises(UserError, match="line 4"):
        read_table(str(file))
    rows = list(read_table(str(file), skip_bad=True).rows)
    assert [set(row) == {"a", "b"} for row in rows] == [True, False, True]
    file.write_text("a,b\r1,2\r")
    with pytest.raises(UserError, match="old Macintosh"):
        read_table(str(file))


@pytest.mark.timeout(60)
def test_a_file_of_nothing_but_bad_lines_is_told_and_never_a_hang(tmp_path):
    file = tmp_path / "x.jsonl"
    file.write_bytes(LINE + b"{broken line of some length, not json at all\n" * 300_000)
    table = read_table(str(file), skip_bad=True)
    assert sum("instruction" not in row for row in table.rows) == 300_000


def test_paragraphs_are_parted_by_empty_lines_of_any_kind(tmp_path):
    file = tmp_path / "x.txt"
    file.write_bytes("\ufeff\n\n one\r\ntwo\r\n \r\nthree\n\n\n\t\nvier ü\n".encode())
    assert [row["text"] for row in read_table(str(file)).rows] == ["one\ntwo", "three", "vier ü"]
    file.write_bytes(b"good\n\nbad \xff\n")
    with pytest.raises(UserError, match=r"not UTF-8 text \(line 3\)"):
        read_table(str(file))


@pytest.mark.parametrize("kind", ["jsonl", "jsonl.gz", "parquet"])
def test_rows_are_the_same_one_by_one_in_slices_and_in_order(tmp_path, kind):
    rows = [{"n": number, "text": f"row {number} 🦊"} for number in range(7000)]
    file = tmp_path / f"x.{kind}"
    lines = "".join(json.dumps(row) + "\n" for row in rows).encode()
    if kind == "parquet":
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), file, row_group_size=1500)
    else:
        file.write_bytes(gzip.compress(lines) if kind.endswith("gz") else lines)
    table = read_table(str(file))
    assert len(table.rows) == 7000
    assert list(table.rows) == rows
    for number in (0, 1499, 1500, 6999, -1):
        assert table.rows[number] == rows[number]
    assert table.rows[2040:2060] == rows[2040:2060]
    assert table.rows[6990:8000] == rows[6990:]


def test_the_size_of_a_huge_file_is_estimated_until_it_is_counted(tmp_path):
    file = tmp_path / "x.jsonl"
    file.write_bytes(LINE * 150_000)
    table = read_table(str(file))
    guess, counted = table.size
    assert not counted
    assert abs(guess - 150_000) < 1500
    assert len(table.rows) == 150_000


def test_a_folder_that_datasets_saved_is_read_by_what_it_names(tmp_path):
    for split, count in (("test", 1), ("train", 3)):
        folder = tmp_path / split
        folder.mkdir()
        table = pyarrow.Table.from_pylist([{"instruction": "a", "output": str(number)} for number in range(count)])
        with (
            pyarrow.OSFile(str(folder / "data-00000-of-00001.arrow"), "wb") as out,
            pyarrow.ipc.new_stream(out, table.schema) as stream,
        ):
            stream.write_table(table)
        (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": "data-00000-of-00001.arrow"}]}))
        (folder / "dataset_info.json").write_text("{}")
        (folder / "cache-1.arrow").write_bytes(b"left over")
    (tmp_path / "dataset_dict.json").write_text(json.dumps({"splits": ["test", "train"]}))
    table = read_table(str(tmp_path))
    assert [row["output"] for row in table.rows] == ["0", "1", "2"]
    assert detect_format(table).name == "alpaca"
    assert len(read_table(str(tmp_path / "test")).rows) == 1


VALUES = st.recursive(
    st.text(st.sampled_from('aé🦊]},"\\\n'), max_size=5) | st.integers() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=200, deadline=2000)
@given(
    st.lists(st.dictionaries(st.sampled_from("abc"), VALUES, min_size=1), min_size=1, max_size=9),
    st.sampled_from([None, 1]), st.booleans(), st.integers(3, 40),
)  # fmt: skip
def test_a_list_is_read_row_by_row_wherever_its_bytes_are_cut(tmp_path_factory, rows, indent, ascii, window):
    file = tmp_path_factory.mktemp("list") / "x.json"
    file.write_text(json.dumps(rows, indent=indent, ensure_ascii=ascii) + "\n", encoding="utf-8")
    with mock.patch("workbench.core.data.files.json_list.WINDOW", window):
        found = read_table(str(file)).rows
        assert [found[number] for number in range(len(rows))] == rows
        assert list(read_table(str(file)).rows) == rows
        assert len(found) == len(rows)


def test_the_first_rows_of_a_huge_list_come_without_the_others(tmp_path):
    file = tmp_path / "x.json"
    rows = [{"instruction": f"ask {number}", "output": "ü" * 20} for number in range(150_000)]
    file.write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    found = read_table(str(file)).rows
    assert found[0] == rows[0]
    assert not found.is_counted
    assert found[149_999] == rows[-1]
    assert len(found) == 150_000


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[{"a": 1},\n{"a": 2},\n{"a" 3}]', r"not valid JSON \(line 3\)"),
        ('[{"a": 1},\n{"a": 2}', r"not valid JSON \(line 2\)"),
        ('[{"a": 1},\n]', r"not valid JSON \(line 2\)"),
        ('[{"a": 1}] {"a": 2}', "not valid JSON"),
        ('[{"a": 1} {"a": 2}]', "not valid JSON"),
        ('[{"a": 1},\n7]', "row 2: a row is an object with named fields, and this is a number"),
        ("[ ]", "no rows"),
    ],
)
def test_a_broken_list_is_refused_where_it_breaks(tmp_path, text, says):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(UserError, match=says):
        list(read_table(str(tmp_path / "x.json")).rows)
