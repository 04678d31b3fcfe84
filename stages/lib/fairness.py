"""Whom a model serves worse: metrics by group of patients, and the largest difference between groups."""

from __future__ import annotations

from collections import Counter
from itertools import product
from typing import TYPE_CHECKING, Any

from stages.lib.ages import age_bands
from stages.lib.intervals import bootstrap, interval
from stages.lib.metrics import per_record
from stages.lib.scores import Scores

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import pandas as pd

    from stages.lib.comparison import Model

FEWEST = 20  # cases of a group that is shown
GAP = "gap"
CROSSED = "sex \N{MULTIPLICATION SIGN} age band"
SHOWN = ("accuracy", "macro_recall", "top_3_accuracy", "macro_f1", "log_loss", "brier_score")


def attributes(records: pd.DataFrame, families: Mapping[str, str]) -> pd.DataFrame:
    """Return each record's groups, a column per attribute, "unknown" where a record does not say.

    `families` gives the group of confusable diseases by diagnosis code, of simulated patients.
    """
    import pandas as pd

    columns = {
        "sex": records["sex"],
        "age band": age_bands(records["age"]),
        "source": records["source"],
        "voice": records["voice"],
    }
    family = records["diagnosis_code"].map(dict(families)).where(records["source"] == "hpo")
    columns |= {"diagnosis group": family} if family.notna().any() else {}
    known = pd.DataFrame(columns).set_index(pd.Index(records["record_id"])).astype("object").fillna("unknown")
    return known.assign(**{CROSSED: known["sex"] + ", " + known["age band"]})


def by_subgroup(model: Model, groups: pd.DataFrame, *, resamples: int, confidence: float, seed: int) -> pd.DataFrame:
    """Return a row per attribute (a column of `groups`, which are by record id), group of FEWEST cases, and metric.

    After them stands the largest difference; its interval is that of the two groups that are furthest apart, resampled
    together. It does not allow for these two having been chosen for it.
    """
    import pandas as pd

    scores, groups = model.calibrated, groups.loc[model.ids]
    rows: list[dict[str, Any]] = []
    for attribute, group in groups.items():
        cases = {name: size for name, size in sorted(Counter(group).items()) if size >= FEWEST}
        points = _points(scores, group, list(cases)) if cases else {}
        drawn = {
            name: bootstrap(scores, resamples=resamples, seed=seed, rows=(group == name).to_numpy()) for name in cases
        }
        for name, metric in product(cases, SHOWN):
            found = interval(points[name][metric], drawn[name][metric], confidence=confidence)
            row = {"attribute": attribute, "group": name, "cases": cases[name], "metric": metric}
            rows.append(row | found._asdict())
        for metric in SHOWN if len(cases) > 1 else ():
            values = {name: points[name][metric] for name in cases}
            most, least = max(values, key=values.__getitem__), min(values, key=values.__getitem__)
            gaps = drawn[most][metric] - drawn[least][metric]
            found = interval(values[most] - values[least], gaps, confidence=confidence)
            row = {"attribute": attribute, "group": GAP, "cases": cases[most] + cases[least], "metric": metric}
            rows.append(row | found._asdict())
    return pd.DataFrame(rows, columns=["attribute", "group", "cases", "metric", "value", "low", "high"])


def worst(table: pd.DataFrame, *, metric: str) -> tuple[str, float] | None:
    """Return the name of the group with the lowest value, and that value; None where no group is shown."""
    found = table[(table["metric"] == metric) & (table["group"] != GAP)]
    if found.empty:
        return None
    attribute, group, value = found.sort_values("value", kind="stable")[["attribute", "group", "value"]].to_numpy()[0]
    return f"{attribute}: {group}", float(value)


def _points(scores: Scores, group: pd.Series, names: list[str]) -> dict[str, dict[str, float]]:
    """Return the metrics of each group of `names`, by fairlearn (Weerts et al. 2023, JMLR 24:257)."""
    import numpy as np
    from fairlearn.metrics import MetricFrame
    from sklearn.metrics import f1_score, recall_score

    def mean(gold: np.ndarray, predicted: np.ndarray, values: np.ndarray) -> float:
        return float(values.mean())

    def recall(gold: np.ndarray, predicted: np.ndarray) -> float:
        return float(recall_score(gold, predicted, labels=np.unique(gold), average="macro", zero_division=0))

    def f1(gold: np.ndarray, predicted: np.ndarray) -> float:
        return float(f1_score(gold, predicted, labels=np.unique(gold), average="macro", zero_division=0))

    rows = group.isin(names).to_numpy()
    values = {name: found[rows] for name, found in per_record(scores).items() if name in SHOWN}
    frame = MetricFrame(
        metrics={"macro_recall": recall, "macro_f1": f1} | dict.fromkeys(values, mean),
        y_true=scores.gold[rows],
        y_pred=scores.predicted[rows],
        sensitive_features=group[rows].to_numpy(),
        sample_params={name: {"values": found} for name, found in values.items()},
    )
    by_group: dict[str, dict[str, float]] = frame.by_group.to_dict(orient="index")
    return by_group
