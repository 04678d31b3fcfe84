"""The ontology and the cohort: what is read from them, and what is said where they are broken."""

from __future__ import annotations

from pathlib import Path

import pytest

from stages.lib.phenotypes.cohort import annotated, best_annotated, read_cohort
from stages.lib.phenotypes.likelihood import Rates
from stages.lib.phenotypes.ontology import UNSTATED, frequency, read_annotations, read_terms
from stages.lib.phenotypes.world import cohort, make_model
from stages.lib.stage import StageError
from tests.toy_sources import HPO, write_ontology

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
        ("", UNSTATED),
        ("5/3", UNSTATED),
        ("0/0", UNSTATED),
        ("120%", UNSTATED),
        ("often", UNSTATED),
    ],
)
def test_frequencies_read_as_shares(text: str, share: float) -> None:
    assert frequency(text) == pytest.approx(share)


def test_terms_have_labels_and_synonyms_as_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "hp.obo").write_text(
        '[Term]\nid: HP:1\nname: Seizure\ndef: "As in Lisch disease, a seizure." []\n'
        'synonym: "Seizure, febrile" EXACT []\n'
        'synonym: "Fits" EXACT layperson []\nsynonym: "Epilepsy" RELATED layperson []\n'
        'synonym: "Abnormality of the brain" EXACT []\nsynonym: "FS" EXACT abbreviation []\n'
        'synonym: "AB" EXACT abbreviation []\n\n[Term]\nid: HP:3\nname: Other\nsynonym: "AB" EXACT abbreviation []\n\n'
        "[Term]\nid: HP:2\nname: Lisch nodules\nis_a: HP:1 ! Seizure\n\n[Typedef]\nid: part_of\nname: part of\n",
        encoding="utf-8",
    )
    terms = read_terms(tmp_path / "hp.obo")
    assert terms["HP:1"].clinical == ("seizure", "febrile seizure")
    assert terms["HP:1"].lay == ("fits",)
    assert terms["HP:1"].short == ("FS",)
    assert terms["HP:2"].label == "Lisch nodules"
    assert terms["HP:2"].parents == ("HP:1",)
    assert list(terms) == ["HP:1", "HP:3", "HP:2"]


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
        make_model(folder, diseases=read_cohort(), rates=Rates(**HPO["rates"]))
    assert expected in str(error.value)
    assert "\n" not in str(error.value)


def test_the_cohort_is_confusable_and_unambiguous() -> None:
    diseases = read_cohort()
    assert 24 <= len(diseases) <= 32
    assert len({disease.id for disease in diseases}) == len({disease.name for disease in diseases}) == len(diseases)
    groups = [disease.group for disease in diseases]
    assert min(groups.count(group) for group in groups) >= 3


def write_rows(folder: Path, *rows: str) -> Path:
    """Write phenotype.hpoa with rows of disease, term, reference, frequency and aspect."""
    columns = (
        "database_id disease_name qualifier hpo_id reference evidence onset frequency sex modifier aspect biocuration"
    )
    lines = [columns.replace(" ", "\t")]
    for row in rows:
        disease, term, reference, frequency, aspect = row.split(",")
        lines.append(
            "\t".join([disease, f"{disease} name", "", term, reference, "", "", frequency, "", "", aspect, ""])
        )
    (folder / "phenotype.hpoa").write_text("\n".join(lines) + "\n")
    return folder / "phenotype.hpoa"


def test_counts_of_several_publications_are_added_up_and_cited_ones_dropped(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [
        "OMIM:1,HP:1,PMID:1,1/2,P",
        "OMIM:1,HP:1,PMID:2;PMID:3,7/8,P",
        "OMIM:1,HP:2,OMIM:1,,P",
        "OMIM:2,HP:1,PMID:3,3/4,P",
    ]
    path = write_rows(tmp_path, *rows)
    every = read_annotations(path).set_index(["disease", "term"])["frequency"]
    assert every.to_dict() == {("OMIM:1", "HP:1"): 0.8, ("OMIM:1", "HP:2"): UNSTATED, ("OMIM:2", "HP:1"): 0.75}
    with caplog.at_level("INFO"):
        kept = read_annotations(path, without=["PMID:3"]).set_index(["disease", "term"])["frequency"]
    assert kept.to_dict() == {("OMIM:1", "HP:1"): 0.5, ("OMIM:1", "HP:2"): UNSTATED}
    assert "dropped: 2 rows (OMIM:1 1/3, OMIM:2 1/1)" in caplog.text


def test_ages_and_sex_come_from_annotated_onset_and_inheritance(tmp_path: Path) -> None:
    write_rows(tmp_path, "OMIM:1,HP:0011463,OMIM:1,,C", "OMIM:1,HP:0003621,OMIM:1,,C", "OMIM:1,HP:0001419,OMIM:1,,I")
    first, second = annotated({"OMIM:1": "One", "OMIM:2": "Two"}, ontology=tmp_path)
    assert (first.name, first.ages, first.male) == ("One", (1, 26), 0.95)
    assert (second.name, second.ages, second.male) == ("Two", (0, 80), 0.5)


def test_the_best_annotated_diseases_are_those_whose_names_leave_findings_their_words(tmp_path: Path) -> None:
    path = write_rows(tmp_path, *(f"ORPHA:{n},HP:{m},ORPHA:{n},40%,P" for n in range(4) for m in range(n + 1)))
    annotations = read_annotations(path)
    best = best_annotated(annotations, number=2, needed={"fever"})
    assert list(best) == ["ORPHA:3", "ORPHA:2"]
    annotations.loc[annotations["disease"] == "ORPHA:3", "name"] = "Some fever"
    assert list(best_annotated(annotations, number=2, needed={"fever"})) == ["ORPHA:2", "ORPHA:1"]
    with pytest.raises(StageError, match=r"acquire\.hpo\.cohort: 9: phenotype\.hpoa has 4 such diseases"):
        best_annotated(annotations, number=9, needed=set())


def test_a_cohort_of_any_size_is_drawn_from_the_annotations(tmp_path: Path) -> None:
    diseases = cohort(5, ontology=write_ontology(tmp_path), shared={})
    assert len({disease.id for disease in diseases}) == 5
    assert {disease.id for disease in diseases} <= {disease.id for disease in read_cohort()}


@pytest.mark.skipif(not (REAL / "phenotype.hpoa").exists(), reason="needs data/ontology: dvc repro fetch")
def test_the_cohort_names_diseases_as_phenotype_hpoa_does() -> None:
    annotations = read_annotations(REAL / "phenotype.hpoa").groupby("disease")
    for disease in read_cohort():
        rows = annotations.get_group(disease.id)
        assert set(rows["name"]) == {disease.name}
        assert len(rows) >= 20
        assert rows["frequency"].sum() >= 10
