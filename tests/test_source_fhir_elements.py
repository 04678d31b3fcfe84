"""FHIR bulk exports: what references, codes, dates, observations and attachments say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from stages.sources.cases import Rejected
from tests.toy_fhir import attachment, condition, document, observation, patient, read_case, read_export

PRESENT = {"coding": [{"system": "http://loinc.org", "code": "LA9633-4"}]}
ABSENT = {"coding": [{"system": "http://snomed.info/sct", "code": "2667000"}]}


def reason(folder: Path, *lines: Any, **changes: Any) -> str:
    (rejected,) = read_export(folder, *lines, **changes)
    assert isinstance(rejected, Rejected), rejected
    return rejected.reason


@pytest.mark.parametrize(
    "reference",
    ["Patient/p1", "https://host:8443/fhir/Patient/p1", "Patient/p1/_history/3", "urn:uuid:p1"],
)
def test_references_are_relative_absolute_or_urns(tmp_path: Path, reference: str) -> None:
    subject = {"reference": reference}
    case = read_case(tmp_path, patient(), condition(subject=subject), document(subject=subject))
    assert case["patient_id"] == "id p1"


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        (None, "no subject that is a patient"),
        ({"display": "Doe"}, "no subject that is a patient"),
        ({"reference": "Group/p1"}, "no subject that is a patient"),
        ({"reference": "#p1"}, "no subject that is a patient"),
        ({"reference": "Patient/nobody"}, "subject is not in the export"),
    ],
)
def test_a_document_without_its_patient_is_rejected(tmp_path: Path, subject: Any, expected: str) -> None:
    assert reason(tmp_path, patient(), condition(), document(subject=subject)) == expected


@pytest.mark.parametrize(
    ("coding", "system", "expected"),
    [
        ({"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "Q87.4"}, "ICD10", ("ICD10:Q87.4", "ICD10:Q87.4")),
        ({"system": "http://snomed.info/sct", "code": "1", "display": "A  b"}, "SNOMED", ("SNOMED:1", "A b")),
        ({"system": "http://www.orpha.net", "code": "ORPHA:558"}, "ORPHA", ("ORPHA:558", "ORPHA:558")),
        ({"system": "https://omim.org", "code": "154700"}, "http://www.omim.org", ("OMIM:154700", "OMIM:154700")),
        ({"system": "urn:x", "code": "7"}, "urn:x", ("urn:x|7", "urn:x|7")),
    ],
)
def test_a_code_stands_behind_the_name_of_its_system(
    tmp_path: Path, coding: dict[str, str], system: str, expected: tuple[str, str]
) -> None:
    case = read_case(tmp_path, patient(), condition(code={"coding": [coding]}), document(), code_system=system)
    assert (case["diagnosis_code"], case["diagnosis"]) == expected


def test_a_diagnosis_is_spelt_the_same_in_every_case(tmp_path: Path) -> None:
    subject = {"reference": "Patient/p2"}
    again = condition(name="MARFAN'S", subject=subject)
    lines = [patient(), patient(2), condition(), again, document(), document(2, subject=subject)]
    assert [item["diagnosis"] for item in read_export(tmp_path, *lines) if isinstance(item, dict)] == [
        "Marfan syndrome",
        "Marfan syndrome",
    ]


@pytest.mark.parametrize(
    ("birth", "changes", "age", "date"),
    [
        ("2002-09-01", {}, 18, "2020-09-01"),
        ("2000", {}, 20.17, "2020-09-01"),
        ("2000-02", {}, 20.54, "2020-09-01"),
        ("2020", {"date": None, "context": {"period": {"start": "2020-02"}}}, 0, "2020-02"),
        ("1980-01-01", {"date": None}, None, None),
        (None, {}, None, "2020-09-01"),
    ],
)
def test_ages_come_from_dates_that_may_be_partial(
    tmp_path: Path, birth: str | None, changes: dict[str, Any], age: float | None, date: str | None
) -> None:
    case = read_case(tmp_path, patient(birthDate=birth), condition(), document(**changes))
    assert (case["age"], case["date"]) == (age, date)


@pytest.mark.parametrize("year", ["2021", "1870"])
def test_an_impossible_age_is_rejected(tmp_path: Path, year: str) -> None:
    assert reason(tmp_path, patient(birthDate=year), condition(), document()) in {
        "dated before the birth",
        "age is not between 0 and 130 years",
    }


@pytest.mark.parametrize(
    ("value", "present"),
    [
        ({"valueBoolean": True}, True),
        ({"valueBoolean": False}, False),
        ({"valueCodeableConcept": PRESENT}, True),
        ({"valueCodeableConcept": ABSENT}, False),
        ({"valueCodeableConcept": {"text": "Absent"}}, False),
        ({"dataAbsentReason": {"text": "not asked"}}, None),
        ({"valueBoolean": True, "status": "entered-in-error"}, None),
    ],
)
def test_phenotypes_are_present_absent_or_not_told(tmp_path: Path, value: dict[str, Any], present: bool | None) -> None:
    case = read_case(tmp_path, patient(), condition(), observation("HP:0001166", **value), document())
    expected = {True: (["HP:0001166"], []), False: ([], ["HP:0001166"]), None: (None, None)}[present]
    assert (case["phenotypes"], case["excluded_phenotypes"]) == expected


@pytest.mark.parametrize(
    ("attachments", "expected"),
    [
        ([attachment("Größe".encode("cp1252"), 'text/plain;charset="windows-1252"')], "Größe"),
        ([attachment("\ufeffnote", "TEXT/PLAIN")], "note"),
        ([attachment("<p>page</p>", "text/html"), attachment("plain")], "plain"),
        ([attachment("<title>x</title><p>Tall &amp; <b>thin</b>.<!-- <p>not --><br/>BP < 120", "text/html")],
         "Tall & thin.\nBP < 120"),
        ([attachment("<td>a</td><td title='>'>b</td><script>if (a<b) {}</script>c", "application/xhtml+xml")],
         "a b\nc"),
        ([attachment("<pre>one\ntwo</pre>", "text/html")], "one\ntwo"),
    ],
)  # fmt: skip
def test_a_note_is_plain_text_or_what_a_page_shows(
    tmp_path: Path, attachments: list[dict[str, Any]], expected: str
) -> None:
    assert read_case(tmp_path, patient(), condition(), document(1, *attachments))["text"] == expected
