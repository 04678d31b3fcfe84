"""A user's own files: what is read, what is rejected, and what is said about a broken file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pydantic import ValidationError

from stages.lib.stage import StageError
from stages.sources.batch import Batch
from stages.sources.files import FileParams, read

SECRET = "MRN-4711-Müller"
HEADER = "id,patient,note,dx\n"
ROWS = "1,a,cough and fever,Flu\n2,a,rash,Measles\n"
COLUMNS = {"text": "note", "diagnosis": "dx", "record_id": "id", "patient_id": "patient"}


def read_one(incoming: Path, content: bytes | str, *, name: str = "cases.csv", **changes: Any) -> Batch:
    (incoming / name).write_bytes(content.encode() if isinstance(content, str) else content)
    params = FileParams.model_validate({"file": name, "columns": COLUMNS} | changes)
    return read([params], incoming=incoming, ontology=incoming, seed=0)


def as_parquet(path: Path, rows: list[dict[str, Any]]) -> bytes:
    pd.DataFrame(rows).to_parquet(path / "made.parquet")
    content = (path / "made.parquet").read_bytes()
    (path / "made.parquet").unlink()
    return content


def objects() -> list[dict[str, Any]]:
    return [
        {"id": 1, "patient": "a", "note": "cough and fever", "dx": "Flu"},
        {"id": 2, "patient": "a", "note": "rash", "dx": "Measles"},
    ]


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
    "twice a column": ("x.csv", b"id,id,note,dx\n1,1,a,Flu\n", "columns of the same name: id"),
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
    params = [FileParams.model_validate({"file": "x.csv", "columns": COLUMNS})]
    with pytest.raises(StageError, match=r"acquire.files\[0\].file: 'x.csv' is not in .* which holds no data"):
        read(params, incoming=tmp_path, ontology=tmp_path, seed=0)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "y.csv").touch()
    with pytest.raises(StageError, match=r"which holds sub/y\.csv"):
        read(params, incoming=tmp_path, ontology=tmp_path, seed=0)


def test_a_link_out_of_incoming_and_a_folder_are_errors(tmp_path: Path) -> None:
    incoming = tmp_path / "incoming"
    incoming.mkdir()
    (tmp_path / "secret.csv").write_text(HEADER + ROWS)
    (incoming / "x.csv").symlink_to(tmp_path / "secret.csv")
    (incoming / "y.csv").mkdir()
    for name, expected in [("x.csv", "leads out of"), ("y.csv", "is a folder")]:
        params = [FileParams.model_validate({"file": name, "columns": COLUMNS})]
        with pytest.raises(StageError, match=expected):
            read(params, incoming=incoming, ontology=tmp_path, seed=0)


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
