"""Compare models on the same test records: each one's metrics and the paired gains between them, with intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from stages.lib import metrics

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import pandas as pd

CEILING = "ceiling"  # the exact posterior of simulated patients, which no model can beat but by chance


@dataclass(frozen=True)
class Model:
    """A model's scores on the test records of `ids`, before and after calibration."""

    ids: pd.Index[str]
    raw: metrics.Scores
    calibrated: metrics.Scores
    temperature: float

    def among(self, ids: pd.Index[str]) -> metrics.Scores:
        """Return the calibrated scores of the records of `ids`, in that order."""
        rows = self.ids.get_indexer(ids)
        scores = self.calibrated
        return metrics.Scores(scores.probabilities[rows], scores.gold[rows], scores.groups[rows])


def with_intervals(models: Mapping[str, Model], *, resamples: int, confidence: float, seed: int) -> metrics.Intervals:
    """Return percentile intervals of each model's metrics, and of gains: the first model's over each, each's over the
    ceiling.

    A gain is taken on the records that both models predict; the same groups are drawn for both, so that it is paired.
    """
    import numpy as np

    def samples(scores: metrics.Scores) -> dict[str, np.ndarray]:
        return metrics.bootstrap(scores, resamples=resamples, seed=seed)

    tails = [(1 - confidence) / 2, (1 + confidence) / 2]

    def intervals(values: Mapping[str, float], drawn: Mapping[str, np.ndarray]) -> dict[str, metrics.Interval]:
        return {name: metrics.Interval(values[name], *np.quantile(rows, tails)) for name, rows in drawn.items()}

    bounds = {
        name: intervals(metrics.point_metrics(model.calibrated), samples(model.calibrated))
        for name, model in models.items()
    }
    first, *others = models
    pairs = [(first, other) for other in others]
    pairs += [(other, CEILING) for other in others if CEILING in models and other != CEILING]
    for name, other in pairs:
        shared = models[name].ids.intersection(models[other].ids, sort=False)
        ours, theirs = models[name].among(shared), models[other].among(shared)
        values, compared = metrics.point_metrics(ours), metrics.point_metrics(theirs)
        gains = {metric: value - compared[metric] for metric, value in values.items()}
        rows, base = samples(ours), samples(theirs)
        bounds[f"{name} - {other}"] = intervals(gains, {metric: rows[metric] - base[metric] for metric in rows})
    return bounds
