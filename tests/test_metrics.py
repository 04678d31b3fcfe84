from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, log_loss, roc_auc_score, top_k_accuracy_score

from stages.lib.metrics import (
    Scores,
    apply_temperature,
    bootstrap,
    expected_calibration_error,
    fit_temperature,
    point_metrics,
    reliability,
)


def drawn(seed: int, *, cases: int = 400, diagnoses: int = 6, sharpness: float = 1.0) -> Scores:
    """Return perfectly calibrated scores: gold is drawn from the probabilities."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(0, 2 * sharpness, (cases, diagnoses))
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    gold = (probabilities.cumsum(axis=1) > generator.random((cases, 1))).argmax(axis=1)
    return Scores(probabilities, gold, np.arange(cases))


@given(st.integers(0, 10_000))
@settings(deadline=None, max_examples=25)
def test_metrics_agree_with_scikit_learn(seed: int) -> None:
    scores = drawn(seed)
    predicted = scores.probabilities.argmax(axis=1)
    ours = point_metrics(scores)
    assert ours["accuracy"] == pytest.approx(accuracy_score(scores.gold, predicted))
    assert ours["macro_f1"] == pytest.approx(f1_score(scores.gold, predicted, average="macro"))
    assert ours["log_loss"] == pytest.approx(log_loss(scores.gold, scores.probabilities, labels=range(6)))
    assert ours["top_3_accuracy"] == pytest.approx(top_k_accuracy_score(scores.gold, scores.probabilities, k=3))
    assert ours["macro_auc_roc"] == pytest.approx(roc_auc_score(scores.gold, scores.probabilities, multi_class="ovr"))


@given(st.integers(0, 10_000))
@settings(deadline=None, max_examples=25)
def test_metrics_are_bounded_and_blind_to_order(seed: int) -> None:
    scores = drawn(seed)
    order = np.random.default_rng(seed).permutation(len(scores.gold))
    shuffled = Scores(scores.probabilities[order], scores.gold[order], scores.groups[order])
    ours = point_metrics(scores)
    assert ours == pytest.approx(point_metrics(shuffled))
    assert all(0 <= value <= 1 for name, value in ours.items() if name not in {"log_loss", "brier_score"})
    assert 0 <= ours["brier_score"] <= 2
    assert ours["accuracy"] <= ours["top_3_accuracy"] <= ours["top_5_accuracy"]


def test_the_bootstrap_covers_the_point_and_resamples_whole_groups() -> None:
    scores = drawn(1)
    samples = bootstrap(scores, resamples=500, seed=1)
    points = point_metrics(scores)
    for name, values in samples.items():
        low, high = np.quantile(values, [0.025, 0.975])
        assert low < points[name] < high, name
    by_fours = Scores(scores.probabilities, scores.gold, np.arange(400) // 4)
    in_one_group = Scores(scores.probabilities, scores.gold, np.zeros(400))
    assert bootstrap(in_one_group, resamples=50, seed=1)["accuracy"].std() == pytest.approx(0)
    repeated = Scores(np.repeat(scores.probabilities, 4, axis=0), np.repeat(scores.gold, 4), np.arange(1600) // 4)
    assert bootstrap(repeated, resamples=500, seed=1)["accuracy"].std() == pytest.approx(samples["accuracy"].std())
    assert bootstrap(by_fours, resamples=500, seed=1)["accuracy"].std() > 0


def test_the_same_seed_gives_the_same_draws() -> None:
    one, two = (bootstrap(drawn(1), resamples=50, seed=7) for _ in range(2))
    assert all((one[name] == two[name]).all() for name in one)


@pytest.mark.parametrize("true_temperature", [0.4, 1.0, 2.5])
def test_temperature_scaling_recovers_a_distortion(true_temperature: float) -> None:
    scores = drawn(3, cases=20_000)
    distorted = apply_temperature(scores.probabilities, 1 / true_temperature)
    assert fit_temperature(distorted, scores.gold) == pytest.approx(true_temperature, rel=0.05)


def plug_in_calibration_error(scores: Scores) -> float:
    confidence, accuracy, size = reliability(scores)
    return float((size / size.sum() * np.abs(confidence - accuracy)).sum())


def test_debiasing_brings_the_error_of_a_calibrated_model_nearer_to_none() -> None:
    models = [drawn(seed, cases=1000) for seed in range(20)]
    debiased = np.mean([expected_calibration_error(scores, seed=0) for scores in models])
    assert debiased < 0.75 * np.mean([plug_in_calibration_error(scores) for scores in models])


def test_the_calibration_error_of_an_overconfident_model_is_seen() -> None:
    overconfident = drawn(1, cases=1000).tempered(0.3)
    assert expected_calibration_error(overconfident, seed=0) > 0.1
