"""Every metric agrees with an implementation of its own: scikit-learn's, or the definition written out."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn
from toy_scores import drawn

from stages.lib.metrics import areas, by_diagnosis, per_record, point_metrics, roc_curves
from stages.lib.scores import Scores

UNBOUNDED = {"log_loss", "brier_score", "cohen_kappa"}


def counts(gold: np.ndarray, predicted: np.ndarray, diagnosis: int) -> tuple[int, int, int, int]:
    """Return true and false positives, false and true negatives."""
    pairs = [(g == diagnosis, p == diagnosis) for g, p in zip(gold, predicted, strict=True)]
    return tuple(pairs.count(kind) for kind in ((True, True), (False, True), (True, False), (False, False)))  # type: ignore[return-value]


def rates(gold: np.ndarray, predicted: np.ndarray, diagnosis: int) -> tuple[float, float, float]:
    """Return precision, recall and F1, by definition."""
    hit, false_alarm, missed, _ = counts(gold, predicted, diagnosis)
    precision = hit / (hit + false_alarm) if hit + false_alarm else 0.0
    recall = hit / (hit + missed) if hit + missed else 0.0
    return precision, recall, 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def averaged(which: int, how: str) -> Callable[[np.ndarray, np.ndarray], float]:
    def average(gold: np.ndarray, p: np.ndarray) -> float:
        present = sorted(set(gold.tolist()))
        values = [rates(gold, p.argmax(1), diagnosis)[which] for diagnosis in present]
        shares = [1 / len(present) if how == "macro" else (gold == diagnosis).mean() for diagnosis in present]
        return float(np.dot(values, shares))

    return average


def kappa(gold: np.ndarray, p: np.ndarray) -> float:
    predicted = p.argmax(1)
    agreed = (gold == predicted).mean()
    chance = sum((gold == k).mean() * (predicted == k).mean() for k in range(p.shape[1]))
    return float((agreed - chance) / (1 - chance))


def area_by_pairs(positive: np.ndarray, score: np.ndarray) -> float:
    """Return the share of pairs of a case with and one without the diagnosis that are in order; ties count half."""
    with_it, without = score[positive][:, None], score[~positive]
    return float(((with_it > without) + 0.5 * (with_it == without)).mean())


def precision_area(positive: np.ndarray, score: np.ndarray) -> float:
    """Return the precision at each case that has the diagnosis, averaged; no two scores are equal."""
    return float(np.mean([positive[score >= least].mean() for least in score[positive]]))


def over_diagnoses(area: Callable[[np.ndarray, np.ndarray], float]) -> Callable[[np.ndarray, np.ndarray], float]:
    return lambda gold, p: float(np.mean([area(gold == k, p[:, k]) for k in np.unique(gold)]))


def reciprocal_rank(gold: np.ndarray, p: np.ndarray) -> float:
    return float(np.mean([1 / (1 + sorted(row, reverse=True).index(row[g])) for row, g in zip(p, gold, strict=True)]))


NAMES = ("precision", "recall", "f1")
REFERENCES: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "accuracy": lambda gold, p: sklearn.accuracy_score(gold, p.argmax(1)),
    "balanced_accuracy": lambda gold, p: sklearn.balanced_accuracy_score(gold, p.argmax(1)),
    "top_3_accuracy": lambda gold, p: sklearn.top_k_accuracy_score(gold, p, k=3, labels=range(p.shape[1])),
    "top_5_accuracy": lambda gold, p: sklearn.top_k_accuracy_score(gold, p, k=5, labels=range(p.shape[1])),
    "mean_reciprocal_rank": reciprocal_rank,
    "log_loss": lambda gold, p: sklearn.log_loss(gold, p, labels=range(p.shape[1])),
    "brier_score": lambda gold, p: sklearn.brier_score_loss(gold, p, labels=range(p.shape[1]), scale_by_half=False),
    "cohen_kappa": kappa,
    "macro_auc_roc": over_diagnoses(area_by_pairs),
    "macro_auc_pr": over_diagnoses(precision_area),
    **{f"{how}_{name}": averaged(i, how) for how in ("macro", "weighted") for i, name in enumerate(NAMES)},
    **{f"micro_{name}": lambda gold, p: float((p.argmax(1) == gold).mean()) for name in NAMES},
}


@given(seed=st.integers(0, 10_000), cases=st.integers(30, 200), sharpness=st.floats(0.1, 3))
@settings(deadline=None, max_examples=25)
def test_every_metric_agrees_with_an_implementation_of_its_own(seed: int, cases: int, sharpness: float) -> None:
    scores = drawn(seed, cases=cases, sharpness=sharpness)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a diagnosis may be predicted and not there
        expected = {name: reference(scores.gold, scores.probabilities) for name, reference in REFERENCES.items()}
    assert point_metrics(scores) == pytest.approx(expected)


@given(st.integers(0, 10_000))
@settings(deadline=None, max_examples=15)
def test_figures_of_a_diagnosis_follow_their_definitions(seed: int) -> None:
    scores = drawn(seed, cases=80)
    table = by_diagnosis(scores, "tuned", [f"d{k}" for k in range(6)])
    for k, row in enumerate(table.to_dict("records")):
        hit, false_alarm, missed, rest = counts(scores.gold, scores.predicted, k)
        assert row["cases"] == hit + missed
        assert row["specificity"] == pytest.approx(rest / (rest + false_alarm))
        if hit + missed and hit + false_alarm:
            expected = rates(scores.gold, scores.predicted, k)
            assert (row["precision"], row["sensitivity"], row["f1"]) == pytest.approx(expected)
            assert row["auc_roc"] == pytest.approx(area_by_pairs(scores.gold == k, scores.probabilities[:, k]))
            assert row["auc_pr"] == pytest.approx(precision_area(scores.gold == k, scores.probabilities[:, k]))


@given(st.integers(0, 10_000))
@settings(deadline=None, max_examples=25)
def test_metrics_are_bounded_and_blind_to_order(seed: int) -> None:
    scores = drawn(seed)
    order = np.random.default_rng(seed).permutation(len(scores.gold))
    ours = point_metrics(scores)
    assert ours == pytest.approx(point_metrics(scores.at(order)))
    assert all(0 <= value <= 1 for name, value in ours.items() if name not in UNBOUNDED)
    assert 0 <= ours["brier_score"] <= 2
    assert -1 <= ours["cohen_kappa"] <= 1
    assert ours["accuracy"] <= ours["top_3_accuracy"] <= ours["top_5_accuracy"]
    assert ours["accuracy"] <= ours["mean_reciprocal_rank"]


def test_a_perfect_model_is_perfect() -> None:
    gold = np.arange(60) % 6
    ours = point_metrics(Scores(np.eye(6)[gold], gold, gold))
    assert {name for name, value in ours.items() if value != 1} == {"log_loss", "brier_score"}
    assert (ours["log_loss"], ours["brier_score"]) == (0, 0)


def test_what_is_not_defined_is_nan_and_nothing_warns() -> None:
    one = Scores(np.full((5, 3), 1 / 3), np.zeros(5, dtype=int), np.arange(5))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ours = point_metrics(one)
        table = by_diagnosis(one, "tuned", ["a", "b", "c"]).set_index("diagnosis")
        curve = roc_curves({"tuned": one})["tuned"]
    assert {name for name, value in ours.items() if np.isnan(value)} == {"cohen_kappa", "macro_auc_roc", "macro_auc_pr"}
    assert ours["accuracy"] == 1
    assert table["sensitivity"].isna().tolist() == [False, True, True]
    assert table["specificity"].isna().tolist() == [True, False, False]
    assert curve.isna().all()


def test_a_diagnosis_without_cases_is_left_out_of_macro_averages() -> None:
    scores = drawn(1, cases=200, diagnoses=4)
    padded = np.column_stack([scores.probabilities, np.zeros(200)])
    with_fifth = point_metrics(Scores(padded, scores.gold, scores.groups))
    assert with_fifth == pytest.approx(point_metrics(scores))
    assert np.isnan(areas(Scores(padded, scores.gold, scores.groups))["auc_roc"][4])


def test_of_equal_probabilities_the_first_diagnosis_wins_everywhere() -> None:
    tied = Scores(np.full((4, 4), 0.25), np.arange(4), np.arange(4))
    found = per_record(tied)
    assert found["accuracy"].tolist() == (tied.predicted == tied.gold).tolist() == [True, False, False, False]
    assert found["mean_reciprocal_rank"].tolist() == pytest.approx([1, 1 / 2, 1 / 3, 1 / 4])
