"""Broken files and bad mappings: one line that says what, where and what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from stages.lib.stage import StageError
from stages.sources.files import FileParams
from tests.toy_files import COLUMNS, HEADER, ROWS, SECRET, as_parquet, objects, read_files, read_one

BROKEN = {
    "empty": ("x.csv", b"", "x.csv: is empty"),
    "white space": ("x.csv", b"\n \n", "x.csv: is empty"),
    "only a header": ("x.csv", HEADER.encode(), "has a header and no rows"),
    "binary": ("x.csv", b"PK\x03\x04\x00\x00", "null characters, so it is binary or not utf-8"),
    "cp1252": (
        "x.csv",
        (HEADER + "1,a,Müller,Flu\n").encode("cp1252"),
        "byte 24 is not utf-8; set params.yaml: acquire",
    ),
    "utf-16 as utf-8": ("x.csv", (HEADER + ROWS).encode("utf-16"), "byte 0 is not utf-8"),
    "truncated in a quote": (
        "x.csv",
        (HEADER + ROWS + f'3,b,"{SECRET}').encode(),
        "row 4 is broken or the file is trunc",
    ),
    "text after a quote": ("x.csv", (HEADER + '1,a,"x"y,Flu\n').encode(), "row 2 is broken"),
    "no mapped column": ("x.csv", b"id;patient\n1;a\n", "no column for text: 'note', diagnosis: 'dx'"),
    "lists columns": ("x.csv", b"id,b,c,d\n1,a,b,c\n", "it has id, b, c, d"),
    "twice a column": ("x.csv", b"id,id,patient,note,dx\n1,1,a,b,Flu\n", "columns of the same name: id"),
    "no header": ("x.csv", (f"1,{SECRET * 9},x\n" * 2).encode(), "(a name of 135 characters)"),
    "JSON truncated": ("x.json", b'[{"id": 1}, {"id"', "is not JSON or is truncated"),
    "JSON no list": ("x.json", b'{"id": 1}', "must be a list of objects"),
    "JSON empty list": ("x.json", b"[]", "must be a list of objects"),
    "JSON nested": ("x.json", b"[" * 100_000, "is nested too deeply"),
    "JSON Lines column": ("x.jsonl", b'{"id": 1}\n', "no column for text: 'note'"),
    "Parquet is CSV": ("x.parquet", (HEADER + ROWS).encode(), "is not Parquet or is truncated"),
    "Parquet empty": ("x.parquet", b"", "x.parquet: is empty"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_file_is_an_error_of_one_line_without_its_text(tmp_path: Path, case: str) -> None:
    name, content, expected = BROKEN[case]
    with pytest.raises(StageError) as error:
        read_one(tmp_path, content, name=name)
    assert expected in str(error.value)
    assert "\n" not in str(error.value)
    assert SECRET not in str(error.value)


def test_a_truncated_parquet_file_is_an_error(tmp_path: Path) -> None:
    content = as_parquet(tmp_path, objects())
    with pytest.raises(StageError, match="is not Parquet or is truncated"):
        read_one(tmp_path, content[: len(content) // 2], name="x.parquet")


def test_a_missing_file_lists_what_there_is(tmp_path: Path) -> None:
    (tmp_path / "README.md").touch()
    with pytest.raises(StageError, match=r"acquire.files\[0\].file: 'x.csv' is not in .* holds no data"):
        read_files(tmp_path, {"file": "x.csv"})
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "y.csv").touch()
    with pytest.raises(StageError, match=r"holds sub/y\.csv"):
        read_files(tmp_path, {"file": "x.csv"})


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"file": "/etc/passwd.csv"}, "relative"),
        ({"file": "../x.csv"}, "relative"),
        ({"file": "a/../../x.csv"}, "relative"),
        ({"file": "a\\..\\x.csv"}, "relative"),
        ({"file": ""}, "relative"),
        ({"file": "x.xlsx"}, "its suffix must be one of .csv, .tsv, .jsonl, .json, .parquet"),
        ({"encoding": "utf-9"}, "no such encoding"),
        ({"columns": {"text": "note"}}, "diagnosis"),
        ({"columns": COLUMNS | {"mrn": "x"}}, "mrn"),
        ({"delimiter": ";"}, "delimiter"),
    ],
)
def test_parameters_are_checked_before_any_file_is_opened(changes: dict[str, Any], expected: str) -> None:
    with pytest.raises(ValidationError, match=expected):
        FileParams.model_validate({"file": "x.csv", "columns": COLUMNS} | changes)
