"""Copies of training records: of the same patient, in other words, without what must not be in them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from conftest import ROOT
from test_cases import lay_out
from toy_pipeline import run_stage
from toy_sources import write_ontology

from stages.augment import Params, augment
from stages.lib.augmentation import AugmentParams, Language, copies, read_language
from stages.lib.phi.hits import hits_by_text
from stages.lib.records import read_records, write_records
from stages.lib.stage import In, Out

ALL = {"copies": 4, "phenotype_dropout": 0.5, "synonyms": 0.5, "voice_change": 0.5, "typos": 0.0}
TERMS = [f"HP:{2_000_000 + number}" for number in range(6)]
PLACEHOLDER = re.compile(r"\[[A-Z_]+_\d+\]")
RECORDS = [
    {
        "record_id": f"hpo-{number}",
        "patient_id": f"p-{number}",
        "groups": ["PMID:1"],
        "text": "A 30-year-old woman with finding number0, finding number1, finding number2, finding number3 and "
        "finding number4. There was no finding number9.",
        "diagnosis": "Fabry disease",
        "diagnosis_code": "ORPHA:324",
        "age": 30.0,
        "sex": "female",
        "date": "2020",
        "source": "hpo",
        "voice": "case report",
        "phenotypes": TERMS,
        "excluded_phenotypes": ["HP:2000009", "HP:2000010"],
    }
    for number in range(12)
]
FREE = RECORDS[0] | {
    "record_id": "files-0",
    "source": "files",
    "voice": None,
    "phenotypes": None,
    "excluded_phenotypes": None,
    "text": "[PERSON_1], seen on [DATE_TIME_1]: Finding number5 for 3 weeks, then finding number7 and some fever.",
}


@pytest.fixture(scope="module")
def ontology(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_ontology(tmp_path_factory.mktemp("ontology"))


@pytest.fixture(scope="module")
def language(ontology: Path) -> Language:
    return read_language(ontology, pd.DataFrame(RECORDS))


def made(record: dict[str, Any], language: Language, seed: int = 1, **changes: Any) -> list[dict[str, Any]]:
    return list(copies(record, language, AugmentParams.model_validate(ALL | changes), seed=seed))


def run_augment(folder: Path, ontology: Path, records: list[dict[str, Any]], **changes: Any) -> pd.DataFrame:
    write_records(pd.DataFrame(records), folder / "train.parquet")
    params = Params.model_validate({"seed": 1, "augment": ALL | changes})
    augment(params, In(folder / "train.parquet"), In(ontology), Out(folder / "augmented.parquet"))
    return read_records(folder / "augmented.parquet")


def test_without_copies_the_training_records_stay_byte_for_byte(tmp_path: Path, ontology: Path) -> None:
    run_augment(tmp_path, ontology, RECORDS, copies=0)
    assert (tmp_path / "augmented.parquet").read_bytes() == (tmp_path / "train.parquet").read_bytes()


def test_copies_stand_beside_their_records_of_the_same_patient_group_and_diagnosis(
    tmp_path: Path, ontology: Path
) -> None:
    found = run_augment(tmp_path, ontology, [*RECORDS, FREE], synonyms=1.0, typos=0.1).set_index("record_id")
    original = read_records(tmp_path / "train.parquet").set_index("record_id")
    assert len(found) == 5 * len(original)
    assert found.index.is_unique
    pd.testing.assert_frame_equal(found.loc[original.index], original)
    sources = found.index.str.partition("+").get_level_values(0)
    for name in ("patient_id", "diagnosis", "diagnosis_code", "source", "age", "sex", "date"):
        assert found[name].tolist() == original.loc[sources, name].tolist()
    assert [*map(list, found["groups"])] == [["PMID:1"]] * len(found)


def test_a_copy_depends_on_its_record_alone(tmp_path: Path, ontology: Path) -> None:
    everything = run_augment(tmp_path, ontology, RECORDS).set_index("record_id")["text"]
    few = run_augment(tmp_path, ontology, RECORDS[7:2:-1], copies=2).set_index("record_id")["text"]
    pd.testing.assert_series_equal(few, everything.loc[few.index])


def test_the_hash_seed_of_python_changes_no_byte(tmp_path: Path) -> None:
    found = []
    for seed in ("1", "2"):
        (tmp_path / seed).mkdir()
        lay_out(ROOT / "tests/cases/augment/two-copies", tmp_path / seed, tmp_path)
        assert run_stage(tmp_path / seed, "augment", PYTHONHASHSEED=seed).returncode == 0
        found.append((tmp_path / seed / "data/augmented.parquet").read_bytes())
    assert found[0] == found[1]


def test_another_seed_gives_other_copies(language: Language) -> None:
    assert not {copy["text"] for copy in made(RECORDS[0], language)} & {
        copy["text"] for copy in made(RECORDS[0], language, seed=2)
    }


def test_no_text_repeats_the_record_or_another_copy(language: Language) -> None:
    for record in (*RECORDS, FREE):
        texts = [record["text"], *(copy["text"] for copy in made(record, language, copies=20))]
        assert len(set(texts)) == len(texts)


def test_a_note_tells_at_least_three_findings_and_none_that_the_record_does_not(language: Language) -> None:
    found = [copy for record in RECORDS for copy in made(record, language, phenotype_dropout=0.3)]
    sizes = {len(copy["phenotypes"]) for copy in found}
    assert sizes == {3, 4, 5}  # the sixth is no part of the text
    for copy in found:
        told = {term for term in range(30) if re.search(rf"(?i)finding number{term}\b", copy["text"])}
        denied = [int(term[-2:]) for term in copy["excluded_phenotypes"]]
        assert told == {int(term[-2:]) for term in copy["phenotypes"]} | set(denied)
        assert set(denied) <= {9}


def test_each_method_does_what_it_says_and_nothing_when_it_is_off(language: Language) -> None:
    off = {"phenotype_dropout": 0, "synonyms": 0, "voice_change": 0}
    assert {len(copy["phenotypes"]) for copy in made(RECORDS[0], language, **off)} == {5}
    assert {copy["voice"] for copy in made(RECORDS[0], language, **off)} == {"case report"}
    assert not any("plain words" in copy["text"] for copy in made(RECORDS[0], language, **off))
    assert "case report" not in {copy["voice"] for copy in made(RECORDS[0], language, **off | {"voice_change": 1})}
    worded = [copy["text"] for record in RECORDS for copy in made(record, language, **off | {"synonyms": 1})]
    assert any("plain words" in text for text in worded)


def test_a_text_of_another_origin_is_changed_in_place(language: Language) -> None:
    for copy in made(FREE, language, synonyms=1):
        assert copy["text"] == (
            "[PERSON_1], seen on [DATE_TIME_1]: Finding number5 in plain words for 3 weeks, "
            "then finding number7 in plain words and some fever."
        )
    assert len(made(FREE, language, synonyms=1)) == 1  # there is but one other wording
    assert made(FREE, language, synonyms=0) == []
    typed = made(FREE, language, synonyms=0, typos=0.2)
    assert len(typed) == 4
    assert {tuple(PLACEHOLDER.findall(copy["text"])) for copy in typed} == {("[PERSON_1]", "[DATE_TIME_1]")}


def test_no_wording_names_the_diagnosis(ontology: Path) -> None:
    """A finding's lay wording is the name of the disease: it is never chosen, and neither is it where it stood."""
    record = RECORDS[0] | {"diagnosis": "Finding number0 in plain words"}
    language = read_language(ontology, pd.DataFrame([record]))
    texts = [copy["text"] for seed in range(20) for copy in made(record, language, seed, synonyms=1)]
    assert any("finding number1 in plain words" in text for text in texts)
    assert not any("number0 in plain words" in text.lower() for text in texts)


def test_copies_hold_no_phi_but_placeholders(language: Language) -> None:
    old = [record | {"age": 90.0, "record_id": f"{record['record_id']}-old"} for record in RECORDS]
    for record in [*RECORDS, *old]:
        for copy in made(record, language, voice_change=1, synonyms=0):
            assert sum(hits_by_text([copy["text"]])) == 0, copy["text"]
            plain = PLACEHOLDER.sub("", copy["text"])
            assert not re.search(r"\d{4}|\b(?:one|two)\b|@|\b9\d(?:-year-old| ?y/?o?)\b", plain, re.IGNORECASE), copy[
                "text"
            ]


def test_what_is_held_out_is_out_of_reach() -> None:
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    read = {name: {dep for dep in stage["deps"] if dep.startswith("data/")} for name, stage in stages.items()}
    assert read["augment"] == {"data/train.parquet", "data/ontology"}
    assert {name for name, deps in read.items() if "data/augmented.parquet" in deps} == {"train", "baselines"}
    assert [name for name, stage in stages.items() if "augment" in stage.get("params", [])] == ["augment"]


@pytest.mark.parametrize(
    "changes",
    [{"copies": 21}, {"copies": -1}, {"phenotype_dropout": 1}, {"synonyms": 1.1}, {"voice_change": -1}, {"typos": 0.5}],
)
def test_parameters_have_bounds(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"less than|greater than"):
        AugmentParams.model_validate(ALL | changes)
