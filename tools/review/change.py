"""Measure what differs between paired cases: points, bootstrap intervals by group, exact tests, Holm's correction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from stages.lib.comparison import holm, mcnemar, two_sided
from stages.lib.intervals import interval, of_counts, resampled_sums
from stages.lib.reliability import BINS, debiased
from stages.lib.scores import Scores
from tools.review.cases import Pairing, Sample

if TYPE_CHECKING:
    import numpy as np

RESAMPLES = 2000  # the smallest p is 0.001, which stays below 0.05 after Holm's correction over the metrics
CONFIDENCE = 0.95
SEED = 0
LOWER_IS_BETTER = ("log_loss", "brier_score", "expected_calibration_error")
ROUNDING = 0.00005  # half a digit of the probabilities in predictions.csv; keeps the log loss finite


@dataclass(frozen=True)
class Change:
    """A metric on both sides; what cannot be resampled has neither interval nor p."""

    base: float
    head: float
    low: float | None = None
    high: float | None = None
    p: float | None = None
    p_adjusted: float | None = None

    @property
    def delta(self) -> float:
        """Return how much higher the metric is in `head`."""
        return self.head - self.base

    def significant(self) -> bool:
        """Say whether the difference is one after the correction for several metrics."""
        return self.p_adjusted is not None and self.p_adjusted < 1 - CONFIDENCE

    def worse(self, metric: str) -> bool:
        """Say whether `head` is on the wrong side of `base`."""
        return (self.delta > 0) if metric in LOWER_IS_BETTER else (self.delta < 0)


def changes(pairing: Pairing) -> dict[str, Change]:
    """Return the change of every metric that the predictions allow, with its interval and corrected p.

    Whole groups are drawn (Field & Welsh 2007), the same for both sides where the cases are the same. Accuracy is
    tested exactly (McNemar 1947) where each case is a group of its own; all else, by the share of resamples beyond 0.
    """
    base, head = (
        resampled(side, seed=seed)
        for side, seed in ((pairing.base, SEED), (pairing.head, SEED if pairing.ids else SEED + 1))
    )
    found = {}
    for name in [name for name in base if name in head]:
        delta = head[name][1:] - base[name][1:]
        points = float(base[name][0]), float(head[name][0])
        _, low, high, _ = interval(points[1] - points[0], delta, confidence=CONFIDENCE)
        found[name] = Change(*points, low=low, high=high, p=two_sided(delta))
    if pairing.ids and len(set(pairing.head["group"])) == len(pairing.ids):
        found["accuracy"] = replace(found["accuracy"], p=exact(*answered_rightly(pairing)))
    return dict(zip(found, adjusted(list(found.values())), strict=True))


def adjusted(found: Sequence[Change]) -> list[Change]:
    """Return the changes with p corrected for their number."""
    values = iter(holm([change.p for change in found if change.p is not None]).tolist())
    return [change if change.p is None else replace(change, p_adjusted=next(values)) for change in found]


def resampled(sample: Sample, *, seed: int) -> dict[str, np.ndarray]:
    """Return each metric of the cases as they are, then of each resample of their groups."""
    import numpy as np

    parts = summands(sample)
    table = np.column_stack(list(parts.values()))
    drawn = np.vstack([table.sum(axis=0), resampled_sums(table, sample["group"], resamples=RESAMPLES, seed=seed)])
    ends = np.cumsum([part.shape[1] for part in parts.values()])[:-1]
    return measured(dict(zip(parts, np.split(drawn, ends, axis=1), strict=True)))


def summands(sample: Sample) -> dict[str, np.ndarray]:
    """Return what each case adds to the sums that metrics are made of, (cases, columns)."""
    import numpy as np

    right = sample["answer"] == sample["gold"]
    diagnoses = np.eye(max(sample["answer"].max(), sample["gold"].max()) + 1)
    gold, answer = diagnoses[sample["gold"]], diagnoses[sample["answer"]]
    means = {
        "accuracy": right,
        "top_3_accuracy": sample["rank"] <= 3,
        "log_loss": -np.log(np.clip(sample["p_gold"], ROUNDING, 1)),
    }
    means |= {"brier_score": sample["brier"]} if "brier" in sample else {}
    parts = {"cases": np.ones((len(right), 1))} | {name: values[:, None] for name, values in means.items()}
    parts |= {"hits": gold * answer, "gold": gold, "answers": answer}
    if "confidence" in sample:
        bins = np.zeros((len(right), BINS))
        for number, rows in enumerate(np.array_split(np.argsort(sample["confidence"], kind="stable"), BINS)):
            bins[rows, number] = 1
        parts |= {"bins": bins, "expected": bins * sample["confidence"][:, None], "right": bins * right[:, None]}
    members = sample["members"].astype(float)
    return parts | ({"members": members, "served": members * right[:, None]} if members.shape[1] else {})


def measured(sums: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return metrics of rows of sums over cases; averages are over the diagnoses that a row has."""
    import numpy as np

    names = ("accuracy", "top_3_accuracy", "log_loss", "brier_score")
    found = {name: (sums[name] / sums["cases"])[:, 0] for name in names if name in sums}
    with np.errstate(invalid="ignore", divide="ignore"):
        counted = of_counts(sums["hits"], sums["gold"], sums["answers"])
    found |= {name: counted[name] for name in ("balanced_accuracy", "macro_f1")}
    if "bins" in sums:
        size = np.maximum(sums["bins"], 1)
        found["expected_calibration_error"] = debiased(sums["expected"] / size, sums["right"] / size, sums["bins"])
    if "members" in sums:
        served = np.where(sums["members"] > 0, sums["served"] / np.maximum(sums["members"], 1), 1.0)
        found["worst_group_accuracy"] = served.min(axis=1)
    return found


def answered_rightly(pairing: Pairing) -> tuple[np.ndarray, np.ndarray]:
    """Return which cases `base` answers rightly, and which `head`."""
    before, after = (side["answer"] == side["gold"] for side in (pairing.base, pairing.head))
    return before, after


def exact(before: np.ndarray, after: np.ndarray) -> float:
    """Return the p of McNemar's exact test on right answers of the same cases."""
    import numpy as np

    alike = np.ones((len(before), 1)), np.arange(len(before))
    return mcnemar(*(Scores(alike[0], np.where(right, 0, 1), alike[1]) for right in (after, before)))
