"""The split that a publisher chose, on its way from a file's column, or a file of its own, to the records."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from pydantic import ValidationError

from stages.lib.records import read_records, write_records
from stages.sources.cases import Inputs
from stages.sources.files import FileParams
from stages.sources.hub import HubParams, read
from tests.toy_files import COLUMNS, HEADER, ROWS, read_files, read_one

MAPPED = {"text": "note", "diagnosis": "dx", "split": "part"}


@pytest.mark.parametrize(
    ("cell", "split"),
    [
        ("train", "train"),
        ("Training", "train"),
        (" validation ", "validation"),
        ("valid", "validation"),
        ("VAL", "validation"),
        ("dev", "validation"),
        ("calibration", "calibration"),
        ("test", "test"),
        ("", None),
    ],
)
def test_a_mapped_column_gives_the_split(tmp_path: Path, cell: str, split: str | None) -> None:
    found = read_one(tmp_path, f"note,dx,part\ncough,Flu,{cell}\n", columns=MAPPED)
    assert found.records["split"].tolist() == [split]


@pytest.mark.parametrize("cell", ["holdout", "all", "0", "test2"])
def test_a_row_with_another_split_is_rejected(tmp_path: Path, cell: str) -> None:
    found = read_one(tmp_path, f"note,dx,part\ncough,Flu,train\nrash,Measles,{cell}\n", columns=MAPPED)
    assert found.rejected == [("cases.csv", "3", "split is not train, validation, calibration or test")]


def test_a_file_may_be_a_split_and_its_rows_know_better(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text(HEADER + ROWS)
    (tmp_path / "rest.csv").write_text("note,dx,part\nache,Flu,\nitch,Flu,dev\n")
    found = read_files(
        tmp_path,
        {"file": "train.csv", "columns": {**COLUMNS, "record_id": None}, "split": "train"},
        {"file": "rest.csv", "columns": MAPPED, "split": "test"},
    )
    assert found.records["split"].tolist() == ["train", "train", "test", "validation"]


def test_splits_of_the_hub_are_fetched_one_by_one(tmp_path: Path) -> None:
    for name in ("one", "other"):
        pd.DataFrame({"note": ["cough"], "dx": ["Flu"]}).to_parquet(tmp_path / f"{name}.parquet")
    columns = {"text": "note", "diagnosis": "dx"}
    items = [{"data": "one", "columns": columns, "split": "train"}, {"data": "other", "columns": columns}]
    cases = list(read([HubParams.model_validate(item) for item in items], Inputs(tmp_path, tmp_path, tmp_path, 0)))
    assert [case["split"] for case in cases if isinstance(case, dict)] == ["train", None]


def test_a_files_split_is_one_that_there_is() -> None:
    with pytest.raises(ValidationError, match="'train', 'validation', 'calibration' or 'test'"):
        FileParams.model_validate({"file": "a.csv", "columns": COLUMNS, "split": "dev"})


def test_records_without_a_split_have_a_column_all_the_same(tmp_path: Path) -> None:
    write_records(pd.DataFrame({"record_id": ["r"], "patient_id": ["p"]}), tmp_path / "records.parquet")
    records = read_records(tmp_path / "records.parquet")
    assert records["split"].isna().all()
    assert str(records["split"].dtype) in {"str", "object"}
