"""Metrics of one model's probabilities: points, bootstrap intervals by group, calibration."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np

AVERAGED = {"top_3_accuracy": 3, "top_5_accuracy": 5}
BINS = 10


class Interval(NamedTuple):
    """A metric's value and the bounds of its interval."""

    value: float
    low: float
    high: float


Intervals = Mapping[str, Mapping[str, Interval]]  # by model, or "model - other" for a paired gain, and metric


@dataclass(frozen=True)
class Scores:
    """Probabilities (records, diagnoses), gold indices (records) and group numbers (records)."""

    probabilities: np.ndarray
    gold: np.ndarray
    groups: np.ndarray

    def tempered(self, temperature: float) -> Scores:
        """Return the scores with softmax(log p / temperature) for probabilities."""
        return Scores(apply_temperature(self.probabilities, temperature), self.gold, self.groups)


def fit_temperature(probabilities: np.ndarray, gold: np.ndarray) -> float:
    """Return the temperature that minimises log loss (Guo et al. 2017, On calibration of modern neural networks)."""
    from scipy.optimize import minimize_scalar

    def loss(log_temperature: float) -> float:
        scaled = apply_temperature(probabilities, float(2.0**log_temperature))
        return float(log_losses(scaled, gold).mean())

    return float(2.0 ** minimize_scalar(loss, bounds=(-6, 6), method="bounded").x)


def apply_temperature(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Return softmax(log p / temperature), (records, diagnoses)."""
    import numpy as np
    from scipy.special import softmax

    scaled: np.ndarray = softmax(np.log(np.clip(probabilities, 1e-15, 1)) / temperature, axis=1)
    return scaled


def log_losses(probabilities: np.ndarray, gold: np.ndarray) -> np.ndarray:
    """Return -log p(gold) of each record, natural logarithm."""
    import numpy as np

    losses: np.ndarray = -np.log(np.clip(probabilities[np.arange(len(gold)), gold], 1e-15, 1))
    return losses


def gold_ranks(probabilities: np.ndarray, gold: np.ndarray) -> np.ndarray:
    """Return the rank of each record's gold diagnosis, 1 the best; of equal probabilities the first column wins."""
    import numpy as np

    order = np.argsort(-probabilities, axis=1, kind="stable")
    ranks: np.ndarray = (order == gold[:, None]).argmax(axis=1) + 1
    return ranks


def point_metrics(scores: Scores) -> dict[str, float]:
    """Return every headline metric; macro averages are over the diagnoses."""
    import numpy as np
    from sklearn.metrics import precision_recall_fscore_support, roc_auc_score

    gold, probabilities = scores.gold, scores.probabilities
    classes = np.arange(probabilities.shape[1])
    present = np.isin(classes, gold)
    ranks = gold_ranks(probabilities, gold)
    precision, recall, f1, _ = precision_recall_fscore_support(
        gold, probabilities.argmax(axis=1), labels=classes[present], average="macro", zero_division=0
    )
    one_hot = gold[:, None] == classes
    return {
        "accuracy": float((ranks == 1).mean()),
        **{name: float((ranks <= k).mean()) for name, k in AVERAGED.items()},
        "macro_precision": float(precision),
        "macro_recall": float(recall),
        "macro_f1": float(f1),
        "macro_auc_roc": float(roc_auc_score(one_hot[:, present], probabilities[:, present], average="macro")),
        "log_loss": float(log_losses(probabilities, gold).mean()),
        "brier_score": float(((probabilities - one_hot) ** 2).sum(axis=1).mean()),
    }


def bootstrap(scores: Scores, *, resamples: int, seed: int) -> dict[str, np.ndarray]:
    """Return each metric's values over resamples of whole groups (Field & Welsh 2007, clustered data).

    Every metric here is a function of sums over records, so each resample is a product with the groups' sums. The same
    seed draws the same groups, so that values of two models on the same records are paired.
    """
    import numpy as np

    gold, probabilities = scores.gold, scores.probabilities
    diagnoses = probabilities.shape[1]
    ranks, predicted = gold_ranks(probabilities, gold), probabilities.argmax(axis=1)
    one_hot, guessed = np.eye(diagnoses)[gold], np.eye(diagnoses)[predicted]
    per_record = {
        "accuracy": ranks == 1,
        **{name: ranks <= k for name, k in AVERAGED.items()},
        "log_loss": log_losses(probabilities, gold),
        "brier_score": ((probabilities - one_hot) ** 2).sum(axis=1),
    }
    table = np.column_stack([np.ones(len(gold)), *per_record.values(), one_hot * guessed, one_hot, guessed])
    _, group = np.unique(scores.groups, return_inverse=True)
    sums = np.zeros((group.max() + 1, table.shape[1]))
    np.add.at(sums, group, table)

    generator = np.random.default_rng(seed)
    drawn = generator.multinomial(len(sums), np.full(len(sums), 1 / len(sums)), size=resamples) @ sums
    means = drawn[:, 1 : 1 + len(per_record)] / drawn[:, :1]
    hits, actual, guesses = np.split(drawn[:, 1 + len(per_record) :], 3, axis=1)
    f1 = np.divide(2 * hits, actual + guesses, out=np.zeros_like(hits), where=actual + guesses > 0)
    macro_f1 = (f1 * (actual > 0)).sum(axis=1) / (actual > 0).sum(axis=1)
    return dict(zip(per_record, means.T, strict=True)) | {"macro_f1": macro_f1}


def reliability(scores: Scores) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return mean confidence, accuracy and size of ten equal-mass bins of the top diagnosis's probability."""
    import numpy as np

    confidence = scores.probabilities.max(axis=1)
    right = scores.probabilities.argmax(axis=1) == scores.gold
    bins = [part for part in np.array_split(np.argsort(confidence, kind="stable"), BINS) if len(part)]
    return (
        np.array([confidence[part].mean() for part in bins]),
        np.array([right[part].mean() for part in bins]),
        np.array([len(part) for part in bins]),
    )


def expected_calibration_error(scores: Scores, *, seed: int) -> float:
    """Return the debiased top-label error over ten equal-mass bins.

    The plug-in estimate is biased upwards by the noise of each bin's accuracy; that bias is estimated by redrawing the
    accuracies (Kumar, Liang & Ma 2019, Verified uncertainty calibration, normal approximation) and taken off.
    """
    import numpy as np

    confidence, accuracy, size = reliability(scores)
    weight = size / size.sum()
    plug_in = float((weight * np.abs(confidence - accuracy)).sum())
    spread = np.sqrt(accuracy * (1 - accuracy) / size)
    redrawn = np.random.default_rng(seed).normal(accuracy, spread, size=(1000, len(size)))
    bias = float((weight * np.abs(confidence - redrawn)).sum(axis=1).mean()) - plug_in
    return max(0.0, plug_in - bias)


def write_intervals(intervals: Intervals, path: Path, *, digits: int) -> None:
    """Write a row per model and metric."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["model", "metric", *Interval._fields])
        for model, metrics in intervals.items():
            writer.writerows([model, name, *(round(x, digits) for x in found)] for name, found in metrics.items())


def read_intervals(path: Path) -> Intervals:
    """Read what `write_intervals` wrote."""
    intervals: dict[str, dict[str, Interval]] = {}
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            interval = Interval(*(float(row[field]) for field in Interval._fields))
            intervals.setdefault(row["model"], {})[row["metric"]] = interval
    return intervals
