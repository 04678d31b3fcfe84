"""One defect at a time in good data: the expectation named for it stops it, or warns of it; the good data pass.

docs/validation.md shows the same table, and a test compares the two.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pytest
from conftest import ROOT
from toy_records import DIAGNOSES, check, good_records, run_validate, summary

from stages.lib.accepted import write_accepted
from stages.lib.data_docs import read_suites
from stages.lib.records import write_records
from stages.lib.stage import StageError
from tools.accept import measure

Change = Callable[[pd.DataFrame], pd.DataFrame]


class Defect(NamedTuple):
    """What is done to good records, the expectation that must notice, and others that may as well."""

    expectation: str
    change: Change
    others: tuple[str, ...] = ()


def put(column: str, value: Any, *rows: int) -> Change:
    """Return a change that puts a value into some rows, by default the first."""

    def change(records: pd.DataFrame) -> pd.DataFrame:
        values = records[column].tolist()
        for row in rows or (0,):
            values[row] = value
        return records.assign(**{column: pd.Series(values, dtype=object)})

    return change


def add(column: str, value: str, row: int = 0) -> Change:
    """Return a change that appends to a record's value."""
    return lambda records: put(column, records.loc[row, column] + value, row)(records)


def relabel(count: int) -> Change:
    """Return a change that gives most records of two diagnoses to the first; `count` remain of each."""
    kept = set(range(1, 3 * count, 3)) | set(range(2, 3 * count, 3))
    return lambda records: put("diagnosis", DIAGNOSES[0], *(row for row in range(len(records)) if row not in kept))(
        records
    )


def like_row_2(records: pd.DataFrame) -> pd.DataFrame:
    """Give the first record the text of one with another diagnosis, in capitals and without punctuation."""
    return put("text", records.loc[2, "text"].upper().replace("SINCE", "SINCE,"))(records)


def twice_as_long(records: pd.DataFrame) -> pd.DataFrame:
    return records.assign(text=records["text"] + " and " + records["text"])


def an_acronym(records: pd.DataFrame) -> pd.DataFrame:
    """Give one diagnosis a third word, and a record of it the initials."""
    return put("diagnosis", "Chronic kidney failure", *range(2, 60, 3))(add("text", ", known CKF", 2)(records))


def another_name(records: pd.DataFrame) -> pd.DataFrame:
    """Give the first record a code, and a name that the ontology has for it."""
    return put("diagnosis_code", "ORPHA:324")(add("text", " of angiokeratoma corporis diffusum")(records))


GERMAN = "Der Patient klagt seit gestern über starke Schmerzen im Bauch, Fall {}"
REPEATED = "[PERSON_1] has the same finding as before, [PERSON_2]"
SAME = tuple(range(0, 18, 3))  # records of one diagnosis

DEFECTS = {
    "gold spans of PHI went past scrub": Defect("columns", lambda r: r.assign(phi=[[] for _ in range(len(r))])),
    "a record without an id": Defect("record_id_present", put("record_id", None)),
    "a record without a patient": Defect("patient_id_present", put("patient_id", None)),
    "a blank text": Defect("text_present", put("text", " \n"), ("words", "language")),
    "a record without a diagnosis": Defect("diagnosis_present", put("diagnosis", None)),
    "an id twice": Defect("record_id_unique", put("record_id", "r1")),
    "an age of 91, which scrub would have made 90": Defect("ages", put("age", 91.0)),
    "a negative age": Defect("ages", put("age", -1.0)),
    "a sex outside the vocabulary": Defect("sexes", put("sex", "F")),
    "a split outside the vocabulary": Defect("splits", put("split", "holdout")),
    "a full date beside the text": Defect("dates", put("date", "2020-03-04")),
    "a phenotype by its name": Defect("phenotypes", put("phenotypes", ["Seizure"])),
    "a phenotype observed and excluded": Defect("contradictions", put("excluded_phenotypes", ["HP:0000002"])),
    "one diagnosis only": Defect("diagnoses", lambda r: r.assign(diagnosis=DIAGNOSES[0]), ("class_balance",)),
    "a diagnosis in two spellings": Defect(
        "spellings", put("diagnosis", "fabry  disease", 0, 3, 6, 9), ("class_balance",)
    ),
    "a diagnosis with too few records": Defect("cases_of_diagnosis", relabel(3), ("class_balance",)),
    "a diagnosis from one publication": Defect("groups_of_diagnosis", put("groups", ["PMID:1"], *range(0, 60, 3))),
    "most records under one diagnosis": Defect("class_balance", relabel(5)),
    "a text of two words": Defect("words", put("text", "the cough")),
    "a text of a whole book": Defect("words", add("text", " and so on" * 99)),
    "texts in German": Defect(
        "language",
        lambda r: r.assign(text=[GERMAN.format(row) if row < 6 else text for row, text in enumerate(r.text)]),
    ),
    "UTF-8 read as Windows-1252": Defect("encoding", add("text", " with BehÃ§etâ€™s sign")),
    "characters that could not be decoded": Defect("encoding", add("text", " with caf\ufffd-au-lait spots")),
    "a NUL byte": Defect("control_characters", add("text", "\x00")),
    "an escape sequence": Defect("control_characters", add("text", " \x1b[31m")),
    "a text copied to other patients": Defect(
        "exact_duplicates", put("text", REPEATED, *SAME), ("normalised_duplicates",)
    ),
    "copies that differ in case and punctuation": Defect(
        "normalised_duplicates",
        lambda r: r.assign(
            text=[REPEATED.replace(",", "," * row) if row in SAME else text for row, text in enumerate(r.text)]
        ),
    ),
    "one text under two diagnoses": Defect("diagnoses_of_text", lambda r: put("text", r.loc[2, "text"])(r)),
    "the same words under two diagnoses": Defect("diagnoses_of_text", like_row_2),
    "the diagnosis in the text": Defect("diagnosis_in_text", add("text", ", a known FABRY DISEASE")),
    "the eponym of the diagnosis in the text": Defect("diagnosis_in_text", add("text", " as in Fabry's, they said")),
    "another ending of the diagnosis in the text": Defect("diagnosis_in_text", add("text", " of kidney failures", 2)),
    "the acronym of the diagnosis in the text": Defect("diagnosis_in_text", an_acronym),
    "another name of the diagnosis's code in the text": Defect("diagnosis_in_text", another_name),
    "a telephone number in a text": Defect("phi_hits", add("text", ", call 555-123-4567")),
    "an e-mail address in a text": Defect("phi_hits", add("text", ", jane.roe@example.org")),
    "a record number in a diagnosis": Defect(
        "phi_hits", put("diagnosis", "Fabry disease, MRN 778812", 0, 3, 6, 9), ("class_balance",)
    ),
    "a canary that scrub let through": Defect("canaries", put("patient_id", "canary-7")),
    "what is planted in a canary": Defect("canaries", add("text", " as Thaddeus Wrenfield said")),
    "a text of little but placeholders": Defect(
        "redacted", put("text", "[PERSON_1] [PERSON_2] [DATE_TIME_1] [LOCATION_1] and the [PERSON_3] with [ID_1]")
    ),
}
DRIFTS = {
    "a diagnosis that the accepted data do not have": Defect(
        "new_diagnoses", put("diagnosis", "Gout", 0, 3, 6, 9), ("label_drift", "class_balance")
    ),
    "a diagnosis of the accepted data is gone": Defect(
        "lost_diagnoses", lambda r: r[r["diagnosis"] != DIAGNOSES[2]], ("label_drift",)
    ),
    "diagnoses in other proportions": Defect("label_drift", relabel(5), ("class_balance",)),
    "texts twice as long as those accepted": Defect("length_drift", twice_as_long),
}
SUITES = {name: config for suite in read_suites().values() for name, config in suite.items()}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("GX_ANALYTICS_ENABLED", "false")


def accept(folder: Path, records: pd.DataFrame) -> None:
    write_records(records, folder / "scrubbed.parquet")
    write_accepted({"files": measure(folder / "scrubbed.parquet")}, folder / "accepted.json")


def assert_noticed(folder: Path, defect: Defect, caplog: pytest.LogCaptureFixture) -> None:
    """Assert that the named expectation fails, and stops or warns as its severity says."""
    table = defect.change(good_records()).reset_index(drop=True)
    stops = SUITES[defect.expectation]["severity"] == "critical"
    if stops:
        with pytest.raises(StageError, match=rf"(?m)^validate: {defect.expectation}: "):
            check(folder, table)
    else:
        check(folder, table)
        assert f"warning: {defect.expectation}: " in caplog.text
    failed = [name for name, entry in summary(folder).items() if isinstance(entry, dict) and not entry["success"]]
    assert defect.expectation in failed
    assert sorted(set(failed) - {defect.expectation, *defect.others}) == []


def test_good_records_pass_every_expectation(tmp_path: Path) -> None:
    accept(tmp_path, good_records())
    found = run_validate(tmp_path)
    assert list(found) == ["accepted_records", *SUITES]
    assert [name for name in SUITES if not found[name]["success"]] == []


@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_is_noticed(tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture) -> None:
    assert_noticed(tmp_path, DEFECTS[name], caplog)


@pytest.mark.parametrize("name", DRIFTS)
def test_a_drift_from_the_accepted_data_is_noticed(tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture) -> None:
    accept(tmp_path, good_records())
    assert_noticed(tmp_path, DRIFTS[name], caplog)


def test_every_expectation_has_its_defect() -> None:
    assert {defect.expectation for defect in (DEFECTS | DRIFTS).values()} == SUITES.keys()


def test_the_documentation_shows_this_table() -> None:
    lines = (ROOT / "docs/validation.md").read_text().splitlines()
    shown = [tuple(line.strip("| ").split(" | ")) for line in lines if line.count(" | ") == 2]
    does = {"critical": "stops", "warning": "warns"}
    assert shown[2:] == [
        (name, f"`{defect.expectation}`", does[SUITES[defect.expectation]["severity"]])
        for name, defect in (DEFECTS | DRIFTS).items()
    ]
