"""The calibration error is debiased, sees overconfidence, and stands against what chance alone would give."""

from __future__ import annotations

import numpy as np
import pytest
from toy_scores import drawn, tempered

from stages.lib.reliability import bins, calibration_error_by_chance, expected_calibration_error, reliability
from stages.lib.scores import Scores


def plug_in(scores: Scores) -> float:
    confidence, accuracy, size = reliability(scores)
    return float((size / size.sum() * np.abs(confidence - accuracy)).sum())


def test_the_error_is_the_plug_in_less_its_bias_under_redrawn_accuracies() -> None:
    scores = tempered(drawn(2, cases=600), 0.6)
    confidence, accuracy, size = reliability(scores)
    spread = np.sqrt(accuracy * (1 - accuracy) / size)
    redrawn = np.random.default_rng(9).normal(accuracy, spread, size=(20_000, len(size)))
    moved = (np.abs(confidence - redrawn) * size / size.sum()).sum(axis=1).mean()
    expected = plug_in(scores) - (moved - plug_in(scores))
    assert expected_calibration_error(scores) == pytest.approx(expected, abs=0.001)


def test_bins_are_of_equal_mass_and_in_the_order_of_confidence() -> None:
    confidence, accuracy, size = reliability(drawn(1, cases=1003))
    assert set(size) == {100, 101}
    assert (np.diff(confidence) > 0).all()
    assert ((accuracy >= 0) & (accuracy <= 1)).all()


def test_the_error_is_bounded_and_blind_to_order() -> None:
    for seed in range(10):
        scores = tempered(drawn(seed), 0.5 + seed / 5)
        order = np.random.default_rng(seed).permutation(len(scores.gold))
        error = expected_calibration_error(scores)
        assert 0 <= error <= 1
        assert error == pytest.approx(expected_calibration_error(scores.at(order)))


def test_debiasing_brings_the_error_of_a_calibrated_model_nearer_to_none() -> None:
    models = [drawn(seed, cases=1000) for seed in range(20)]
    debiased = np.mean([expected_calibration_error(scores) for scores in models])
    assert debiased < 0.75 * np.mean([plug_in(scores) for scores in models])


def test_the_calibration_error_of_an_overconfident_model_is_seen() -> None:
    overconfident = tempered(drawn(1, cases=1000), 0.3)
    assert expected_calibration_error(overconfident) > 0.1
    assert expected_calibration_error(overconfident) > calibration_error_by_chance(overconfident, seed=0)


def test_a_calibrated_model_passes_what_chance_gives_in_one_draw_of_twenty() -> None:
    passed = 0
    for seed in range(200):
        scores = drawn(seed, cases=300)
        passed += expected_calibration_error(scores) > calibration_error_by_chance(scores, seed=seed)
    assert 0.01 <= passed / 200 <= 0.10


def test_chance_gives_less_the_more_cases_there_are_and_the_same_for_a_seed() -> None:
    few, many = (calibration_error_by_chance(drawn(1, cases=cases), seed=1) for cases in (200, 2000))
    assert few > 2 * many
    assert few == calibration_error_by_chance(drawn(1, cases=200), seed=1)


def test_models_with_fewer_cases_than_bins_have_fewer_rows() -> None:
    table = bins({"raw": {"tuned": drawn(1), "zero_shot": drawn(1, cases=4)}})
    assert len(table) == 10
    assert table["zero_shot_raw_accuracy"].notna().sum() == 4
