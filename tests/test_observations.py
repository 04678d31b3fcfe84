"""What the expectation suite looks at: the derived columns, and the two measures of our own expectations."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy
from toy_records import good_records

from stages.lib.expectations.drift import divergence
from stages.lib.expectations.evenness import evenness
from stages.lib.labels import Terminology, number_labels, read_terminology, tokens
from stages.lib.observations import observe, planted
from stages.lib.phi.canaries import TEXTS
from stages.lib.records import write_records

NOTHING = Terminology(frozenset(), frozenset(), {})
counts = st.dictionaries(st.integers(0, 30), st.integers(1, 1000), min_size=1, max_size=12)


@given(counts, counts)
def test_the_divergence_is_that_of_scipy_bounded_and_symmetric(first: dict[int, int], second: dict[int, int]) -> None:
    values = sorted(first.keys() | second.keys())
    shares = [[table.get(value, 0) for value in values] for table in (first, second)]
    expected = np.nan_to_num(jensenshannon(*shares, base=2)) ** 2
    assert divergence(first, second) == pytest.approx(expected, abs=1e-4)
    assert divergence(first, second) == pytest.approx(divergence(second, first), abs=1e-4)
    assert 0 <= divergence(first, second) <= 1
    assert divergence(first, first) == 0


@given(st.lists(st.integers(1, 1000), min_size=2, max_size=20))
def test_the_evenness_is_the_entropy_over_its_largest(sizes: list[int]) -> None:
    assert evenness(sizes) == pytest.approx(entropy(sizes) / np.log(len(sizes)), abs=1e-4)


def test_the_columns_do_not_depend_on_batches_and_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = good_records()
    table.loc[7, "text"] = table.loc[50, "text"]
    write_records(table, tmp_path / "records.parquet")
    whole = observe(tmp_path / "records.parquet", accepted=[], terminology=NOTHING)
    monkeypatch.setattr("stages.lib.observations.ROWS", 7)
    for workers in (1, 2):
        found = observe(tmp_path / "records.parquet", accepted=[], terminology=NOTHING, workers=workers)
        pd.testing.assert_frame_equal(found, whole)
    assert whole["repeats_text"].sum() == 1


def test_patients_of_one_family_are_one_group(tmp_path: Path) -> None:
    write_records(good_records().assign(groups=[["family 1"]] * 30 + [[]] * 30), tmp_path / "records.parquet")
    found = observe(tmp_path / "records.parquet", accepted=[], terminology=NOTHING)
    assert found["groups_of_diagnosis"].unique().tolist() == [11]


@pytest.mark.parametrize(
    ("diagnosis", "named", "unnamed"),
    [
        # the name in any case, with any ending of its last word; a word that is its own
        ("Fabry disease", ["FABRY DISEASE", "Fabry's", "fabry\u2019s disease"], ["kidney disease", "fabrys"]),
        ("Psoriasis", ["psoriasis", "psoriatic plaques"], ["psora"]),
        ("Diabetes", ["diabetic feet"], ["diabase"]),
        ("Beh\u00e7et disease", ["Beh\u00e7et's", "Behcet's"], ["behave"]),
        # without its subtype or brackets, with its commas resolved
        ("Noonan syndrome 2", ["noonan syndrome", "Noonan syndromes"], ["this syndrome 2"]),
        ("Polyposis, juvenile, type 3", ["juvenile polyposis"], ["polyposis", "juvenile"]),
        ("Depletion disease 6 (kidney type)", ["depletion diseases"], ["kidney type"]),
        # an acronym, given or of three words; a word of any text is none
        ("Nerve disease type 1A (NRV1A)", ["an NRV1A patient"], ["nrv1"]),
        ("Systemic lupus erythematosus", ["known SLE", "systemic lupus erythematosus"], ["slept", "the systemic"]),
        ("Hereditary iron plague", ["hereditary iron plagues"], ["pain in the hip"]),
    ],
)
def test_a_text_names_its_diagnosis(diagnosis: str, named: list[str], unnamed: list[str]) -> None:
    words = "depletion diabetes disease erythematosus hereditary hip iron juvenile kidney lupus nerve plague polyposis "
    words += "psoriasis syndrome systemic type"
    terminology = Terminology(frozenset(words.split()), frozenset(["polyposis"]), {})
    names = number_labels({diagnosis: []}, terminology)[diagnosis].names
    for text in named + unnamed:
        line = f" {' '.join(tokens(text))} "
        assert any(name in line for name in names) == (text in named), (text, names)


def test_a_diagnosis_is_named_by_the_other_names_of_its_code(tmp_path: Path) -> None:
    (tmp_path / "hp.obo").write_text('name: Fever\nsynonym: "High temperature" EXACT []\n')
    lines = ["OMIM:1\tGout\t\tHP:0000001", "OMIM:1\tLead gout\t\tHP:0000002", "OMIM:2\tFever\t\tHP:0000001"]
    (tmp_path / "phenotype.hpoa").write_text("\n".join(lines))
    terminology = read_terminology(tmp_path)
    assert terminology.findings == {"fever", "high temperature"}
    assert terminology.diseases == {"OMIM:1": ("Gout", "Lead gout"), "OMIM:2": ("Fever",)}
    assert " lead gout" in number_labels({"Saturnine disease": ["OMIM:1"]}, terminology)["Saturnine disease"].names


def test_words_have_no_case_and_no_punctuation() -> None:
    assert tokens("Crohn\u2019s: FABRY-Disease [PERSON_1]") == ["crohn", "s", "fabry", "disease", "person_1"]


def test_what_is_planted_in_canaries_is_found_and_nothing_that_other_texts_hold_by_chance() -> None:
    def found(text: str) -> bool:
        return bool(pc.match_substring_regex(pa.array([text]), planted())[0].as_py())

    left = {name for name, (_, texts) in TEXTS.items() if any(found(re.sub(r"[{}]", "", text)) for text in texts)}
    assert {name[0] for name in TEXTS} - {name[0] for name in left} == set("CDEO")  # dates and numbers of other forms
    assert not any(map(found, ["in Springfield, 97 days", "General Hospital", "on 04/17/2019", "call (617) 555-0148"]))
