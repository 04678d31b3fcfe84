"""Phenopackets: the shapes that the schema allows, and what is none of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.sources.ga4gh import Age, Phenopacket
from stages.sources.phenopacket_files import read_packets
from tests.toy_sources import feature, phenopacket, read_one, read_store


def disease(number: int) -> dict[str, Any]:
    return {"id": f"X:{number}", "label": f"Toy disease {number}"}


def interpretation(number: int, status: str | None = None) -> dict[str, Any]:
    return {"diagnosis": {"disease": disease(number)}} | ({"progressStatus": status} if status else {})


@pytest.mark.parametrize(
    ("interpretations", "diseases", "found"),
    [
        ([interpretation(1), interpretation(2, "SOLVED")], [], "Toy disease 2"),
        ([interpretation(1, "IN_PROGRESS"), interpretation(2, "COMPLETED")], [], "Toy disease 2"),
        ([interpretation(1, "SOLVED"), interpretation(1, "SOLVED")], [2], "Toy disease 1"),
        ([interpretation(1, "SOLVED"), interpretation(2, "COMPLETED")], [], "several diagnoses"),
        ([interpretation(1, "IN_PROGRESS"), interpretation(2)], [], "several diagnoses"),
        ([interpretation(1, "UNSOLVED")], [], "no diagnosis"),
        ([interpretation(1, "UNSOLVED")], [3], "Toy disease 3"),
        ([{"diagnosis": {}}, {}], [3], "Toy disease 3"),
        ([], [3, 4], "several diagnoses"),
        ([{"diagnosis": {"disease": {"id": "X:1"}}}], [], "no diagnosis"),
    ],
)
def test_the_diagnosis_is_the_one_that_is_settled_best(
    tmp_path: Path, interpretations: list[Any], diseases: list[int], found: str
) -> None:
    recorded = [{"term": disease(n)} for n in diseases] + [{"term": disease(9), "excluded": True}]
    packet = phenopacket(interpretations=interpretations, diseases=recorded)
    cases, rejected = read_store(tmp_path, {"1.json": packet})
    assert [case["diagnosis"] for case in cases] + [row.reason for row in rejected] == [found]


def test_version_1_gives_what_version_2_gives(tmp_path: Path) -> None:
    first = phenopacket(
        diseases=[{"term": disease(1), "classOfOnset": {"id": "HP:0003577"}}], htsFiles=[{"uri": "file:x"}]
    )
    del first["interpretations"]
    first["subject"] = {
        "id": "p",
        "sex": "MALE",
        "ageAtCollection": {"age": "P14Y"},
        "dateOfBirth": "1998-01-01T00:00:00Z",
    }
    first["phenotypicFeatures"] = [feature(0), feature(1, negated=True, ageOfOnset={"age": "P1Y"})]
    second = phenopacket(interpretations=[interpretation(1)])
    second["subject"] = {"id": "p", "sex": "MALE", "timeAtLastEncounter": {"age": {"iso8601duration": "P14Y"}}}
    second["phenotypicFeatures"] = [feature(0), feature(1, excluded=True)]
    assert read_one(tmp_path, first) == read_one(tmp_path, second)


def test_a_family_gives_its_proband_and_a_cohort_its_members(tmp_path: Path) -> None:
    family = {"id": "f", "proband": phenopacket(0), "relatives": [phenopacket(1)], "pedigree": {"persons": []}}
    members = [phenopacket(2, metaData=None), {"id": ""}, 5, phenopacket(4)]
    cohort = {"id": "c", "members": members, "metaData": {"externalReferences": [{"id": "PMID:77"}]}}
    cases, rejected = read_store(tmp_path, {"f.json": family, "c.json": cohort, "empty.json": {"members": []}})
    assert [(case["row"], case["groups"]) for case in cases] == [
        ("c.json, member 1", ["PMID:77"]),
        ("c.json, member 4", ["PMID:1002"]),
        ("f.json", ["PMID:1000"]),
    ]
    assert [(row.row, row.reason) for row in rejected] == [
        ("c.json, member 2", "not a phenopacket: id string_too_short"),
        ("c.json, member 3", "not a phenopacket: model_type"),
        ("empty.json", "a cohort without members"),
    ]


def test_what_was_ever_observed_is_not_excluded(tmp_path: Path) -> None:
    case = read_one(
        tmp_path, phenopacket(phenotypicFeatures=[feature(1, excluded=True), feature(1), feature(2, excluded=True)])
    )
    assert (case["phenotypes"], case["excluded_phenotypes"]) == (["HP:2000001"], ["HP:2000002"])


@pytest.mark.parametrize(
    ("duration", "years"),
    [
        ("P6Y", 6),
        ("P1Y6M", 1.5),
        ("P3M", 0.25),
        ("P2W", 0.04),
        ("P1M2W", 0.12),
        ("P10D", 0.03),
        ("P1.5Y", 1.5),
        ("P0,5Y", 0.5),
        ("P2YT4H", 2),
        ("PT12H30M", 0),
        ("P0D", 0),
        ("P119Y", 119),
        ("P120Y", None),
        ("P" + "9" * 5000 + "Y", None),
        ("P٣Y", None),
        ("P", None),
        ("PT", None),
        ("6", None),
        ("-P6Y", None),
        ("", None),
    ],
)
def test_ages_are_iso_8601_durations(duration: str, years: float | None) -> None:
    assert Age(iso8601duration=duration).years() == years


@pytest.mark.parametrize(
    ("member", "reason"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"[" * 10_000, "not JSON"),
        (b'{"members": ' * 10_000, "not JSON"),
        (b'{"id": "x", "genes": ' + b"9" * 5000 + b"}", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[]", "not a JSON object"),
        (b"null", "not a JSON object"),
        ({"id": None, "subject": {}}, "not a phenopacket: id missing"),
        ({"id": "x", "subject": []}, "not a phenopacket: subject model_type"),
        ({"id": "x", "proband": 1}, "not a phenopacket: model_type"),
        ({"id": "x", "members": 1}, "a cohort without members"),
        ({"id": "x"}, "no diagnosis"),
        (phenopacket(phenotypicFeatures=[{"type": {"id": 3}}]), "not a phenopacket: phenotypicFeatures.type.id"),
        (phenopacket(subject={"timeAtLastEncounter": {"age": {"iso8601duration": 8}}}), "not a phenopacket: subject."),
        (phenopacket(interpretations=[]), "no diagnosis"),
        (phenopacket(phenotypicFeatures=[]), "no phenotype to tell"),
        (phenopacket(phenotypicFeatures=[{"type": {"id": "XX:1"}}]), "no phenotype to tell"),
    ],
)
def test_a_bad_member_is_rejected_by_name(tmp_path: Path, member: Any, reason: str) -> None:
    cases, (row,) = read_store(tmp_path, {"bad.json": member, "good.json": phenopacket()})
    assert (row.file, row.row) == ("store.zip", "bad.json")
    assert row.reason.startswith(reason)
    assert [case["row"] for case in cases] == ["good.json"]


@pytest.mark.parametrize(
    ("changes", "groups"),
    [
        (
            {"metaData": {"externalReferences": [{"id": "PMID:7"}, {"id": "DOI:1"}, {"id": "PMID:9"}]}},
            ["PMID:7", "PMID:9"],
        ),
        ({"metaData": {}}, ["PMID:1000"]),
        ({"metaData": {}, "id": "local"}, []),
    ],
)
def test_publications_come_from_references_or_else_from_the_id(
    tmp_path: Path, changes: dict[str, Any], groups: list[str]
) -> None:
    assert read_one(tmp_path, phenopacket(**changes))["groups"] == groups


FIELDS = st.sampled_from(
    ["id", "subject", "age", "type", "label", "diagnosis", "proband", "members", "metaData", "interpretations", "genes"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=4),
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(FIELDS, VALUES, max_size=3))
def test_any_json_is_a_phenopacket_or_a_reason(
    tmp_path_factory: pytest.TempPathFactory, changes: dict[str, Any]
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_text(json.dumps(phenopacket(**changes)))
    for _, _, packet in read_packets(path):
        if isinstance(packet, Phenopacket):
            assert packet.publications() == list(dict.fromkeys(packet.publications()))
            assert (packet.subject.years() or 0) >= 0
            assert all([*packet.gene_symbols(), *(disease.id for disease in packet.diagnoses())])
            assert not set(packet.observed()) & set(packet.excluded())
        else:
            assert packet.startswith("not a phenopacket: ") or packet == "a cohort without members"
