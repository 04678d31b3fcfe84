"""Models compared on the same test records: gains are paired, on what both predict, tested, and the ceiling watched."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.evaluate import headline
from stages.lib.comparison import COMPARED, Model, compare, gains, holm, mcnemar, shared, two_sided, with_intervals
from stages.lib.scores import Scores

CASES, DIAGNOSES = 300, 4
SETTINGS = {"resamples": 500, "confidence": 0.95, "seed": 1}


def make(accuracy: float, *, seed: int, ids: range = range(CASES), copies: int = 1) -> Model:
    """Return a model that is right on that share of cases; gold does not depend on the seed."""
    gold = np.random.default_rng(0).integers(DIAGNOSES, size=CASES)
    generator = np.random.default_rng(seed)
    first = np.where(generator.random(CASES) < accuracy, gold, (gold + 1) % DIAGNOSES)
    probabilities = np.full((CASES, DIAGNOSES), 0.1)
    probabilities[np.arange(CASES), first] = 0.7
    rows = np.repeat(list(ids), copies)
    scores = Scores(probabilities[rows], gold[rows], rows)
    return Model(pd.Index([f"r{row}-{copy % copies}" for copy, row in enumerate(rows)]), scores, scores)


def row(table: pd.DataFrame, model: str, baseline: str, metric: str = "accuracy") -> pd.Series:
    found = table[(table["model"] == model) & (table["baseline"] == baseline) & (table["metric"] == metric)]
    assert len(found) == 1
    return found.iloc[0]


def summary(**models: Model) -> dict[str, object]:
    bounds = with_intervals(models, **SETTINGS)
    bounds["tuned"] |= dict.fromkeys(("answered", "set_coverage", "mean_set_size"), bounds["tuned"]["cases"])
    bounds["tuned"]["selective_risk"] = bounds["tuned"]["cases"]._replace(value=math.nan)
    none = pd.DataFrame(columns=["attribute", "group", "cases", "metric", "value", "low", "high"])
    return headline(bounds, comparisons=compare(models, **SETTINGS), subgroups=none)


def test_a_gain_is_paired_on_the_records_that_both_models_predict() -> None:
    tuned, other = make(0.8, seed=1), make(0.7, seed=2, ids=range(299, 99, -1))
    found = row(compare({"tuned": tuned, "phenotype_likelihood": other}, **SETTINGS), "tuned", "phenotype_likelihood")
    same = {f"r{number}-0" for number in range(100, 300)}
    ours = (tuned.calibrated.predicted == tuned.calibrated.gold)[[i in same for i in tuned.ids]].mean()
    theirs = (other.calibrated.predicted == other.calibrated.gold).mean()
    assert found["gain"] == pytest.approx(ours - theirs)
    assert found["low"] < found["gain"] < found["high"]
    assert found["cases"] == 200


def test_a_model_against_itself_gains_nothing_with_certainty() -> None:
    model = make(0.8, seed=1)
    assert set(gains(model, model, **SETTINGS).values()) == {(0.0, 0.0, 0.0, 1.0)}
    assert mcnemar(*shared(model, model)) == 1


def test_every_compared_metric_has_a_row_and_only_accuracy_a_mcnemar() -> None:
    models = {"tuned": make(0.7, seed=1), "tfidf": make(0.6, seed=2), "ceiling": make(0.9, seed=3)}
    table = compare(models, **SETTINGS)
    assert table.groupby(["model", "baseline"], sort=False)["metric"].agg(tuple).to_dict() == dict.fromkeys(
        (("tuned", "tfidf"), ("tuned", "ceiling"), ("tfidf", "ceiling")), COMPARED
    )
    assert (table["p_mcnemar"].notna() == (table["metric"] == "accuracy")).all()
    assert (table["p_adjusted"].notna() == ((table["model"] == "tuned") & (table["baseline"] == "tfidf"))).all()


def test_mcnemar_is_the_two_sided_binomial_of_the_discordant_cases() -> None:
    one, other = shared(make(0.8, seed=1), make(0.7, seed=2))
    right, base = one.predicted == one.gold, other.predicted == other.gold
    won, lost = int((right & ~base).sum()), int((~right & base).sum())
    tail = sum(math.comb(won + lost, k) for k in range(min(won, lost) + 1)) / 2 ** (won + lost)
    assert mcnemar(one, other) == pytest.approx(min(1, 2 * tail))
    assert mcnemar(*shared(make(1.0, seed=1), make(0.0, seed=1))) == 1e-4


def test_copies_of_cases_change_mcnemar_and_not_the_bootstrap() -> None:
    single, copied = (
        compare({"tuned": make(0.75, seed=1, copies=n), "tfidf": make(0.7, seed=2, copies=n)}, **SETTINGS)
        for n in (1, 4)
    )
    one, four = row(single, "tuned", "tfidf"), row(copied, "tuned", "tfidf")
    assert four["p_bootstrap"] == one["p_bootstrap"]
    assert four["p_mcnemar"] < one["p_mcnemar"]


def test_the_bootstrap_p_is_small_where_the_interval_excludes_0() -> None:
    for accuracy in (0.6, 0.65, 0.7, 0.75, 0.8):
        found = row(
            compare({"tuned": make(0.7, seed=1), "tfidf": make(accuracy, seed=2)}, **SETTINGS), "tuned", "tfidf"
        )
        excluded = found["low"] > 0 or found["high"] < 0
        assert (found["p_bootstrap"] < 0.05) == excluded


def test_the_bootstrap_p_is_below_5_percent_in_about_one_of_twenty_equal_models() -> None:
    generator = np.random.default_rng(1)
    found = [two_sided(generator.normal(generator.normal(), 1, 999)) for _ in range(1000)]
    assert 0.03 < (np.array(found) < 0.05).mean() < 0.07


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_follows_its_definition(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    for place, index in enumerate(order):
        steps = [min(1, (len(order) - k) * p_values[order[k]]) for k in range(place + 1)]
        assert adjusted[index] == pytest.approx(max(steps))
    assert (adjusted >= np.array(p_values) - 1e-12).all()


def test_holm_of_a_known_example() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]).tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])


@pytest.mark.parametrize(("accuracy", "above"), [(0.6, 0), (0.9, 0), (0.99, 1)])
def test_a_model_above_the_ceiling_is_counted_and_named(
    accuracy: float, above: int, caplog: pytest.LogCaptureFixture
) -> None:
    found = summary(tuned=make(0.7, seed=1), tfidf=make(accuracy, seed=2), ceiling=make(0.9, seed=3))
    assert found["models_above_ceiling"] == above
    assert ("tfidf is above the ceiling" in caplog.text) == bool(above)


def test_a_model_that_predicts_fewer_cases_says_so() -> None:
    models = {"tuned": make(0.7, seed=1), "tfidf": make(0.7, seed=2), "part": make(0.9, seed=3, ids=range(50))}
    bounds = with_intervals(models, **SETTINGS)
    assert [bounds[name]["cases"].value for name in models] == [300, 300, 50]
    assert "models_above_ceiling" not in summary(**models)


def test_without_subgroups_no_worst_one_is_named() -> None:
    found = summary(tuned=make(0.7, seed=1), tfidf=make(0.7, seed=2))
    assert "worst_group" not in found
