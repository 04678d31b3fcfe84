"""Subgroups: bands and groups of every record, metrics of each, and the gap between the furthest two."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from toy_scores import drawn

from stages.lib.ages import age_band, age_bands
from stages.lib.comparison import Model
from stages.lib.fairness import CROSSED, GAP, SHOWN, attributes, by_subgroup, worst
from stages.lib.metrics import point_metrics
from stages.lib.scores import Scores

SETTINGS = {"resamples": 100, "confidence": 0.95, "seed": 1}


def cases(number: int = 300) -> pd.DataFrame:
    """Return records of two sexes, all ages and a source that has families, one record without sex or age."""
    rows = np.arange(number)
    return pd.DataFrame(
        {
            "record_id": [f"r{row}" for row in rows],
            "sex": [None, *np.array(["female", "male"])[rows[1:] % 2]],
            "age": [np.nan, *(rows[1:] % 100)],
            "source": "hpo",
            "voice": "triage note",
            "diagnosis_code": np.array(["ORPHA:1", "ORPHA:2", "ORPHA:3"])[rows % 3],
        }
    )


def model(scores: Scores) -> Model:
    return Model(pd.Index([f"r{row}" for row in range(len(scores.gold))]), scores, scores)


AGES = [(0, "0-17"), (17.99, "0-17"), (18, "18-39"), (40, "40-64"), (64.5, "40-64"), (89, "65-89"), (90, "90+")]


@pytest.mark.parametrize(("age", "band"), AGES)
def test_ages_fall_into_bands(age: float, band: str) -> None:
    assert age_bands(pd.Series([age])).tolist() == [age_band(age)] == [band]


def test_every_record_is_in_one_group_of_each_attribute() -> None:
    found = attributes(cases(), {"ORPHA:1": "storage", "ORPHA:2": "storage"})
    assert list(found.columns) == ["sex", "age band", "source", "voice", "diagnosis group", CROSSED]
    assert found.notna().all(axis=None)
    assert found.loc["r0", ["sex", "age band", CROSSED]].tolist() == ["unknown", "unknown", "unknown, unknown"]
    assert found.loc["r19", CROSSED] == "male, 18-39"
    assert set(found["diagnosis group"]) == {"storage", "unknown"}


def test_families_are_of_simulated_patients_alone() -> None:
    real = cases().assign(source="files")
    assert "diagnosis group" not in attributes(real, {"ORPHA:1": "storage"})
    assert "diagnosis group" not in attributes(cases().assign(diagnosis_code=None), {"ORPHA:1": "storage"})


def test_a_groups_metrics_are_those_of_its_records() -> None:
    scores = drawn(1, cases=300)
    groups = attributes(cases(), {})
    table = by_subgroup(model(scores), groups, **SETTINGS)
    for (attribute, name), rows in table[table["group"] != GAP].groupby(["attribute", "group"]):
        chosen = (groups[str(attribute)] == name).to_numpy()
        expected = point_metrics(scores.at(chosen))
        assert dict(zip(rows["metric"], rows["value"], strict=True)) == pytest.approx(
            {metric: expected[metric] for metric in SHOWN}
        )
        assert set(rows["cases"]) == {chosen.sum()}
        assert ((rows["low"] <= rows["value"]) & (rows["value"] <= rows["high"]))[rows["metric"] == "accuracy"].all()


def test_small_groups_are_not_shown_and_one_group_has_no_gap() -> None:
    table = by_subgroup(model(drawn(1, cases=300)), attributes(cases(), {}), **SETTINGS)
    assert table["cases"].min() >= 20
    assert "unknown" not in set(table["group"])
    assert GAP not in set(table[table["attribute"] == "voice"]["group"])
    few = by_subgroup(model(drawn(1, cases=19)), attributes(cases(19), {}), **SETTINGS)
    assert few.empty
    assert worst(few, metric="macro_recall") is None


def test_the_gap_is_between_the_furthest_two_and_a_real_one_is_seen() -> None:
    scores = drawn(1, cases=300, sharpness=3)
    records = cases()
    spoilt = scores.probabilities.copy()
    women = (records["sex"] == "female").to_numpy()
    spoilt[women] = np.roll(spoilt[women], 1, axis=1)
    table = by_subgroup(model(Scores(spoilt, scores.gold, scores.groups)), attributes(records, {}), **SETTINGS)
    by_sex = table[(table["attribute"] == "sex") & (table["metric"] == "accuracy")].set_index("group")
    gap = by_sex.loc[GAP]
    assert gap["value"] == pytest.approx(by_sex.loc["male", "value"] - by_sex.loc["female", "value"])
    assert gap["low"] > 0
    assert gap["cases"] == 299
    assert (
        by_subgroup(model(scores), attributes(records, {}), **SETTINGS)
        .query(f"attribute == 'sex' and group == '{GAP}' and metric == 'accuracy'")["low"]
        .item()
        <= 0
    )


def test_the_worst_group_is_the_lowest_of_all_that_are_shown() -> None:
    table = by_subgroup(model(drawn(1, cases=300)), attributes(cases(), {}), **SETTINGS)
    name, value = worst(table, metric="macro_recall") or ("", 0.0)
    shown = table[(table["metric"] == "macro_recall") & (table["group"] != GAP)]
    assert value == shown["value"].min()
    attribute, group = name.split(": ")
    assert value in set(shown[(shown["attribute"] == attribute) & (shown["group"] == group)]["value"])
