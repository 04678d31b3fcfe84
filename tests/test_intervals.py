"""Intervals resample whole groups, cover what they promise, and are the same for the same seed."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_scores import drawn

from stages.lib.intervals import Interval, bootstrap, interval, read_intervals, write_intervals
from stages.lib.metrics import per_record, point_rates
from stages.lib.scores import Scores


@given(seed=st.integers(0, 10_000), size=st.integers(1, 3))
@settings(deadline=None, max_examples=15)
def test_a_resample_is_the_metric_of_the_records_drawn(seed: int, size: int) -> None:
    scores = drawn(seed, cases=60, diagnoses=4)
    scores = Scores(scores.probabilities, scores.gold, np.arange(60) // size)
    found = bootstrap(scores, resamples=3, seed=seed)
    groups = len(set(scores.groups))
    for number, chosen in enumerate(np.random.default_rng(seed).integers(groups, size=(3, groups))):
        records = np.concatenate([np.flatnonzero(scores.groups == group) for group in chosen])
        assert {name: values[number] for name, values in found.items()} == pytest.approx(
            point_rates(scores.at(records))
        )


def test_a_subset_of_records_is_resampled_with_the_rest() -> None:
    scores = drawn(1, cases=90)
    rows = np.arange(90) % 3 == 0
    found = bootstrap(scores, resamples=20, seed=3, rows=rows)
    drawn_groups = np.random.default_rng(3).integers(90, size=(20, 90))
    for number, chosen in enumerate(drawn_groups):
        kept = chosen[rows[chosen]]
        assert found["accuracy"][number] == pytest.approx((scores.predicted == scores.gold)[kept].mean())


def test_a_resample_without_any_of_the_subset_is_not_counted() -> None:
    scores = drawn(1, cases=30)
    values = bootstrap(scores, resamples=200, seed=1, rows=np.arange(30) == 0)["accuracy"]
    assert np.isnan(values).any()
    found = interval(1.0, values, confidence=0.9)
    assert not math.isnan(found.low)
    assert math.isnan(interval(1.0, np.full(5, np.nan), confidence=0.9).low)


def test_the_bootstrap_resamples_whole_groups() -> None:
    scores = drawn(1)
    samples = bootstrap(scores, resamples=500, seed=1)
    for name, value in point_rates(scores).items():
        low, high = np.quantile(samples[name], [0.025, 0.975])
        assert low < value < high, name
    in_one_group = Scores(scores.probabilities, scores.gold, np.zeros(400))
    assert bootstrap(in_one_group, resamples=50, seed=1)["accuracy"].std() == pytest.approx(0)
    repeated = Scores(np.repeat(scores.probabilities, 4, axis=0), np.repeat(scores.gold, 4), np.arange(1600) // 4)
    assert bootstrap(repeated, resamples=500, seed=1)["accuracy"].std() == pytest.approx(samples["accuracy"].std())


def test_the_same_seed_gives_the_same_draws() -> None:
    one, two, other = (bootstrap(drawn(1), resamples=50, seed=seed) for seed in (7, 7, 8))
    assert all((one[name] == two[name]).all() for name in one)
    assert (one["accuracy"] != other["accuracy"]).any()


@pytest.mark.full
def test_intervals_of_95_percent_cover_the_truth_so_often() -> None:
    """Groups of one to three copies of a case, so that intervals that take cases for independent would be too short."""
    shown = ("accuracy", "top_3_accuracy", "brier_score", "log_loss")
    truth = {name: values.mean() for name, values in per_record(drawn(0, cases=1_000_000)).items()}
    covered = dict.fromkeys(shown, 0)
    simulations = 1000
    for seed in range(1, simulations + 1):
        base = drawn(seed, cases=300)
        group = np.repeat(np.arange(300), np.random.default_rng(seed).integers(1, 4, size=300))
        scores = Scores(base.probabilities[group], base.gold[group], group)
        samples = bootstrap(scores, resamples=400, seed=seed)
        for name in shown:
            found = interval(0.0, samples[name], confidence=0.95)
            covered[name] += found.low <= truth[name] <= found.high
    assert {name: 0.93 <= count / simulations <= 0.97 for name, count in covered.items()} == dict.fromkeys(shown, True)


def test_intervals_are_read_as_written(tmp_path: Path) -> None:
    found = {"tuned": {"accuracy": Interval(0.51239, 0.4, 0.6), "cases": Interval(1095), "kappa": Interval(math.nan)}}
    write_intervals(found, tmp_path / "intervals.csv", digits=4)
    assert (tmp_path / "intervals.csv").read_text() == (
        "model,metric,value,low,high,null_high\ntuned,accuracy,0.5124,0.4,0.6,\ntuned,cases,1095,,,\ntuned,kappa,,,,\n"
    )
    read = read_intervals(tmp_path / "intervals.csv")["tuned"]
    assert read["accuracy"][:3] == (0.5124, 0.4, 0.6)
    assert math.isnan(read["kappa"].value)
