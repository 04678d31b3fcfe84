"""Compare models on the same test records: each one's metrics, and the paired gains between them, with intervals."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from stages.lib.intervals import Interval, bootstrap, interval
from stages.lib.metrics import point_metrics, point_rates
from stages.lib.reliability import calibration_error_by_chance, expected_calibration_error
from stages.lib.scores import TUNED, Scores

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    import pandas as pd

CEILING = "ceiling"  # the exact posterior of simulated patients, which no model can beat but by chance
COMPARED = ("accuracy", "top_3_accuracy", "balanced_accuracy", "macro_f1", "log_loss", "brier_score")


SMALLEST = 1e-4


@dataclass(frozen=True)
class Model:
    """A model's scores on the test records of `ids`, before and after calibration."""

    ids: pd.Index[str]
    raw: Scores
    calibrated: Scores

    def among(self, ids: pd.Index[str]) -> Scores:
        """Return the calibrated scores of the records of `ids`, in that order."""
        return self.calibrated.at(self.ids.get_indexer(ids))


class Gain(NamedTuple):
    """A difference of two models, the bounds of its interval, and the p value of there being none."""

    gain: float
    low: float
    high: float
    p_bootstrap: float


def with_intervals(
    models: Mapping[str, Model], *, resamples: int, confidence: float, seed: int
) -> dict[str, dict[str, Interval]]:
    """Return every metric of each model, with a percentile interval where the bootstrap has it.

    Calibration errors stand beside what chance alone would give.
    """
    found: dict[str, dict[str, Interval]] = {}
    for name, model in models.items():
        drawn = bootstrap(model.calibrated, resamples=resamples, seed=seed)
        points = point_metrics(model.calibrated)
        found[name] = {"cases": Interval(len(model.ids))} | {
            metric: interval(value, drawn[metric], confidence=confidence) if metric in drawn else Interval(value)
            for metric, value in points.items()
        }
        for state, scores in {"": model.calibrated, "_raw": model.raw}.items():
            error = expected_calibration_error(scores)
            chance = calibration_error_by_chance(scores, seed=seed)
            found[name][f"expected_calibration_error{state}"] = Interval(error, null_high=chance)
    return found


def compare(models: Mapping[str, Model], *, resamples: int, confidence: float, seed: int) -> pd.DataFrame:
    """Return a row per pair and metric: the tuned model less each other, and each other less the ceiling.

    A gain is taken on the records that both models predict; the same groups are drawn for both, so that it is paired.
    p_bootstrap and the interval respect groups; p_mcnemar, of accuracy alone, takes the cases for independent;
    p_adjusted is p_bootstrap after Holm, over the baselines that the tuned model has to beat, metric by metric.
    """
    import pandas as pd

    others = [name for name in models if name != TUNED]
    pairs = [(TUNED, other) for other in others]
    pairs += [(other, CEILING) for other in others if CEILING in models and other != CEILING]
    rows: list[dict[str, Any]] = []
    for name, other in pairs:
        ours, theirs = shared(models[name], models[other])
        found = gains(models[name], models[other], resamples=resamples, confidence=confidence, seed=seed)
        for metric in COMPARED:
            row = {"model": name, "baseline": other, "metric": metric, "cases": len(ours.gold)}
            p_mcnemar = mcnemar(ours, theirs) if metric == "accuracy" else math.nan
            rows.append(row | found[metric]._asdict() | {"p_mcnemar": p_mcnemar})
    table = pd.DataFrame(rows)
    beaten = (table["model"] == TUNED) & (table["baseline"] != CEILING)
    adjusted = table[beaten].groupby("metric", sort=False)["p_bootstrap"].transform(holm)
    return table.assign(p_adjusted=adjusted)


def gains(one: Model, other: Model, *, resamples: int, confidence: float, seed: int) -> dict[str, Gain]:
    """Return what `one` has more than `other` of each metric that the bootstrap knows."""
    ours, theirs = shared(one, other)
    values, base = point_rates(ours), point_rates(theirs)
    drawn, drawn_base = (bootstrap(scores, resamples=resamples, seed=seed) for scores in (ours, theirs))
    found = {}
    for metric, samples in drawn.items():
        differences = samples - drawn_base[metric]
        value, low, high, _ = interval(values[metric] - base[metric], differences, confidence=confidence)
        found[metric] = Gain(value, low, high, two_sided(differences))
    return found


def shared(one: Model, other: Model) -> tuple[Scores, Scores]:
    """Return both models' scores on the records that both predict."""
    ids = one.ids.intersection(other.ids, sort=False)
    return one.among(ids), other.among(ids)


def two_sided(gains: np.ndarray) -> float:
    """Return the p value of no gain: twice the share of resamples on the other side of 0 (Davison & Hinkley 1997)."""
    lower, upper = ((1 + (side <= 0).sum()) / (1 + len(gains)) for side in (gains, -gains))
    return float(min(1.0, 2 * min(lower, upper)))


def mcnemar(ours: Scores, theirs: Scores) -> float:
    """Return the exact p value of McNemar 1947: are the cases that one model alone has right split evenly?

    What is below SMALLEST counts as SMALLEST, so that none is written as 0.
    """
    from scipy.stats import binomtest

    right, base = ours.predicted == ours.gold, theirs.predicted == theirs.gold
    won, lost = int((right & ~base).sum()), int((base & ~right).sum())
    return max(SMALLEST, float(binomtest(won, won + lost).pvalue)) if won + lost else 1.0


def holm(p_values: Sequence[float] | pd.Series) -> np.ndarray:
    """Return p values adjusted for all of them being looked at (Holm 1979, Scandinavian Journal of Statistics 6:65)."""
    import numpy as np

    found = np.asarray(p_values, dtype=float)
    order = np.argsort(found, kind="stable")
    adjusted = np.empty(len(found))
    adjusted[order] = np.minimum(1, np.maximum.accumulate(found[order] * np.arange(len(found), 0, -1)))
    return adjusted
