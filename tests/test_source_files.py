"""A user's own files: what is read, and which rows are rejected why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from stages.sources.cases import Rejected
from stages.sources.cells import fit
from tests.toy_files import COLUMNS, HEADER, ROWS, SECRET, as_parquet, objects, read_files, read_one

FORMULA = "begins like a formula"
HIDDEN = "holds control characters or marks of direction"


@pytest.mark.parametrize("name", ["x.csv", "x.tsv", "x.json", "x.jsonl", "x.parquet", "X.CSV"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8 with BOM", "utf-16"])
def test_every_format_gives_the_same_records(tmp_path: Path, name: str, encoding: str) -> None:
    text = {
        ".csv": HEADER + ROWS,
        ".tsv": (HEADER + ROWS).replace(",", "\t"),
        ".json": json.dumps(objects()),
        ".jsonl": "\n".join(map(json.dumps, objects())),
    }.get(Path(name).suffix.lower(), "")
    content = text.encode("utf-8-sig" if "BOM" in encoding else encoding) or as_parquet(tmp_path, objects())
    if name == "x.parquet":
        content = as_parquet(tmp_path, objects())
    records = read_one(tmp_path, content, name=name, encoding=encoding.split()[0]).records
    assert records["text"].tolist() == ["cough and fever", "rash"]
    assert records["diagnosis"].tolist() == ["Flu", "Measles"]
    assert records["record_id"].nunique() == 2
    assert records["patient_id"].nunique() == 1


def test_optional_columns_are_normalised(tmp_path: Path) -> None:
    columns = {
        "text": "note",
        "diagnosis": "dx",
        "group": ["site", "family"],
        "diagnosis_code": "code",
        "age": "age",
        "sex": "sex",
        "date": "date",
        "phi": "phi",
    }
    rows = [
        {
            "note": "Ann coughs",
            "dx": " Flu  A ",
            "site": 7,
            "family": "",
            "code": "X1",
            "age": 8.5,
            "sex": "F",
            "date": "2020-02-03T10:00:00",
            "phi": [{"start": 0, "end": 3, "type": "PERSON", "value": "Ann"}],
        },
        {"note": "b", "dx": "Cold", "age": None, "sex": "unknown"},
    ]
    found = read_one(tmp_path, "\n".join(map(json.dumps, rows)), name="x.jsonl", columns=columns)
    first, second = found.records.to_dict("records")
    assert (first["diagnosis"], first["groups"], first["diagnosis_code"]) == ("Flu A", ["site=7"], "X1")
    assert (first["age"], first["sex"], first["date"]) == (8.5, "female", "2020-02-03")
    assert first["phi"] == [{"start": 0, "end": 3, "entity": "PERSON"}]
    assert (second["groups"], second["phi"]) == ([], [])
    assert pd.isna(second["sex"])
    assert first["patient_id"] != second["patient_id"]


def test_text_keeps_its_white_space_and_quoted_line_breaks(tmp_path: Path) -> None:
    found = read_one(tmp_path, HEADER + '1,a," line 1\n\x0cline 2\u2028 ",Flu\n2,b,x\x0by,Flu\n')
    assert found.records["text"].tolist() == [" line 1\n\x0cline 2\u2028 ", "x\x0by"]


def test_files_share_patients_but_not_row_numbers(tmp_path: Path) -> None:
    columns = {"text": "note", "diagnosis": "dx", "patient_id": "patient"}
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text(HEADER + ROWS)
    records = read_files(tmp_path, *({"file": name, "columns": columns} for name in ("a.csv", "b.csv"))).records
    assert records["record_id"].nunique() == 4
    assert records["patient_id"].nunique() == 1


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"note": ""}, "no text"),
        ({"note": "  \n"}, "no text"),
        ({"note": None}, "no text"),
        ({"note": ["a"]}, "text is not a string"),
        ({"note": "\ud800"}, "not valid Unicode"),
        ({"dx": ""}, "no diagnosis"),
        ({"dx": float("nan")}, "no diagnosis"),
        ({"id": None}, "no record_id"),
        ({"patient": " "}, "no patient_id"),
        ({"age": "old"}, "age is not a number"),
        ({"age": -1}, "age is not between 0 and 130 years"),
        ({"age": "nan"}, "age is not between 0 and 130 years"),
        ({"sex": SECRET}, "sex is not female, male, other or unknown"),
        ({"date": "03/02/2020"}, "date is not ISO 8601"),
        ({"phi": "0-3"}, "phi is not a list"),
        ({"phi": [{"start": 0, "end": 3}]}, "phi is not a list of start, end and entity"),
        ({"phi": [[0, 3]]}, "phi is not a list of start, end and entity"),
        ({"phi": [{"start": -1, "end": 3, "entity": "X"}]}, "phi outside the text"),
        ({"phi": [{"start": 0, "end": 99, "entity": "X"}]}, "phi outside the text"),
        ({"phi": [{"start": 3, "end": 3, "entity": "X"}]}, "phi outside the text"),
        ("{broken", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[1, 2]", "not a JSON object"),
    ],
)
def test_a_row_that_cannot_be_used_is_rejected_with_its_line_and_reason(
    tmp_path: Path, row: dict[str, Any] | str, reason: str
) -> None:
    extra = {"age": 1, "sex": "f", "date": "2020-01-01", "phi": []}
    good = objects()[0] | extra
    bad = row if isinstance(row, str) else json.dumps(objects()[1] | extra | row)
    columns = COLUMNS | {key: key for key in extra}
    found = read_one(tmp_path, f"{json.dumps(good)}\n\n{bad}\n", name="x.jsonl", columns=columns)
    assert found.rejected == [("x.jsonl", "3", reason)]
    assert len(found.records) == 1


@pytest.mark.parametrize(
    ("line", "reason"), [("3,b,x", "fewer fields than the header"), ("3,b,x,Flu,y", "more fields than the header")]
)
def test_ragged_rows_are_rejected(tmp_path: Path, line: str, reason: str) -> None:
    found = read_one(tmp_path, HEADER + ROWS + "\n" + line + "\n")
    assert found.rejected == [("cases.csv", "5", reason)]


@pytest.mark.parametrize(
    ("diagnosis", "reason"),
    [
        ("=1+1", FORMULA),
        ("+Flu", FORMULA),
        ("-Flu", FORMULA),
        ("@SUM(A1)", FORMULA),
        ("\t =cmd|'/c calc'!A0", FORMULA),
        ("\uff1d1+1", FORMULA),
        ("Flu\u202eesrever", HIDDEN),
        ("Flu\u2066", HIDDEN),
        ("Fl\u200bu", HIDDEN),
        ("Flu\x1b[31m", HIDDEN),
        ("Flu\x07", HIDDEN),
        ("a" * 501, "longer than 500 characters"),
    ],
)
def test_a_diagnosis_that_would_harm_a_table_or_a_reader_is_rejected(
    tmp_path: Path, diagnosis: str, reason: str
) -> None:
    lines = [json.dumps(objects()[0]), json.dumps(objects()[1] | {"dx": diagnosis})]
    found = read_one(tmp_path, "\n".join(lines), name="x.jsonl")
    assert [(row.row, reason in row.reason) for row in found.rejected] == [("2", True)]
    assert len(found.records) == 1


@pytest.mark.parametrize("text", ["=1+1", "-", "\u202eabc", "\t@home"])
def test_texts_may_begin_and_hold_what_they_like(tmp_path: Path, text: str) -> None:
    line = json.dumps(objects()[0] | {"note": text})
    assert read_one(tmp_path, line, name="x.jsonl").records["text"].tolist() == [text]


@pytest.mark.parametrize(
    ("given_name", "name"),
    [
        ("Cafe\u0301 disease", "Caf\u00e9 disease"),
        ("A\u200cB", "A\u200cB"),
        (" Flu \n\u2028 A", "Flu A"),
        ("Σ-1", "Σ-1"),
    ],
)
def test_a_diagnosis_has_one_spelling(tmp_path: Path, given_name: str, name: str) -> None:
    line = json.dumps(objects()[0] | {"dx": given_name})
    assert read_one(tmp_path, line, name="x.jsonl").records["diagnosis"].tolist() == [name]


def test_codes_are_checked_too() -> None:
    case = {"text": "a", "diagnosis": "Flu", "file": "x.csv", "row": "7"}
    assert fit(case | {"diagnosis_code": "=1"}) == Rejected(
        "x.csv", "7", f"diagnosis code {FORMULA}, with one of = + - @"
    )
    assert fit(case | {"text": "a\0b"}) == Rejected("x.csv", "7", "text holds null characters")
