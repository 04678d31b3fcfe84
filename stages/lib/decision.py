"""Whether acting on a model's probabilities does more good than harm: decision curves (Vickers & Elkin 2006)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stages.lib.stage import StageError, log

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    import pandas as pd

    from stages.lib.scores import Scores


def decision_curves(scores: Scores, prevalence: Mapping[str, float], diagnoses: Sequence[str]) -> pd.DataFrame:
    """Return the net benefit by threshold of acting on the model, on everybody and on nobody, per diagnosis declared.

    Sensitivity and specificity are the test split's, weighed by the declared prevalence, and probabilities are moved
    from the test split's share to it (Saerens, Latinne & Decaestecker 2002, Neural Computation 14:21). Net benefit is
    in true positives per patient. Raises StageError where a diagnosis is unknown; one without test cases has no rows.
    """
    import numpy as np
    import pandas as pd

    if unknown := [name for name in prevalence if name not in diagnoses]:
        known = f"choose from {', '.join(diagnoses)}"
        raise StageError(f"params.yaml: evaluate.prevalence: no diagnosis {', '.join(map(repr, unknown))}; {known}")
    frames = [pd.DataFrame(columns=["diagnosis", "threshold", "tuned", "all", "none"])]
    thresholds = np.arange(1, 100) / 100
    for name, share in prevalence.items():
        positive = scores.gold == list(diagnoses).index(name)
        if positive.all() or not positive.any():
            log.warning("%s: the test split has no cases with it, or none without: no decision curve", name)
            continue
        moved = at_prevalence(scores.probabilities[:, list(diagnoses).index(name)], positive.mean(), share)
        acted = moved >= thresholds[:, None]
        odds = thresholds / (1 - thresholds)
        benefit = {
            "tuned": acted[:, positive].mean(axis=1) * share - acted[:, ~positive].mean(axis=1) * (1 - share) * odds,
            "all": share - (1 - share) * odds,
            "none": 0.0,
        }
        frames.append(pd.DataFrame({"diagnosis": name, "threshold": thresholds} | benefit))
    return pd.concat(frames) if len(frames) > 1 else frames[0]


def at_prevalence(probabilities: np.ndarray, observed: float, declared: float) -> np.ndarray:
    """Return the probabilities of a diagnosis where its share is `declared` in place of `observed`."""
    present = probabilities * declared / observed
    moved: np.ndarray = present / (present + (1 - probabilities) * (1 - declared) / (1 - observed))
    return moved
