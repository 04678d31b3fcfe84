"""Adjudicated cases: which adjudication counts, what a withdrawal takes out, and lines that can't be read."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.lib.stage import StageError
from stages.sources import adjudication, feedback
from stages.sources.adjudication import read_adjudication
from stages.sources.cases import Case, Inputs, Rejected
from stages.sources.feedback import FeedbackParams, read

SECRET = "Zebedee"
STATUSES = ("confirmed", "corrected", "inconclusive", "withdrawn")


def line(record: Any = "r1", hour: int = 10, status: Any = "confirmed", **changes: Any) -> str:
    values = {
        "record_id": record,
        "adjudicated_at": f"2024-05-01T{hour:02}:00:00+02:00",
        "adjudicator": "dr-7",
        "status": status,
        "text": "cough and fever",
        "diagnosis": "Flu",
    }
    return json.dumps({key: value for key, value in (values | changes).items() if value is not ...})


def read_file(folder: Path, content: str | bytes) -> tuple[list[Case], list[Rejected]]:
    folder.mkdir(exist_ok=True)
    (folder / "feedback.jsonl").write_bytes(content if isinstance(content, bytes) else content.encode())
    items = list(read(FeedbackParams(file="feedback.jsonl"), Inputs(folder, folder, folder, 1)))
    rejected = [item for item in items if isinstance(item, Rejected)]
    return [item for item in items if not isinstance(item, Rejected)], rejected


def test_a_case_holds_what_was_adjudicated_and_not_by_whom(tmp_path: Path) -> None:
    optional = {"patient_id": "4711", "diagnosis_code": "X1", "age": 8, "sex": "female", "date": "2024-04-30"}
    content = (
        line(text=" Zoë said:\n“ouch” \u2028", diagnosis=" Flu  A ", **optional) + "\n" + line("r2", sex="unknown")
    )
    (first, second), rejected = read_file(tmp_path, content)
    assert not rejected
    assert first == {
        "record_id": "id r1",
        "patient_id": "id 4711",
        "groups": [],
        "text": " Zoë said:\n“ouch” \u2028",
        "diagnosis": "Flu A",
        "diagnosis_code": "X1",
        "age": 8,
        "sex": "female",
        "date": "2024-04-30",
        "file": "feedback.jsonl",
        "row": "1",
    }
    assert (second["patient_id"], second["sex"], second["date"]) == ("record id r2", None, None)
    assert "dr-7" not in str(first) + str(second)


@pytest.mark.parametrize(
    ("lines", "row"),
    [
        ([line(hour=10), line(hour=11)], "2"),
        ([line(hour=11), line(hour=10)], "1"),
        ([line(hour=10), line(hour=10)], "2"),  # ties by line
        ([line(adjudicated_at="2024-05-01T10:00:00+02:00"), line(adjudicated_at="2024-05-01T09:00:00Z")], "2"),
        ([line(adjudicated_at="2024-05-01T10:00:00.000001Z"), line(adjudicated_at="2024-05-01T10:00:00Z")], "1"),
        ([line(status="inconclusive"), line(hour=11)], "2"),
        ([line(hour=11), line(status="inconclusive", text=..., diagnosis=...)], "1"),
        ([line(), line(hour=11, status="inconclusive", text=..., diagnosis=...)], None),
        ([line(), line(" r1 ", status="corrected", hour=11)], "2"),
        ([line(), line(hour=11, status="withdrawn", text=..., diagnosis=...)], None),
        ([line(status="withdrawn"), line(hour=11)], None),  # a withdrawal is final
    ],
)
def test_the_latest_adjudication_counts_and_a_withdrawal_for_good(
    tmp_path: Path, lines: list[str], row: str | None
) -> None:
    cases, rejected = read_file(tmp_path, "\n".join(lines) + "\n")
    assert [case["row"] for case in cases] == ([row] if row else [])
    assert not rejected


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("{", "not JSON"),
        ("[" * 10_000, "not JSON"),
        ("\ufeff{}", "not JSON"),
        ('{"age": ' + "9" * 5000 + "}", "not JSON"),
        (f'["{SECRET}"]', "should be an object"),
        (line("r2", record_id=...), "record_id: Field required"),
        (line("r2", adjudicator=...), "adjudicator: Field required"),
        (line(" "), "record_id: is blank"),
        (line(4711), "record_id: should be a valid string"),
        (line("r2", text=...), "a confirmed or corrected case needs text and diagnosis"),
        (line("r2", status="corrected", diagnosis=None), "a confirmed or corrected case needs text and diagnosis"),
        (line("r2", text="\n"), "text: is blank"),
        (line("r2", status=SECRET), "status: should be 'confirmed', 'corrected', 'inconclusive' or 'withdrawn'"),
        (line("r2", adjudicated_at="2024-05-01T10:00:00"), "adjudicated_at: has no time zone"),
        (line("r2", adjudicated_at="2024-05-01"), "adjudicated_at: has no time zone"),
        (line("r2", adjudicated_at="2024-05-01T10:00:00+25:00"), "adjudicated_at: is not a time in ISO 8601"),
        (line("r2", adjudicated_at="0001-01-01T00:00:00+14:00"), "adjudicated_at: is not a time in ISO 8601"),
        (line("r2", adjudicated_at=SECRET), "adjudicated_at: is not a time in ISO 8601"),
        (line("r2", adjudicated_at=1714550400), "adjudicated_at: should be a valid string"),
        (line("r2", age=float("nan")), "age: should be a finite number"),
        (line("r2", age=131), "age: should be less than or equal to 130"),
        (line("r2", age="8"), "age: should be a valid number"),
        (line("r2", sex=SECRET), "sex: should be 'female', 'male', 'other' or 'unknown'"),
        (line("r2", date="2024-02-30"), "date: is not a date in ISO 8601"),
        (line("r2", diagnosis="\ud800"), "not JSON"),
        (line("r2", **{SECRET: 1}), "has a key that the format does not have"),
    ],
)
def test_a_bad_line_is_rejected_by_number_and_without_a_value(tmp_path: Path, bad: str, reason: str) -> None:
    cases, rejected = read_file(tmp_path, f"{line()}\n\n{bad}\n{line('r3')}\n")
    assert [case["row"] for case in cases] == ["1", "4"]
    assert rejected == [Rejected("feedback.jsonl", "3", reason)]


def test_a_record_with_an_unreadable_line_makes_no_case(tmp_path: Path) -> None:
    cases, rejected = read_file(tmp_path, "\n".join([line(), line(" r1", status="withdrawm"), line("r2"), ""]))
    assert [case["record_id"] for case in cases] == ["id r2"]
    assert [row.row for row in rejected] == ["2"]


def test_a_line_cut_off_while_appending_is_rejected_as_truncated(tmp_path: Path) -> None:
    whole = line("r2")
    for end in range(1, len(whole)):
        cases, rejected = read_file(tmp_path, f"{line()}\n{whole[:end]}")
        assert [case["row"] for case in cases] == ["1"]
        assert rejected == [Rejected("feedback.jsonl", "2", "truncated: the last line has no end")]
    assert len(read_file(tmp_path, f"{line()}\n{whole}")[0]) == 2


def test_a_byte_order_mark_and_other_line_ends_are_no_matter(tmp_path: Path) -> None:
    cases, rejected = read_file(tmp_path, f"\ufeff{line()}\r\n \t\r\n{line('r2')}\r\n")
    assert [case["row"] for case in cases] == ["1", "3"]
    assert not rejected


def test_an_endless_line_is_rejected_without_being_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (adjudication, feedback):
        monkeypatch.setattr(module, "LONGEST", 2**16)
    content = f"{line()}\n{'x' * 2**24}\n{line('r2')}\n".encode()
    tracemalloc.start()
    cases, rejected = read_file(tmp_path, content)
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()
    assert [case["row"] for case in cases] == ["1", "3"]
    assert rejected == [Rejected("feedback.jsonl", "2", "longer than 65,536 bytes")]


@pytest.mark.parametrize("content", ["", "\n \n"])
def test_an_empty_file_is_an_error(tmp_path: Path, content: str) -> None:
    with pytest.raises(StageError, match="is empty"):
        read_file(tmp_path, content)


def test_a_missing_file_a_folder_and_absent_parameters_are_errors(tmp_path: Path) -> None:
    inputs = Inputs(tmp_path, tmp_path, tmp_path, 1)
    with pytest.raises(StageError, match=r"feedback\.file: 'x\.jsonl' is not in"):
        list(read(FeedbackParams(file="x.jsonl"), inputs))
    (tmp_path / "x.jsonl").mkdir()
    with pytest.raises(StageError, match="is not a file"):
        list(read(FeedbackParams(file="x.jsonl"), inputs))
    with pytest.raises(StageError, match=r"acquire\.feedback: null"):
        list(read(None, inputs))
    with pytest.raises(ValueError, match=r"its suffix must be \.jsonl"):
        FeedbackParams(file="x.json")


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 23), st.sampled_from(STATUSES)), min_size=1, max_size=12))
def test_what_counts_is_what_a_table_sorted_by_time_says(
    tmp_path_factory: pytest.TempPathFactory, said: list[tuple[int, int, str]]
) -> None:
    content = "".join(line(str(record), hour, status) + "\n" for record, hour, status in said)
    cases, _ = read_file(tmp_path_factory.getbasetemp() / "property", content)
    expected = {}
    for number, (record, _, status) in sorted(enumerate(said, start=1), key=lambda item: item[1][1]):
        expected[record] = (str(number), status)
    withdrawn = {record for record, _, status in said if status == "withdrawn"}
    rows = {row for record, (row, status) in expected.items() if record not in withdrawn and status != "inconclusive"}
    assert {case["row"] for case in cases} == rows


@given(st.binary(max_size=60))
def test_any_bytes_are_an_adjudication_or_a_reason(content: bytes) -> None:
    assert isinstance(read_adjudication(content), str)
