"""Cases on disk: sorted by patient in the end, whole patients together, whatever was held in memory."""

from __future__ import annotations

import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.lib import records
from stages.lib.isolation import published
from stages.lib.stage import StageError
from stages.sources import spool as spooling
from stages.sources import tally as counting
from stages.sources.cases import Case, Rejected
from stages.sources.spool import spool
from stages.sources.tally import Rejections, Tally, summary

SIZES = st.lists(st.integers(1, 9), min_size=1, max_size=40)


def case(number: int, patient: int, **changes: Any) -> Case:
    """Return a case as it is under pseudonyms, whose hexadecimal digits are spread."""
    digits = f"{patient * 0x9E3779B97F4A7C15 % 2**64:016x}"
    return {
        "record_id": f"files-{number:016x}",
        "patient_id": f"files-{digits}",
        "groups": [f"files-{patient // 2:016x}"],
        "text": f"note {number} " * (1 + number % 5),
        "diagnosis": f"disease {patient % 3}",
        "source": "files",
        "file": "cases.csv",
        "row": str(number),
    } | changes


def cases_of(sizes: list[int]) -> list[Case]:
    """Return so many records of each patient, patients mixed."""
    records = [(turn, patient) for patient, size in enumerate(sizes) for turn in range(size)]
    return [case(number, patient) for number, (_, patient) in enumerate(sorted(records))]


def written(folder: Path, cases: list[Case], *, chunk: int) -> Path:
    path = folder / f"{chunk}.parquet"
    with pytest.MonkeyPatch.context() as patch, spool(beside=path) as held:
        patch.setattr(spooling, "CHUNK", chunk)
        patch.setattr(records, "ROWS_PER_GROUP", 10)
        patch.setattr(records, "TEXT_PER_GROUP", 300)
        for item in cases:
            held.add(item)
        count = records.write_patients(held.tables(), path, columns=records.schema(phi=False))
    assert count == len({item["patient_id"] for item in cases})
    return path


@settings(max_examples=30, deadline=None)
@given(SIZES)
def test_bytes_do_not_depend_on_how_much_is_held_in_memory(sizes: list[int]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        contents = [written(Path(folder), cases_of(sizes), chunk=chunk).read_bytes() for chunk in (1, 2000, 10**9)]
        assert len(set(contents)) == 1
        assert len(list(Path(folder).iterdir())) == 3  # and nothing else is left there


@settings(max_examples=30, deadline=None)
@given(SIZES)
def test_row_groups_are_sorted_and_hold_whole_patients(sizes: list[int]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = pq.ParquetFile(written(Path(folder), cases_of(sizes), chunk=1500))
        groups = [file.read_row_group(number).to_pandas() for number in range(file.num_row_groups)]
    together = pd.concat(groups)
    ids = list(zip(together["patient_id"], together["record_id"], strict=True))
    assert ids == sorted((item["patient_id"], item["record_id"]) for item in cases_of(sizes))
    for group, following in pairwise(groups):
        assert group["patient_id"].iloc[-1] != following["patient_id"].iloc[0]
        assert len(group) >= 10 or group["text"].str.len().sum() >= 300


def test_a_table_written_at_once_has_the_same_bytes(tmp_path: Path) -> None:
    cases = cases_of([3, 1, 4])
    records.write_records(pd.DataFrame(cases), tmp_path / "once.parquet")
    assert (tmp_path / "once.parquet").read_bytes() == written(tmp_path, cases, chunk=100).read_bytes()


@pytest.mark.parametrize("chunk", [1, 10**9])
def test_duplicates_are_found_on_disk_and_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(spooling, "CHUNK", chunk)
    cases = [case(number, patient=number) for number in range(300)]
    cases += [case(11, patient=301, row="10"), case(11, patient=302, row="9"), case(7, patient=303, file="a.csv")]
    with spool(beside=tmp_path / "raw.parquet") as held:
        for item in cases:
            held.add(item)
        count, places = held.duplicates()
    assert count == 2
    assert places == [("files", "a.csv", "7"), ("files", "cases.csv", "7")]


def test_one_patient_with_most_of_the_data_stops_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spooling, "LARGEST_PART", 10_000)
    with pytest.raises(StageError, match="files: records of a few patients take more than"):
        written(tmp_path, [case(number, patient=1) for number in range(1000)], chunk=1000)
    assert list(tmp_path.iterdir()) == []


def test_the_runner_finds_what_a_killed_run_left(tmp_path: Path) -> None:
    with spool(beside=tmp_path / ".partial-4711-raw.parquet") as held:
        path = held.path
    path.touch()  # a killed run has no time to remove it
    with published({"raw": tmp_path / "raw.parquet"}) as partials:
        assert not path.exists()
        partials["raw"].touch()


def test_texts_mapped_as_diagnoses_stop_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "MOST_DIAGNOSES", 5)
    tally = Tally()
    for number in range(5):
        tally.add(case(number, patient=number, diagnosis=f"secret {number}"))
    with pytest.raises(StageError, match="files: has more than 5 diagnoses") as error:
        tally.add(case(5, patient=5, diagnosis="secret 5"))
    assert "secret" not in str(error.value)


def test_groups_are_counted_once_however_often_they_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "ROWS_PER_GROUP", 3)
    tally = Tally()
    for number in range(100):
        tally.add(case(number, patient=number % 20) | {"groups": [f"files-{number % 7:016x}", f"PMID:{number % 5}"]})
    counts = summary(tally, counting.Counter(), patients=20)
    assert (counts["groups"], counts["records"], counts["diagnoses"]) == (12, 100, 3)


def test_rejected_rows_are_written_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "ROWS_PER_GROUP", 4)
    columns = pa.schema([(name, pa.string()) for name in ("source", "file", "row", "reason")])
    with pq.ParquetWriter(tmp_path / "rejected.parquet", columns) as writer:
        rejections = Rejections(writer)
        for number in range(10):
            rejections.add(
                Rejected("a\n.csv", str(number), "no text" if number % 2 else "no diagnosis"), source="files"
            )
        rejections.write()
    assert pq.read_table(tmp_path / "rejected.parquet")["row"].to_pylist() == [str(number) for number in range(10)]
    assert rejections.told() == "no diagnosis: 5 (first: row 0 of 'a\\n.csv'); no text: 5 (first: row 1 of 'a\\n.csv')"
