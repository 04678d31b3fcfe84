"""FHIR bulk exports: which document is a case, what is its diagnosis, who is a family, and a whole export."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from stages.acquire import Params, acquire
from stages.lib.records import read_records
from stages.lib.stage import In, Out
from stages.sources.cases import Rejected
from stages.sources.fhir import FhirParams
from tests import toy_sources
from tests.toy_fhir import condition, document, observation, patient, read_case, read_export, write_export

OTHER = condition("287", "Ehlers-Danlos syndrome")


def test_a_document_is_a_case_of_its_patient(tmp_path: Path) -> None:
    seen, unseen = observation(), observation("HP:0000545", valueBoolean=False)
    assert read_case(tmp_path, document(), condition(), unseen, seen, patient()) == {
        "record_id": "DocumentReference/d1",
        "patient_id": "id p1",
        "groups": [],
        "text": "Tall, with long fingers.",
        "diagnosis": "Marfan syndrome",
        "diagnosis_code": "ORPHA:558",
        "age": 40.5,
        "sex": "female",
        "date": "2020-09-01",
        "phenotypes": ["HP:0001519"],
        "excluded_phenotypes": ["HP:0000545"],
        "file": "export/all.ndjson",
        "row": "1",
    }


@pytest.mark.parametrize(
    ("conditions", "changes", "expected"),
    [
        ([condition(), condition(id="again")], {}, "Marfan syndrome"),  # one diagnosis, written down twice
        ([condition(status="differential"), OTHER], {}, "Ehlers-Danlos syndrome"),
        ([condition(verificationStatus=None)], {}, "no diagnosis"),
        ([condition(status="provisional")], {"verification": ["confirmed", "provisional"]}, "Marfan syndrome"),
        ([condition(status="refuted")], {}, "no diagnosis"),
        ([condition(status="entered-in-error")], {}, "no diagnosis"),
        ([condition(), OTHER], {}, "several diagnoses"),
        ([condition(encounter={"reference": "Encounter/e1"}), OTHER], {}, "Marfan syndrome"),
        ([condition(encounter={"reference": "Encounter/e2"}), OTHER], {}, "several diagnoses"),
        ([condition()], {"code_system": "SNOMED"}, "no diagnosis"),
        ([condition(onsetDateTime="2020-08-30")], {"max_days_from_onset": 2}, "Marfan syndrome"),
        ([condition(onsetDateTime="2020-08-29")], {"max_days_from_onset": 2}, "no diagnosis"),
        ([condition(onsetDateTime="2020")], {"max_days_from_onset": 0}, "Marfan syndrome"),
        ([condition(onsetPeriod={"start": "2010-01"}), OTHER], {"max_days_from_onset": 30}, "no diagnosis"),
        ([condition(onsetAge={"value": 486, "code": "mo"})], {"max_days_from_onset": 3}, "Marfan syndrome"),
        ([condition(onsetAge={"value": 30, "code": "a"})], {"max_days_from_onset": 3}, "no diagnosis"),
    ],
)
def test_the_diagnosis_is_the_encounters_or_else_the_only_one(
    tmp_path: Path, conditions: list[Any], changes: dict[str, Any], expected: str
) -> None:
    (item,) = read_export(tmp_path, patient(), *conditions, document(), **changes)
    assert (item.reason if isinstance(item, Rejected) else item["diagnosis"]) == expected


def test_linked_patients_are_a_family(tmp_path: Path) -> None:
    other = {"other": {"reference": "Patient/p1"}, "type": "seealso"}
    relative = {"other": {"reference": "RelatedPerson/r"}, "type": "seealso"}
    people = [patient(), patient(2, link=[other, relative]), patient(3, link=[relative]), patient(4)]
    subjects = [{"reference": f"Patient/p{n}"} for n in range(1, 5)]
    documents = [document(n, subject=subject) for n, subject in enumerate(subjects)]
    cases = read_export(tmp_path, *people, *(condition(subject=subject) for subject in subjects), *documents)
    assert [case["groups"] for case in cases if isinstance(case, dict)] == [
        ["link=Patient/p1"],
        ["link=Patient/p1", "link=RelatedPerson/r"],
        ["link=RelatedPerson/r"],
        [],
    ]


def test_an_export_of_a_library_goes_through_acquire(tmp_path: Path) -> None:
    from carebundle import generate_cohort, to_ndjson

    made = {kind: text.splitlines() for kind, text in to_ndjson(generate_cohort(count=12, seed=3, panels=[])).items()}
    people = [json.loads(line)["id"] for line in made["Patient"]]
    subjects = [{"reference": f"Patient/{name}"} for name in people]
    notes = [document(n, subject=subject, date="2026-01-01T09:00:00Z") for n, subject in enumerate(subjects)]
    files = {f"export/{kind}.000.ndjson": [line.encode() for line in lines] for kind, lines in made.items()}
    files |= {"export/1.DocumentReference.ndjson.gz": notes[:6], "export/2.DocumentReference.ndjson": notes[6:]}
    write_export(tmp_path / "incoming", files)
    outputs = [Out(tmp_path / name) for name in ("raw.parquet", "rejected.parquet", "acquisition.json")]
    export = {"folder": "export", "code_system": "ICD10"}
    params = Params.model_validate(toy_sources.document(sources=["fhir"], fhir=export, max_rejected=1))
    acquire(params, In(tmp_path / "incoming"), In(tmp_path), In(tmp_path), *outputs)
    records, counts = read_records(outputs[0]), json.loads(outputs[2].read_text())
    assert len(records) + counts["rejected"] == len(people)
    assert counts["rejected_by_reason"].keys() <= {"no diagnosis", "several diagnoses"}
    assert records["diagnosis_code"].str.startswith("ICD10:").all()
    assert records["age"].between(45, 67).all()
    assert not any(name in records.to_json() for name in people)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"code_system": "ICD"}, "choose from ICD10, SNOMED, ORPHA, OMIM"),
        ({"verification": ["refuted"]}, "Input should be 'confirmed'"),
        ({"verification": []}, "at least 1 item"),
        ({"folder": "../x"}, "inside data/incoming"),
    ],
)
def test_parameters_are_checked(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        FhirParams.model_validate({"folder": "export", "code_system": "ORPHA"} | changes)


def test_naming_the_source_demands_its_parameters() -> None:
    with pytest.raises(ValidationError, match=r"say where its data are, or take 'fhir' out of acquire\.sources"):
        Params.model_validate(toy_sources.document(sources=["fhir"], fhir=None))
