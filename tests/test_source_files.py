"""A user's own files: what is read, and which rows are rejected why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from stages.sources.files import FileParams, read
from tests.toy_files import COLUMNS, HEADER, ROWS, SECRET, as_parquet, objects, read_one


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
    batch = read_one(tmp_path, "\n".join(map(json.dumps, rows)), name="x.jsonl", columns=columns)
    first, second = batch.records.to_dict("records")
    assert (first["diagnosis"], first["groups"], first["diagnosis_code"]) == ("Flu A", ["site=7"], "X1")
    assert (first["age"], first["sex"], first["date"]) == (8.5, "female", "2020-02-03")
    assert first["phi"] == [{"start": 0, "end": 3, "entity": "PERSON"}]
    assert (second["groups"], second["phi"]) == ([], [])
    assert pd.isna(second["sex"])
    assert first["patient_id"] != second["patient_id"]


def test_text_keeps_its_white_space_and_quoted_line_breaks(tmp_path: Path) -> None:
    batch = read_one(tmp_path, HEADER + '1,a," line 1\n\x0cline 2\u2028 ",Flu\n2,b,x\x0by,Flu\n')
    assert batch.records["text"].tolist() == [" line 1\n\x0cline 2\u2028 ", "x\x0by"]


def test_files_share_patients_but_not_row_numbers(tmp_path: Path) -> None:
    columns = {"text": "note", "diagnosis": "dx", "patient_id": "patient"}
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text(HEADER + ROWS)
    params = [FileParams.model_validate({"file": name, "columns": columns}) for name in ("a.csv", "b.csv")]
    records = read(params, incoming=tmp_path, ontology=tmp_path, seed=0).records
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
    batch = read_one(tmp_path, f"{json.dumps(good)}\n\n{bad}\n", name="x.jsonl", columns=columns)
    assert batch.rejected.to_dict("records") == [{"file": "x.jsonl", "row": "3", "reason": reason}]
    assert len(batch.records) == 1


@pytest.mark.parametrize(
    ("line", "reason"), [("3,b,x", "fewer fields than the header"), ("3,b,x,Flu,y", "more fields than the header")]
)
def test_ragged_rows_are_rejected(tmp_path: Path, line: str, reason: str) -> None:
    batch = read_one(tmp_path, HEADER + ROWS + "\n" + line + "\n")
    assert batch.rejected.to_dict("records") == [{"file": "cases.csv", "row": "5", "reason": reason}]
