"""Simulated patients: what is planted, what is told, and what must not be."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.lib.stage import StageError
from stages.sources.cohort import read_cohort
from stages.sources.findings import avoiding, finding_probabilities
from stages.sources.hpo import HpoParams, World, make_world, simulate
from stages.sources.identities import invent
from stages.sources.notes import SLOT, fill, read_voices, write_note
from tests.toy_sources import HPO, write_ontology

ENTITIES = {
    "PERSON",
    "DATE_TIME",
    "MEDICAL_RECORD_NUMBER",
    "PHONE_NUMBER",
    "EMAIL_ADDRESS",
    "LOCATION",
    "ORGANIZATION",
    "US_SSN",
    "URL",
}


def params(**changes: float) -> HpoParams:
    return HpoParams(**(HPO | {"patients_per_diagnosis": 20} | changes))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(write_ontology(tmp_path_factory.mktemp("ontology")), diseases=read_cohort(), seed=1)


@pytest.fixture(scope="module")
def cases(world: World) -> list[dict]:
    return list(simulate(params(), world=world, diseases=read_cohort(), seed=1))


def test_no_word_of_any_diagnosis_stands_in_a_note(cases: list[dict]) -> None:
    allowed = avoiding(disease.name for disease in read_cohort())
    assert [case["record_id"] for case in cases if not allowed(case["text"])] == []


def test_templates_hold_no_word_of_a_diagnosis() -> None:
    allowed = avoiding(disease.name for disease in read_cohort())
    for voice in read_voices():
        for template in [*voice.opening, *voice.findings, *voice.absent, *voice.family, *voice.closing]:
            assert allowed(SLOT.sub("", template)), template


def test_gold_spans_are_ordered_disjoint_and_of_known_entities(cases: list[dict]) -> None:
    assert {span["entity"] for case in cases for span in case["phi"]} == ENTITIES
    for case in cases:
        ends = [0, *(span["end"] for span in case["phi"])]
        assert all(span["start"] >= end for span, end in zip(case["phi"], ends, strict=False))
        assert all(case["text"][span["start"] : span["end"]].strip() for span in case["phi"])


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), age=st.floats(0.1, 89), sex=st.sampled_from(["female", "male"]))
def test_every_span_is_exactly_a_planted_value_and_every_planted_value_has_a_span(
    world: World, seed: int, age: float, sex: str
) -> None:
    random = Random(seed)
    voice = random.choice([voice for voice in read_voices() if voice.ages[0] <= age < voice.ages[1]])
    identity, _ = invent(world.pools, random, sex=sex, age=age)
    findings = ["aaa", "bbb", "ccc"]
    note = write_note(
        voice, random, findings=findings, absent=["ddd"], trait="eee", identity=identity, sex=sex, age=age
    )
    planted = set(identity.values())
    rest = list(note.text)
    for span in note.phi:
        assert (span["entity"], note.text[span["start"] : span["end"]]) in planted
        rest[span["start"] : span["end"]] = "\0" * (span["end"] - span["start"])
    assert all(word in note.text for word in [*findings, "ddd", "eee"])
    left = "".join(rest)
    assert [value for _, value in planted if len(value) > 7 and value in left] == []


@given(st.lists(st.tuples(st.sampled_from(["a", "b"]), st.text("xy {\n", max_size=5).filter(lambda t: "{" not in t))))
def test_filling_keeps_the_text_between_slots(parts: list[tuple[str, str]]) -> None:
    template = "".join(f"{text}{{{slot}}}" for slot, text in parts)
    text, spans = fill(template, {"a": ("PERSON", "Ann"), "b": (None, "told")})
    assert text == template.replace("{a}", "Ann").replace("{b}", "told")
    assert [text[span["start"] : span["end"]] for span in spans] == ["Ann"] * sum(slot == "a" for slot, _ in parts)


def test_simulation_is_deterministic_and_independent_of_order_and_number(world: World, cases: list[dict]) -> None:
    few = list(simulate(params(patients_per_diagnosis=3), world=world, diseases=read_cohort()[5:2:-1], seed=1))
    by_id = {case["record_id"]: case for case in cases}
    assert few == [by_id[case["record_id"]] for case in few]


def test_another_seed_gives_other_notes(world: World, cases: list[dict]) -> None:
    other = list(simulate(params(patients_per_diagnosis=20), world=world, diseases=read_cohort(), seed=2))
    assert not {case["text"] for case in cases} & {case["text"] for case in other}


def test_patients_have_the_minimum_of_findings_and_ages_and_sexes_of_their_disease(cases: list[dict]) -> None:
    diseases = {disease.id: disease for disease in read_cohort()}
    for case in cases:
        low, high = diseases[case["diagnosis_code"]].ages
        assert low <= case["age"] <= max(high, 0.1) or case["age"] <= low + 0.1
        assert len(case["phenotypes"]) >= 3
    takayasu = [case["sex"] for case in cases if case["diagnosis"] == "Takayasu arteritis"]
    assert takayasu.count("female") > len(takayasu) / 2


def test_drawn_findings_have_the_stated_probabilities(world: World) -> None:
    disease = read_cohort()[0]
    stated = finding_probabilities(world.phenome, disease.id, sex="female", findings=5, noise=0.5, imprecision=0.2)
    many = params(patients_per_diagnosis=3000, minimum_findings=1)
    drawn = list(simulate(many, world=world, diseases=[disease], seed=3))
    seen = np.zeros(len(stated))
    position = {term: index for index, term in enumerate(world.phenome.terms)}
    for case in drawn:
        seen[[position[term] for term in case["phenotypes"]]] += 1
    error = np.sqrt(stated * (1 - stated) / len(drawn))
    assert np.all(np.abs(seen / len(drawn) - stated) < 5 * error + 1e-3)


def test_expected_findings_are_as_asked(world: World) -> None:
    for disease in read_cohort():
        plain = finding_probabilities(world.phenome, disease.id, sex="male", findings=4, noise=0, imprecision=0)
        assert plain.sum() == pytest.approx(4)


def test_without_noise_and_imprecision_only_annotated_terms_are_told(world: World) -> None:
    annotations = world.phenome.annotations
    for case in simulate(params(noise=0, imprecision=0), world=world, diseases=read_cohort()[:3], seed=1):
        own = set(annotations[annotations["disease"] == case["diagnosis_code"]]["term"])
        assert set(case["phenotypes"]) <= own


def test_a_disease_without_annotations_is_an_error(world: World) -> None:
    with pytest.raises(StageError, match=r"ORPHA:0: phenotype\.hpoa has 0 usable terms"):
        finding_probabilities(world.phenome, "ORPHA:0", sex="male", findings=5, noise=0, imprecision=0)
