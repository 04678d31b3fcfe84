"""Intervals of metrics by a bootstrap over independent groups, and the table that holds them."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from stages.lib.metrics import per_record
from stages.lib.scores import Scores

if TYPE_CHECKING:
    import numpy as np

RESAMPLES_AT_ONCE = 100


class Interval(NamedTuple):
    """A metric's value, the bounds of its interval, and the upper bound of what chance alone gives; NaN is none."""

    value: float
    low: float = math.nan
    high: float = math.nan
    null_high: float = math.nan


Intervals = Mapping[str, Mapping[str, Interval]]  # by model and metric


def bootstrap(scores: Scores, *, resamples: int, seed: int, rows: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """Return each metric's values over resamples of whole groups (Field & Welsh 2007, clustered data).

    Every metric here is a function of sums over records, so each resample is a product with the groups' sums. The same
    seed draws the same groups, so that values of two models on the same records are paired, and so are those of two
    subsets of records, which the mask `rows` chooses; they are NaN in a resample that draws none of the subset.
    """
    import numpy as np

    diagnoses = scores.probabilities.shape[1]
    means = per_record(scores)
    gold, predicted = np.eye(diagnoses)[scores.gold], np.eye(diagnoses)[scores.predicted]
    table = np.column_stack([np.ones(len(gold)), *means.values(), gold * predicted, gold, predicted])
    table = table if rows is None else table * rows[:, None]
    drawn = resampled_sums(table, scores.groups, resamples=resamples, seed=seed)
    cases, averaged, counts = np.split(drawn, [1, 1 + len(means)], axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return dict(zip(means, (averaged / cases).T, strict=True)) | of_counts(*np.split(counts, 3, axis=1))


def resampled_sums(table: np.ndarray, groups: np.ndarray, *, resamples: int, seed: int) -> np.ndarray:
    """Return the sums of columns over each resample of whole groups, (resamples, columns)."""
    import numpy as np

    _, group = np.unique(groups, return_inverse=True)
    sums = np.zeros((group.max() + 1, table.shape[1]))
    np.add.at(sums, group, table)
    generator = np.random.default_rng(seed)
    drawn = np.empty((resamples, table.shape[1]))
    for start in range(0, resamples, RESAMPLES_AT_ONCE):
        rows = drawn[start : start + RESAMPLES_AT_ONCE]
        chosen = generator.integers(len(sums), size=(len(rows), len(sums)))
        rows[:] = np.stack([np.bincount(one, minlength=len(sums)) for one in chosen]) @ sums
    return drawn


def of_counts(hits: np.ndarray, actual: np.ndarray, guesses: np.ndarray) -> dict[str, np.ndarray]:
    """Return metrics of confusion counts (resamples, diagnoses): right, of the gold, and as predicted.

    Averages are taken over the diagnoses that a resample has.
    """
    import numpy as np

    present, cases = actual > 0, actual.sum(axis=1)
    parts = {
        "precision": np.where(guesses > 0, hits / guesses, 0),
        "recall": np.where(present, hits / actual, 0),
        "f1": np.where(present, 2 * hits / (actual + guesses), 0),
    }
    found = {f"macro_{name}": (part * present).sum(axis=1) / present.sum(axis=1) for name, part in parts.items()}
    found |= {f"weighted_{name}": (part * actual).sum(axis=1) / cases for name, part in parts.items()}
    agreed = hits.sum(axis=1) / cases
    found |= {f"micro_{name}": agreed for name in parts}
    chance = (actual * guesses).sum(axis=1) / cases**2
    return found | {"balanced_accuracy": found["macro_recall"], "cohen_kappa": (agreed - chance) / (1 - chance)}


def interval(value: float, values: np.ndarray, *, confidence: float) -> Interval:
    """Return the percentile interval of a metric's resampled values that are known."""
    import numpy as np

    known = values[~np.isnan(values)]
    if not len(known):
        return Interval(value)
    low, high = np.quantile(known, [(1 - confidence) / 2, (1 + confidence) / 2]).tolist()
    return Interval(value, low, high)


def write_intervals(intervals: Intervals, path: Path, *, digits: int) -> None:
    """Write a row per model and metric; NaN is an empty cell."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["model", "metric", *Interval._fields])
        for model, found in intervals.items():
            for name, numbers in found.items():
                cells = ["" if math.isnan(number) else round(number, digits) for number in numbers]
                writer.writerow([model, name, *cells])


def read_intervals(path: Path) -> Intervals:
    """Read what `write_intervals` wrote."""
    intervals: dict[str, dict[str, Interval]] = {}
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            found = Interval(*(float(row[field] or "nan") for field in Interval._fields))
            intervals.setdefault(row["model"], {})[row["metric"]] = found
    return intervals
