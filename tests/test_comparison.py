"""Models compared on the same test records: gains are paired, on what both predict, and the ceiling is watched."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from stages.evaluate import headline
from stages.lib.comparison import Model, with_intervals
from stages.lib.metrics import Intervals, Scores

CASES, DIAGNOSES = 300, 4


def make(accuracy: float, *, seed: int, ids: range = range(CASES)) -> Model:
    """Return a model that is right on that share of cases; gold does not depend on the seed."""
    gold = np.random.default_rng(0).integers(DIAGNOSES, size=CASES)
    generator = np.random.default_rng(seed)
    first = np.where(generator.random(CASES) < accuracy, gold, (gold + 1) % DIAGNOSES)
    probabilities = np.full((CASES, DIAGNOSES), 0.1)
    probabilities[np.arange(CASES), first] = 0.7
    rows = list(ids)
    scores = Scores(probabilities[rows], gold[rows], np.arange(CASES)[rows])
    return Model(pd.Index([f"r{row}" for row in rows]), scores, scores, 1.0)


def compared(**models: Model) -> Intervals:
    return with_intervals(models, resamples=500, confidence=0.95, seed=1)


def test_a_gain_is_paired_on_the_records_that_both_models_predict() -> None:
    tuned, other = make(0.8, seed=1), make(0.7, seed=2, ids=range(299, 99, -1))
    gain = compared(tuned=tuned, phenotype_likelihood=other)["tuned - phenotype_likelihood"]["accuracy"]
    same = {f"r{row}" for row in range(100, 300)}
    ours = (tuned.calibrated.probabilities.argmax(1) == tuned.calibrated.gold)[[i in same for i in tuned.ids]].mean()
    theirs = (other.calibrated.probabilities.argmax(1) == other.calibrated.gold).mean()
    assert gain.value == pytest.approx(ours - theirs)
    assert gain.low < gain.value < gain.high


def test_a_model_against_itself_gains_nothing_with_certainty() -> None:
    model = make(0.8, seed=1)
    gain = compared(tuned=model, tfidf=model)["tuned - tfidf"]
    assert {tuple(interval) for interval in gain.values()} == {(0.0, 0.0, 0.0)}


@pytest.mark.parametrize(("accuracy", "above"), [(0.6, 0), (0.9, 0), (0.99, 1)])
def test_a_model_above_the_ceiling_is_counted_and_named(
    accuracy: float, above: int, caplog: pytest.LogCaptureFixture
) -> None:
    models = {"tuned": make(0.7, seed=1), "tfidf": make(accuracy, seed=2), "ceiling": make(0.9, seed=3)}
    summary = headline(models, compared(**models), seed=1)
    assert summary["models_above_ceiling"] == above
    assert ("tfidf is above the ceiling" in caplog.text) == bool(above)


def test_a_model_that_predicts_fewer_cases_says_so() -> None:
    models = {"tuned": make(0.7, seed=1), "tfidf": make(0.7, seed=2), "part": make(0.9, seed=3, ids=range(50))}
    summary = headline(models, compared(**models), seed=1)
    assert summary["part"]["cases"] == 50
    assert "cases" not in summary["tuned"]
    assert "models_above_ceiling" not in summary
