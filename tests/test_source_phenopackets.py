"""Phenopackets: who makes the task, and what a note tells."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from stages.lib.stage import StageError
from stages.sources.ga4gh import OntologyClass
from stages.sources.phenopackets import Patient, PhenopacketsParams, select
from tests.toy_sources import STORE, feature, phenopacket, read_one, read_phenopackets, read_store, write_archive


def params(**changes: Any) -> PhenopacketsParams:
    return PhenopacketsParams.model_validate(STORE | changes)


def term(identifier: str) -> dict[str, str]:
    return {"id": identifier, "label": "whatever"}


def test_a_case_tells_observed_terms_only_and_is_grouped_by_publication(tmp_path: Path) -> None:
    (case,), rejected = read_store(tmp_path, {"s/a/1.json": phenopacket(), "s/readme.txt": b"x", "s/in.zip": b"PK"})
    assert not rejected
    assert (
        case["text"] == "An 8-year-old girl with finding number0, finding number1, finding number2 and finding number3."
    )
    assert case["phenotypes"] == [f"HP:{2_000_000 + n}" for n in range(4)]
    assert case["excluded_phenotypes"] == ["HP:2000050"]
    assert (case["diagnosis"], case["diagnosis_code"], case["groups"]) == ("Toy disease 0", "OMIM:0", ["PMID:1000"])
    assert (case["age"], case["sex"], case["voice"], case["date"]) == (8, "female", "case report", None)
    assert (case["file"], case["row"]) == ("store.zip", "s/a/1.json")


def test_notes_of_other_voices_record_the_identifiers_they_make_up(tmp_path: Path) -> None:
    members = {f"{n}.json": phenopacket(n) for n in range(12)}
    cases, _ = read_store(tmp_path, members, voices=["clinic letter", "own words"])
    assert {case["voice"] for case in cases} == {"clinic letter", "own words"}
    for case in cases:
        assert case["phi"]
        assert bool(case["date"]) == any(span["entity"] == "DATE_TIME" for span in case["phi"])
    assert cases == read_store(tmp_path, members, voices=["clinic letter", "own words"])[0]
    with pytest.raises(ValueError, match=r"choose from .*case report"):
        params(voices=["sermon"])


def test_patients_are_told_apart_by_publication_and_without_an_id_by_phenopacket(tmp_path: Path) -> None:
    members = {f"{n}.json": phenopacket(n) | {"subject": {"id": "1"}} for n in range(4)}
    assert len({case["patient_id"] for case in read_store(tmp_path, members)[0]}) == 2
    members = {f"{n}.json": phenopacket(n) | {"subject": {}} for n in range(4)}
    assert len({case["patient_id"] for case in read_store(tmp_path, members)[0]}) == 4


def test_the_diagnosis_and_its_gene_are_never_told(tmp_path: Path) -> None:
    labels = ["Ear in Toy Disease 0", "Raised ABC1 level", "High DEF2 level", "Toy disease 01", "GHI3 up", "Small ear"]
    disease = {"id": "X:0", "label": "Toy disease 0"}
    evidence = [
        {"variantInterpretation": {"variationDescriptor": {"geneContext": {"symbol": "ABC1"}}}},
        {"gene": {"symbol": "DEF2"}},
    ]
    packet = phenopacket(
        phenotypicFeatures=[{"type": {"id": f"XX:{n}", "label": label}} for n, label in enumerate(labels)],
        interpretations=[{"diagnosis": {"disease": disease, "genomicInterpretations": evidence}}],
        genes=[{"id": "HGNC:1", "symbol": "GHI3"}],
    )
    assert read_one(tmp_path, packet)["text"] == "An 8-year-old girl with Toy disease 01 and Small ear."


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"severity": term("HP:0012828")}, "severe finding number0"),
        ({"modifiers": [term("HP:0012834")]}, "right finding number0"),
        (
            {"severity": term("HP:0012825"), "modifiers": [term("HP:0012825"), term("HP:0012832")]},
            "mild bilateral finding number0",
        ),
        ({"modifiers": [term("HP:0025206"), {"id": "Triggered by cold"}, {}]}, "finding number0"),
        (
            {"type": {"id": "XX:1", "label": "Severely small Left ear"}, "severity": term("HP:0012828")},
            "Severely small Left ear",
        ),
        ({"type": {"id": "XX:1", "label": "Cleft lip"}, "modifiers": [term("HP:0012835")]}, "left Cleft lip"),
    ],
)
def test_severity_and_laterality_are_told_once(tmp_path: Path, more: dict[str, Any], told: str) -> None:
    case = read_one(tmp_path, phenopacket(phenotypicFeatures=[feature(0, **more)]))
    assert case["text"] == f"An 8-year-old girl with {told}."


def last_seen(**time: Any) -> dict[str, Any]:
    return {"timeAtLastEncounter": time}


def aged(duration: str) -> dict[str, str]:
    return {"iso8601duration": duration}


@pytest.mark.parametrize(
    ("subject", "person"),
    [
        ({"sex": "MALE"} | last_seen(age=aged("P40Y")), "A 40-year-old man"),
        ({"sex": "MALE"} | last_seen(age=aged("P11M")), "An 11-month-old boy"),
        ({"sex": "FEMALE"} | last_seen(age=aged("P2D")), "A newborn girl"),
        ({"sex": "FEMALE"} | last_seen(age=aged("P102Y")), "A 102-year-old woman"),
        (last_seen(age=aged("P3Y")), "A 3-year-old child"),
        (last_seen(ageRange={"start": aged("P40Y"), "end": aged("P45Y")}), "A 42-year-old patient"),
        (last_seen(ageRange={"start": aged("P0Y"), "end": aged("P18Y")}), "A patient"),
        (last_seen(ageRange={"start": aged("P18Y")}), "A patient"),
        ({"ageRangeAtCollection": {"start": {"age": "P1Y"}, "end": {"age": "P2Y"}}}, "An 18-month-old child"),
        ({"sex": "FEMALE"} | last_seen(gestationalAge={"weeks": 20}), "A female patient"),
        (last_seen(ontologyClass={"id": "HP:0011463", "label": "Childhood onset"}), "A patient"),
        (last_seen(timestamp="2020-01-01T00:00:00Z"), "A patient"),
        ({"vitalStatus": {"status": "DECEASED", "timeOfDeath": {"age": aged("P5Y")}}}, "A patient"),
        ({"sex": "UNKNOWN_SEX", "timeAtLastEncounter": None}, "A patient"),
        ({"sex": "OTHER_SEX"}, "A patient"),
        (None, "A patient"),
    ],
)
def test_a_note_begins_with_who_the_patient_is(tmp_path: Path, subject: dict[str, Any] | None, person: str) -> None:
    assert read_one(tmp_path, phenopacket(subject=subject))["text"].startswith(person + " with")


def test_the_file_is_found_in_one_of_two_folders(tmp_path: Path) -> None:
    with pytest.raises(StageError, match=r"phenopackets\.file: 'store\.zip' is not in"):
        read_phenopackets(tmp_path)
    (tmp_path / "fetched").mkdir()
    write_archive(tmp_path / "fetched" / "store.zip", {"1.json": phenopacket()})
    assert len(read_phenopackets(tmp_path)[0]) == 1
    with pytest.raises(StageError, match=r"phenopackets\.file: 'store\.zip' is in .* and in .*fetched"):
        read_store(tmp_path, {"1.json": phenopacket()})


def test_filters_apply_in_order_phenotypes_publications_cap() -> None:
    rows = [(f"a{n}", "A", (f"PMID:{n}",), 3) for n in range(4)]
    rows += [("a4", "A", ("PMID:1",), 3), ("b0", "B", ("PMID:8",), 3), ("b1", "B", ("PMID:9",), 2)]
    rows += [("c0", "C", (), 3), ("c1", "C", ("PMID:9", "PMID:8"), 3)]
    patients = [
        Patient((number, 0), record, OntologyClass(id=code), publications, phenotypes)
        for number, (record, code, publications, phenotypes) in enumerate(rows)
    ]
    chosen = select(patients, params=params(min_publications=2, max_patients=3), seed=1)
    assert [patient.diagnosis.id for patient in chosen] == ["A"] * 3
    assert select(patients[::-1], params=params(min_publications=2, max_patients=3), seed=1) == chosen
    draws = {
        frozenset(item.record_id for item in select(patients, params=params(max_patients=3), seed=s)) for s in range(9)
    }
    assert len(draws) > 1
