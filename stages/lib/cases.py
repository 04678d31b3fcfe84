"""What a model says of each test case, and what its use would bring: models and their calibration in, tables out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stages.lib.ages import age_bands
from stages.lib.intervals import Interval, interval, resampled_sums
from stages.lib.metrics import brier_scores, gold_ranks
from stages.lib.scores import TUNED, Scores

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from stages.lib.calibration import Calibration
    from stages.lib.comparison import Model


def by_case(
    models: Mapping[str, Model], records: pd.DataFrame, groups: pd.Series, calibration: Calibration
) -> pd.DataFrame:
    """Return a row per test record: who it is, each model's first diagnosis, p(gold) and its rank, and the tuned
    model's use.

    `groups` numbers the independent groups by record id; here a group is named by its first record.
    """
    import numpy as np
    import pandas as pd

    names = np.array(calibration.diagnoses)
    shown = pd.DataFrame(
        {
            "group": groups.groupby(groups).transform(lambda own: own.index.min()),
            "gold": records.set_index("record_id")["diagnosis"],
            "sex": records.set_index("record_id")["sex"],
            "age_band": age_bands(records.set_index("record_id")["age"]),
            "source": records.set_index("record_id")["source"],
            "voice": records.set_index("record_id")["voice"],
        }
    )
    for name, model in models.items():
        scores = model.calibrated
        columns = {
            name: names[scores.predicted],
            f"{name}_p_gold": scores.probabilities[np.arange(len(scores.gold)), scores.gold],
            f"{name}_rank": gold_ranks(scores.probabilities, scores.gold),
        }
        shown = shown.join(pd.DataFrame(columns, index=model.ids))
        shown[f"{name}_rank"] = shown[f"{name}_rank"].astype("Int64")
    tuned = models[TUNED].calibrated
    used = {
        "tuned_confidence": tuned.confidence,
        "tuned_brier": brier_scores(tuned.probabilities, tuned.gold),
        "tuned_answered": calibration.abstention.answered(tuned.probabilities),
        "tuned_set_size": calibration.conformal.sets(tuned.probabilities, calibration.diagnoses).sum(axis=1),
    }
    return shown.join(pd.DataFrame(used, index=models[TUNED].ids)).rename_axis("record_id").reset_index()


def in_use(
    scores: Scores, calibration: Calibration, *, resamples: int, confidence: float, seed: int
) -> dict[str, Interval]:
    """Return what abstention and sets bring on the test split: the share answered and the risk of these answers, the
    share of sets that hold the right diagnosis and their mean size.

    The risk is NaN where nothing is answered.
    """
    import numpy as np

    rows = np.arange(len(scores.gold))
    answered = calibration.abstention.answered(scores.probabilities)
    held = calibration.conformal.sets(scores.probabilities, calibration.diagnoses)
    everyone = np.ones(len(rows))
    shares = {
        "answered": (answered, everyone),
        "selective_risk": (answered & (scores.predicted != scores.gold), answered),
        "set_coverage": (held[rows, scores.gold], everyone),
        "mean_set_size": (held.sum(axis=1), everyone),
    }
    found = {}
    for name, (part, whole) in shares.items():
        table = np.column_stack([part, whole]).astype(float)
        sums = np.vstack([table.sum(axis=0), resampled_sums(table, scores.groups, resamples=resamples, seed=seed)])
        value, *drawn = np.divide(sums[:, 0], sums[:, 1], out=np.full(len(sums), np.nan), where=sums[:, 1] > 0)
        found[name] = interval(float(value), np.array(drawn), confidence=confidence)
    return found
