"""Phenopackets: who makes the task, what a note tells, and broken archives."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from stages.lib.stage import StageError
from stages.sources import phenopackets
from stages.sources.batch import Batch
from stages.sources.ga4gh import Age
from stages.sources.phenopackets import PhenopacketsParams, read, select
from tests.toy_sources import phenopacket, write_archive, write_ontology


@pytest.fixture(scope="module")
def ontology(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_ontology(tmp_path_factory.mktemp("ontology"))


def params(**changes: Any) -> PhenopacketsParams:
    values = {"file": "store.zip", "min_phenotypes": 3, "min_publications": 0, "max_patients": 100}
    return PhenopacketsParams.model_validate(values | changes)


def read_members(incoming: Path, ontology: Path, members: dict[str, Any]) -> Batch:
    write_archive(incoming / "store.zip", members)
    return read(params(), incoming=incoming, ontology=ontology, seed=1)


def test_a_case_tells_observed_terms_only_and_is_grouped_by_publication(tmp_path: Path, ontology: Path) -> None:
    batch = read_members(tmp_path, ontology, {"s/a/1.json": phenopacket(), "s/readme.txt": b"x"})
    case = batch.records.iloc[0]
    assert (
        case["text"] == "An 8-year-old girl with finding number0, finding number1, finding number2 and finding number3."
    )
    assert case["phenotypes"] == [f"HP:{2_000_000 + n}" for n in range(4)]
    assert (case["diagnosis"], case["diagnosis_code"], case["groups"]) == ("Toy disease 0", "OMIM:0", ["PMID:1000"])
    assert (case["age"], case["sex"], case["voice"]) == (8, "female", "case report")
    assert batch.published


def test_patients_are_told_apart_by_publication(tmp_path: Path, ontology: Path) -> None:
    members = {f"{n}.json": phenopacket(n) | {"subject": {"id": "1"}} for n in range(4)}
    assert read_members(tmp_path, ontology, members).records["patient_id"].nunique() == 2


def test_the_publication_comes_from_the_id_where_no_reference_has_one(tmp_path: Path, ontology: Path) -> None:
    members = {"1.json": phenopacket(metaData={}), "2.json": phenopacket(metaData={}, id="local")}
    assert read_members(tmp_path, ontology, members).records["groups"].tolist() == [["PMID:1000"], []]


def test_the_diagnosis_and_its_gene_are_never_told(tmp_path: Path, ontology: Path) -> None:
    labels = ["Ear in Toy Disease 0", "Raised ABC1 level", "Toy disease 01", "Small ear"]
    features = [{"type": {"id": f"XX:{n}", "label": label}} for n, label in enumerate(labels)]
    evidence = [{"variantInterpretation": {"variationDescriptor": {"geneContext": {"symbol": "ABC1"}}}}]
    disease = {"id": "OMIM:0", "label": "Toy disease 0"}
    packet = phenopacket(
        phenotypicFeatures=features,
        interpretations=[{"diagnosis": {"disease": disease, "genomicInterpretations": evidence}}],
    )
    case = read_members(tmp_path, ontology, {"1.json": packet}).records.iloc[0]
    assert case["text"] == "An 8-year-old girl with Toy disease 01 and Small ear."


def test_a_disease_stands_in_for_an_absent_interpretation(tmp_path: Path, ontology: Path) -> None:
    diseases = [{"term": {"id": "X:1", "label": "No"}, "excluded": True}, {"term": {"id": "X:2", "label": "Yes"}}]
    packet = phenopacket(interpretations=[], diseases=diseases)
    assert read_members(tmp_path, ontology, {"1.json": packet}).records["diagnosis"].tolist() == ["Yes"]


@pytest.mark.parametrize(
    ("duration", "years"),
    [("P6Y", 6), ("P1Y6M", 1.5), ("P3M", 0.25), ("P2W", 0.04), ("P10D", 0.03), ("P2YT4H", 2), ("P", None), ("6", None)],
)
def test_ages_are_iso_8601_durations(duration: str, years: float | None) -> None:
    assert Age(iso8601duration=duration).years() == years


@pytest.mark.parametrize(
    ("subject", "person"),
    [
        ({"sex": "MALE", "timeAtLastEncounter": {"age": {"iso8601duration": "P40Y"}}}, "A 40-year-old man"),
        ({"sex": "MALE", "timeAtLastEncounter": {"age": {"iso8601duration": "P11M"}}}, "An 11-month-old boy"),
        ({"sex": "FEMALE", "timeAtLastEncounter": {"age": {"iso8601duration": "P2D"}}}, "A newborn girl"),
        ({"timeAtLastEncounter": {"age": {"iso8601duration": "P3Y"}}}, "A 3-year-old child"),
        ({"sex": "FEMALE", "timeAtLastEncounter": {"gestationalAge": {"weeks": 20}}}, "A female patient"),
        ({"sex": "UNKNOWN_SEX"}, "A patient"),
        ({"sex": "OTHER_SEX"}, "A patient"),
    ],
)
def test_a_note_begins_with_who_the_patient_is(
    tmp_path: Path, ontology: Path, subject: dict[str, Any], person: str
) -> None:
    packet = phenopacket(subject={"id": "x"} | subject)
    text = read_members(tmp_path, ontology, {"1.json": packet}).records["text"].iloc[0]
    assert text.startswith(person + " with")


@pytest.mark.parametrize(
    ("member", "reason"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"[" * 10_000, "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[]", "not JSON"),
        ({"id": "x"}, "not a phenopacket: subject missing"),
        (phenopacket(phenotypicFeatures=[{"type": {"id": 3}}]), "not a phenopacket: phenotypicFeatures.type.id"),
        (phenopacket(interpretations=[]), "no diagnosis"),
        (phenopacket(phenotypicFeatures=[]), "no phenotype to tell"),
        (b" " * 5_000_000, "larger than 4,194,304 bytes"),
    ],
)
def test_a_bad_member_is_rejected_by_name(tmp_path: Path, ontology: Path, member: Any, reason: str) -> None:
    batch = read_members(tmp_path, ontology, {"bad.json": member, "good.json": phenopacket()})
    (row,) = batch.rejected.to_dict("records")
    assert (row["file"], row["row"]) == ("store.zip", "bad.json")
    assert row["reason"].startswith(reason)
    assert len(batch.records) == 1


def test_a_damaged_member_is_rejected(tmp_path: Path, ontology: Path) -> None:
    path = write_archive(tmp_path / "store.zip", {"bad.json": phenopacket(1), "good.json": phenopacket()})
    content = bytearray(path.read_bytes())
    content[60] ^= 0xFF
    path.write_bytes(content)
    batch = read(params(), incoming=tmp_path, ontology=ontology, seed=1)
    assert batch.rejected["reason"].tolist() == ["damaged in the archive"]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"not a zip"])
def test_what_is_no_zip_is_an_error(tmp_path: Path, ontology: Path, content: bytes) -> None:
    (tmp_path / "store.zip").write_bytes(content)
    with pytest.raises(StageError, match="is not a zip archive, or is truncated"):
        read(params(), incoming=tmp_path, ontology=ontology, seed=1)


def test_a_truncated_zip_is_an_error(tmp_path: Path, ontology: Path) -> None:
    path = write_archive(tmp_path / "store.zip", {f"{n}.json": phenopacket(n) for n in range(9)})
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(StageError, match="is not a zip archive, or is truncated"):
        read(params(), incoming=tmp_path, ontology=ontology, seed=1)


def test_an_archive_without_phenopackets_and_a_missing_one_are_errors(tmp_path: Path, ontology: Path) -> None:
    with pytest.raises(StageError, match=r"phenopackets\.file: 'store\.zip' is not in"):
        read(params(), incoming=tmp_path, ontology=ontology, seed=1)
    with zipfile.ZipFile(tmp_path / "store.zip", "w"):
        pass
    with pytest.raises(StageError, match=r"holds no \.json file"):
        read(params(), incoming=tmp_path, ontology=ontology, seed=1)


def test_a_folder_gives_what_a_zip_gives(tmp_path: Path, ontology: Path) -> None:
    members = {f"{n}.json": phenopacket(n) for n in range(6)} | {"bad.json": b"{"}
    zipped = read_members(tmp_path, ontology, members)
    (tmp_path / "store").mkdir()
    for name, content in members.items():
        (tmp_path / "store" / name).write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    (tmp_path / "store" / "out.json").symlink_to(tmp_path / "store.zip")
    folder = read(params(file="store"), incoming=tmp_path, ontology=ontology, seed=1)
    pd.testing.assert_frame_equal(folder.records.drop(columns="file"), zipped.records.drop(columns="file"))
    assert folder.rejected["reason"].tolist() == ["not JSON", "not a file of the folder"]


def test_filters_apply_in_order_phenotypes_publications_cap() -> None:
    cases = pd.DataFrame(
        [(f"a{n}", "A", f"PMID:{n}", ["x"] * 3) for n in range(4)]
        + [("a4", "A", "PMID:1", ["x"] * 3)]
        + [("b0", "B", "PMID:8", ["x"] * 3), ("b1", "B", "PMID:9", ["x"] * 2)]
        + [("c0", "C", None, ["x"] * 3), ("c1", "C", "PMID:9", ["x"] * 3)],
        columns=["record_id", "diagnosis_code", "publication", "phenotypes"],
    )
    chosen = select(cases, params=params(min_publications=2, max_patients=3), seed=1)
    assert set(chosen["diagnosis_code"]) == {"A"}
    assert len(chosen) == 3
    shuffled = select(cases.sample(frac=1, random_state=0), params=params(min_publications=2, max_patients=3), seed=1)
    assert set(shuffled["record_id"]) == set(chosen["record_id"])
    assert len({tuple(select(cases, params=params(max_patients=3), seed=s)["record_id"]) for s in range(9)}) > 1


def test_largest_member_is_well_above_real_ones() -> None:
    assert phenopackets.LARGEST > 10 * 70 * 1024
