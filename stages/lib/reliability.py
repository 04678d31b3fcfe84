"""How far confidence is from accuracy: bins, the debiased calibration error, and what chance alone would give."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stages.lib.scores import Scores

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import pandas as pd

BINS = 10
REDRAWN = 1000
NULL_QUANTILE = 0.95


def reliability(scores: Scores) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return mean confidence, accuracy and size of ten equal-mass bins of the top diagnosis's probability."""
    import numpy as np

    confidence = scores.confidence
    right = scores.predicted == scores.gold
    bins = _bins(confidence)
    return (
        np.array([confidence[part].mean() for part in bins]),
        np.array([right[part].mean() for part in bins]),
        np.array([len(part) for part in bins]),
    )


def bins(states: Mapping[str, Mapping[str, Scores]]) -> pd.DataFrame:
    """Return confidence and accuracy of each bin, by state (raw, calibrated) and model."""
    import pandas as pd

    columns = {}
    for state, models in states.items():
        for model, scores in models.items():
            confidence, accuracy, _ = reliability(scores)
            columns[f"{model}_{state}_confidence"] = pd.Series(confidence)
            columns[f"{model}_{state}_accuracy"] = pd.Series(accuracy)
    return pd.DataFrame(columns)


def expected_calibration_error(scores: Scores) -> float:
    """Return the debiased top-label error over ten equal-mass bins.

    The plug-in estimate is biased upwards by the noise of each bin's accuracy; that bias, were the accuracies redrawn,
    is taken off (Kumar, Liang & Ma 2019, Verified uncertainty calibration, normal approximation).
    """
    confidence, accuracy, size = reliability(scores)
    return float(debiased(confidence, accuracy, size))


def calibration_error_by_chance(scores: Scores, *, seed: int) -> float:
    """Return the 95 % quantile of the debiased error, were the model perfectly calibrated.

    Labels are redrawn from the probabilities (consistency resampling, Bröcker & Smith 2007): the first diagnosis is
    right as often as its probability says.
    """
    import numpy as np

    confidence = scores.confidence
    parts = _bins(confidence)
    size = np.array([len(part) for part in parts])
    generator = np.random.default_rng(seed)
    accuracy = np.column_stack(
        [(generator.random((REDRAWN, len(part))) < confidence[part]).mean(axis=1) for part in parts]
    )
    means = np.array([confidence[part].mean() for part in parts])
    return float(np.quantile(debiased(means, accuracy, size), NULL_QUANTILE))


def debiased(confidence: np.ndarray, accuracy: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Return the error of each row of bins (…, bins), by their mean confidence, accuracy and cases."""
    import numpy as np
    from scipy.special import erf

    weight = size / size.sum(axis=-1, keepdims=True)
    distance, spread = np.abs(confidence - accuracy), np.sqrt(accuracy * (1 - accuracy) / np.maximum(size, 1))
    ratio = np.divide(distance, spread, out=np.full_like(distance, np.inf), where=spread > 0)
    # the mean of a folded normal distribution: how far redrawn accuracies would lie from the confidence
    redrawn = spread * np.sqrt(2 / np.pi) * np.exp(-(ratio**2) / 2) + distance * erf(ratio / np.sqrt(2))
    error: np.ndarray = np.maximum(0.0, ((2 * distance - redrawn) * weight).sum(axis=-1))
    return error


def _bins(confidence: np.ndarray) -> list[np.ndarray]:
    import numpy as np

    return [part for part in np.array_split(np.argsort(confidence, kind="stable"), BINS) if len(part)]
