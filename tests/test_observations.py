"""What the expectation suite looks at: the derived columns, and the two measures of our own expectations."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy
from toy_records import good_records

from stages.lib.expectations.drift import divergence
from stages.lib.expectations.evenness import evenness
from stages.lib.labels import Labels, tokens
from stages.lib.observations import observe
from stages.lib.records import write_records

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


def test_the_columns_do_not_depend_on_how_the_file_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = good_records()
    table.loc[7, "text"] = table.loc[50, "text"]
    write_records(table, tmp_path / "records.parquet")
    whole = observe(tmp_path / "records.parquet", accepted=[], ontology=frozenset())
    monkeypatch.setattr("stages.lib.observations.ROWS", 7)
    pd.testing.assert_frame_equal(observe(tmp_path / "records.parquet", accepted=[], ontology=frozenset()), whole)
    assert whole["repeats_text"].sum() == 1


def test_patients_of_one_family_are_one_group(tmp_path: Path) -> None:
    write_records(good_records().assign(groups=[["family 1"]] * 30 + [[]] * 30), tmp_path / "records.parquet")
    found = observe(tmp_path / "records.parquet", accepted=[], ontology=frozenset())
    assert found["groups_of_diagnosis"].unique().tolist() == [11]


def test_a_diagnosis_is_named_by_its_words_or_by_one_that_is_its_own() -> None:
    labels = Labels([], ontology=frozenset(["disease", "kidney", "polycystic"]))
    assert labels["Fabry disease"].names == (" fabry disease ", " fabry ")
    assert labels["Polycystic Kidney Disease, type 2"].names[0] == " polycystic kidney disease type 2 "
    assert tokens("Crohn\u2019s: FABRY-Disease [PERSON_1]") == ["crohn", "s", "fabry", "disease", "person_1"]
