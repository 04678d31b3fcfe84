"""The ontology and the cohort: what is read from them, and what is said where they are broken."""

from __future__ import annotations

from pathlib import Path

import pytest

from stages.lib.stage import StageError
from stages.sources.cohort import read_cohort
from stages.sources.hpo import make_world
from stages.sources.ontology import frequency, read_annotations, read_terms
from tests.toy_sources import write_ontology

REAL = Path("data/ontology")


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("HP:0040280", 1.0),
        ("HP:0040281", 0.895),
        ("HP:0040285", 0.0),
        ("3/5", 0.6),
        ("0/7", 0.0),
        ("12%", 0.12),
        ("12.5 %", 0.125),
        ("", None),
        ("5/3", None),
        ("0/0", None),
        ("120%", None),
        ("often", None),
    ],
)
def test_frequencies_read_as_shares(text: str, share: float | None) -> None:
    assert frequency(text) == (pytest.approx(share) if share is not None else None)


def test_terms_have_labels_and_synonyms_as_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "hp.obo").write_text(
        '[Term]\nid: HP:1\nname: Seizure\ndef: "A seizure of raynaud type." []\nsynonym: "Seizure, febrile" EXACT []\n'
        'synonym: "Fits" EXACT layperson []\nsynonym: "Epilepsy" RELATED layperson []\n\n'
        "[Term]\nid: HP:2\nname: Lisch nodules\nis_a: HP:1 ! Seizure\n\n[Typedef]\nid: part_of\nname: part of\n",
        encoding="utf-8",
    )
    terms = read_terms(tmp_path / "hp.obo")
    assert terms["HP:1"].clinical == ("seizure", "febrile seizure")
    assert terms["HP:1"].lay == ("Fits",)
    assert terms["HP:2"].label == "Lisch nodules"
    assert terms["HP:2"].parents == ("HP:1",)
    assert list(terms) == ["HP:1", "HP:2"]


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("hp.obo", None, "hp.obo: missing"),
        ("hp.obo", b"", "hp.obo: holds no [Term]"),
        ("hp.obo", b"\xff\xfe\x00", "hp.obo: is not text"),
        ("phenotype.hpoa", None, "phenotype.hpoa: missing"),
        ("phenotype.hpoa", b"", "phenotype.hpoa: is not a phenotype.hpoa"),
        ("phenotype.hpoa", b"a\tb\n1\t2\n", "phenotype.hpoa: is not a phenotype.hpoa"),
        ("phenotype.hpoa", b"database_id\tdisease", "phenotype.hpoa: is not a phenotype.hpoa"),
    ],
)
def test_a_broken_ontology_is_an_error_of_one_line(
    tmp_path: Path, name: str, content: bytes | None, expected: str
) -> None:
    folder = write_ontology(tmp_path / "ontology")
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_bytes(content)
    with pytest.raises(StageError) as error:
        make_world(folder, diseases=read_cohort(), seed=1)
    assert expected in str(error.value)
    assert "\n" not in str(error.value)


def test_the_cohort_is_confusable_and_unambiguous() -> None:
    diseases = read_cohort()
    assert 24 <= len(diseases) <= 32
    assert len({disease.id for disease in diseases}) == len({disease.name for disease in diseases}) == len(diseases)
    groups = [disease.group for disease in diseases]
    assert min(groups.count(group) for group in groups) >= 3


@pytest.mark.skipif(not (REAL / "phenotype.hpoa").exists(), reason="needs data/ontology: dvc repro fetch")
def test_the_cohort_names_diseases_as_phenotype_hpoa_does() -> None:
    annotations = read_annotations(REAL / "phenotype.hpoa").groupby("disease")
    for disease in read_cohort():
        rows = annotations.get_group(disease.id)
        assert set(rows["name"]) == {disease.name}
        assert len(rows) >= 20
        assert rows["frequency"].sum() >= 10
