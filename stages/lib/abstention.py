"""When to answer at all: a threshold of confidence for a target risk, and what it costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from stages.lib.params import Strict

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from stages.lib.scores import Scores

CERTAINTY = 0.9  # share of calibration splits whose threshold keeps the target
STARTS = 10
POINTS = 101


class Abstention(Strict):
    """Answer where the first diagnosis has at least this probability."""

    target_risk: float = Field(gt=0, lt=1)
    """Share of wrong answers among those given that is allowed."""
    certainty: float = Field(gt=0, lt=1)
    """Probability, over calibration splits, that the threshold keeps the target."""
    threshold: float | None = Field(ge=0, le=1)
    """Lowest confidence of an answer; null, where no threshold is shown to keep the target, means no answer at all."""

    def answered(self, probabilities: np.ndarray) -> np.ndarray:
        """Return which records get an answer."""
        import numpy as np

        confidence = probabilities.max(axis=1)
        return np.zeros(len(confidence), dtype=bool) if self.threshold is None else confidence >= self.threshold


def learn_abstention(probabilities: np.ndarray, gold: np.ndarray, *, target_risk: float) -> Abstention:
    """Return the lowest of a hundred fixed thresholds that is shown to keep the target risk.

    Learn then test (Angelopoulos et al. 2021, arXiv:2110.01052): a threshold is shown to where the errors among its
    answers are too few for a risk above the target by the exact binomial test (the Clopper-Pearson bound); thresholds
    are tested downwards from ten starts, each until the first that fails, which keeps the error of all tests at
    1 - CERTAINTY. It takes the cases for independent.
    """
    import numpy as np
    from mapie.risk_control.fwer_control import (
        FWERFixedSequenceTesting,
        control_fwer,
    )
    from scipy.stats import binom

    thresholds = np.arange(99, -1, -1) / 100
    confidence, wrong = probabilities.max(axis=1), probabilities.argmax(axis=1) != gold
    given = confidence >= thresholds[:, None]
    levels = binom.cdf((given & wrong).sum(axis=1), given.sum(axis=1), target_risk)
    shown = control_fwer(levels, delta=1 - CERTAINTY, fwer_method=FWERFixedSequenceTesting(n_starts=STARTS))
    threshold = float(thresholds[shown].min()) if len(shown) else None
    return Abstention(target_risk=target_risk, certainty=CERTAINTY, threshold=threshold)


def risk_by_coverage(scores: Scores) -> pd.DataFrame:
    """Return, for about a hundred thresholds from the highest down, the share answered and the risk of the answers.

    Geifman & El-Yaniv 2017, Selective classification for deep neural networks.
    """
    import numpy as np
    import pandas as pd

    confidence, wrong = scores.confidence, scores.predicted != scores.gold
    ordered = np.sort(confidence)[::-1]
    last = np.unique(np.linspace(0, len(ordered) - 1, POINTS).round().astype(int))
    thresholds = np.unique(ordered[last])[::-1]
    given = [confidence >= threshold for threshold in thresholds]
    return pd.DataFrame(
        {
            "coverage": [answered.mean() for answered in given],
            "risk": [wrong[answered].mean() for answered in given],
            "threshold": thresholds,
        }
    )
