"""Simulated patients: what is told of them, and what must not be."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from stages.lib.narration.identities import make_pools
from stages.lib.narration.narrator import Narrator, chosen_voices
from stages.lib.phenotypes.cohort import Disease, read_cohort
from stages.lib.phenotypes.ontology import read_annotations
from stages.lib.phenotypes.phenome import avoiding
from stages.lib.phenotypes.world import make_model, note_words
from stages.lib.stage import StageError
from stages.sources.cases import Case, Inputs
from stages.sources.hpo import HpoParams, read, simulate
from tests.toy_sources import HPO, write_ontology


def params(**changes: Any) -> HpoParams:
    return HpoParams.model_validate(HPO | {"patients_per_diagnosis": 20} | changes)


@pytest.fixture(scope="module")
def ontology(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_ontology(tmp_path_factory.mktemp("ontology"))


@pytest.fixture(scope="module")
def cases(ontology: Path) -> list[Case]:
    return list(read(params(), inputs(ontology)))


def inputs(ontology: Path, **changes: Any) -> Inputs:
    return Inputs(ontology, ontology, ontology, **({"seed": 1} | changes))


def simulated(ontology: Path, diseases: Sequence[Disease], **changes: Any) -> list[Case]:
    allowed = note_words(read_cohort(), strict=True)
    settings = params(**changes)
    model = make_model(ontology, diseases=diseases, rates=settings.rates, allowed=allowed)
    narrator = Narrator(chosen_voices(settings.voices), make_pools(1, allowed=allowed))
    return list(simulate(settings, model=model, narrator=narrator, seed=1))


def test_no_word_of_any_diagnosis_stands_in_a_note(cases: list[Case]) -> None:
    allowed = avoiding(disease.name for disease in read_cohort())
    assert [case["record_id"] for case in cases if not allowed(case["text"])] == []


def test_simulation_is_deterministic_and_independent_of_order_and_number(ontology: Path, cases: list[Case]) -> None:
    few = simulated(ontology, read_cohort()[5:2:-1], patients_per_diagnosis=3)
    by_id = {case["record_id"]: case for case in cases}
    assert few == [by_id[case["record_id"]] for case in few]


def test_another_seed_gives_other_notes(ontology: Path, cases: list[Case]) -> None:
    other = list(read(params(), inputs(ontology, seed=2)))
    assert not {case["text"] for case in cases} & {case["text"] for case in other}


def test_patients_have_the_minimum_of_findings_and_mostly_the_ages_and_sexes_of_their_disease(
    cases: list[Case],
) -> None:
    diseases = {disease.id: disease for disease in read_cohort()}
    usual = 0
    for case in cases:
        low, high = diseases[case["diagnosis_code"]].ages
        usual += low <= case["age"] < high
        assert len(case["phenotypes"]) >= 3
    assert usual > 0.95 * len(cases)
    takayasu = [case["sex"] for case in cases if case["diagnosis"] == "Takayasu arteritis"]
    assert takayasu.count("female") > len(takayasu) / 2


def test_without_noise_and_imprecision_only_annotated_terms_are_told(ontology: Path) -> None:
    annotations = read_annotations(ontology / "phenotype.hpoa")
    rates = HPO["rates"] | {"noise": 0, "imprecision": 0}
    for case in simulated(ontology, read_cohort()[:3], rates=rates):
        own = set(annotations[annotations["disease"] == case["diagnosis_code"]]["term"])
        assert set(case["phenotypes"]) <= own


def test_the_voices_are_the_chosen_ones(ontology: Path) -> None:
    told = simulated(ontology, read_cohort()[:2], voices=["case report", "own words"])
    assert {case["voice"] for case in told} == {"case report", "own words"}
    with pytest.raises(ValueError, match="choose from clinic letter"):
        params(voices=["opera"])


def test_a_shared_cohort_has_the_diseases_of_the_other_sources_under_their_names(
    ontology: Path, caplog: pytest.LogCaptureFixture
) -> None:
    known = read_cohort()[0]
    shared = {known.id: "As the others call it", "OMIM:1": "Unknown"}
    told = list(read(params(cohort="shared"), inputs(ontology, diagnoses=shared)))
    assert {(case["diagnosis"], case["diagnosis_code"]) for case in told} == {("As the others call it", known.id)}
    assert "left out, with fewer than 10 annotated terms: OMIM:1" in caplog.text
    with pytest.raises(StageError, match=r"phenotype\.hpoa has none of the other sources' diagnosis_code"):
        list(read(params(cohort="shared"), inputs(ontology, diagnoses={"OMIM:1": "Unknown"})))


def test_annotations_from_the_other_sources_publications_are_not_used(ontology: Path) -> None:
    known = read_cohort()[0]
    with pytest.raises(StageError, match=r"phenotype\.hpoa has none"):
        list(
            read(
                params(cohort="shared"),
                inputs(ontology, diagnoses={known.id: known.name}, publications={known.id}),
            )
        )


def test_age_and_sex_exclude_findings_that_do_not_fit() -> None:
    from stages.lib.phenotypes.ontology import read_annotations
    from stages.lib.phenotypes.phenome import read_phenome

    folder = Path("data/ontology")
    if not folder.exists():
        pytest.skip("needs data/ontology: dvc repro fetch")
    phenome = read_phenome(folder, read_annotations(folder / "phenotype.hpoa"))
    menorrhagia = phenome.position["HP:0000132"]
    assert not phenome.possible(sex="female", age=6)[menorrhagia]
    assert not phenome.possible(sex="male", age=30)[menorrhagia]
    assert phenome.possible(sex="female", age=30)[menorrhagia]
    assert phenome.possible(sex=None, age=None).all()
