"""Metrics of one model's probabilities: a point each, over all diagnoses and by diagnosis."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stages.lib.scores import Scores

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    import pandas as pd

TOP = {"top_3_accuracy": 3, "top_5_accuracy": 5}
CURVE_POINTS = 101
SMALLEST = 1e-15  # a probability of 0 counts as this in logarithms


def log_losses(probabilities: np.ndarray, gold: np.ndarray) -> np.ndarray:
    """Return -log p(gold) of each record, natural logarithm."""
    import numpy as np

    losses: np.ndarray = -np.log(np.clip(probabilities[np.arange(len(gold)), gold], SMALLEST, 1))
    return losses


def brier_scores(probabilities: np.ndarray, gold: np.ndarray) -> np.ndarray:
    """Return the squared distance of each record's probabilities from the truth, 0 to 2 (Brier 1950)."""
    import numpy as np

    scores: np.ndarray = ((probabilities - np.eye(probabilities.shape[1])[gold]) ** 2).sum(axis=1)
    return scores


def gold_ranks(probabilities: np.ndarray, gold: np.ndarray) -> np.ndarray:
    """Return the rank of each record's gold diagnosis, 1 the best; of equal probabilities the first column wins."""
    import numpy as np

    order = np.argsort(-probabilities, axis=1, kind="stable")
    ranks: np.ndarray = (order == gold[:, None]).argmax(axis=1) + 1
    return ranks


def per_record(scores: Scores) -> dict[str, np.ndarray]:
    """Return the metrics that are means over records, each with its value of every record."""
    ranks = gold_ranks(scores.probabilities, scores.gold)
    return {
        "accuracy": ranks == 1,
        **{name: ranks <= k for name, k in TOP.items()},
        "mean_reciprocal_rank": 1 / ranks,
        "log_loss": log_losses(scores.probabilities, scores.gold),
        "brier_score": brier_scores(scores.probabilities, scores.gold),
    }


def point_metrics(scores: Scores) -> dict[str, float]:
    """Return every metric but those of calibration, NaN where one is not defined; macro averages are over diagnoses."""
    return point_rates(scores) | {f"macro_{name}": mean_of_known(values) for name, values in areas(scores).items()}


def point_rates(scores: Scores) -> dict[str, float]:
    """Return the metrics that the bootstrap knows too; macro averages are over the diagnoses that the records have."""
    import numpy as np
    from sklearn.metrics import cohen_kappa_score, precision_recall_fscore_support

    gold, predicted = scores.gold, scores.predicted
    classes = np.arange(scores.probabilities.shape[1])
    points = {name: float(values.mean()) for name, values in per_record(scores).items()}
    for average, labels in {"macro": np.unique(gold), "micro": classes, "weighted": classes}.items():
        found = precision_recall_fscore_support(gold, predicted, labels=labels, average=average, zero_division=0)
        points |= {f"{average}_{name}": float(found[i]) for i, name in enumerate(("precision", "recall", "f1"))}
    points["balanced_accuracy"] = points["macro_recall"]
    single = len(np.union1d(gold, predicted)) == 1
    points["cohen_kappa"] = np.nan if single else float(cohen_kappa_score(gold, predicted))
    return points


def areas(scores: Scores) -> dict[str, np.ndarray]:
    """Return the areas under each diagnosis's ROC and precision-recall curves against the rest, NaN where undefined."""
    import numpy as np
    from sklearn.metrics import average_precision_score, roc_auc_score

    def by_diagnosis(area: Callable[[np.ndarray, np.ndarray], float]) -> np.ndarray:
        values = np.full(scores.probabilities.shape[1], np.nan)
        for diagnosis in np.unique(scores.gold):
            positive = scores.gold == diagnosis
            if not positive.all():
                values[diagnosis] = area(positive, scores.probabilities[:, diagnosis])
        return values

    return {"auc_roc": by_diagnosis(roc_auc_score), "auc_pr": by_diagnosis(average_precision_score)}


def mean_of_known(values: np.ndarray) -> float:
    """Return the mean of what is not NaN, NaN of nothing."""
    import numpy as np

    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def by_diagnosis(scores: Scores, model: str, diagnoses: Sequence[str]) -> pd.DataFrame:
    """Return a row per diagnosis of a model: cases and what is measured of each, NaN where undefined."""
    import numpy as np
    import pandas as pd
    from sklearn.metrics import multilabel_confusion_matrix, precision_recall_fscore_support

    gold, predicted, labels = scores.gold, scores.predicted, np.arange(len(diagnoses))
    precision, sensitivity, f1, cases = precision_recall_fscore_support(
        gold, predicted, labels=labels, zero_division=np.nan
    )
    true_negatives, false_positives = multilabel_confusion_matrix(gold, predicted, labels=labels)[:, 0].T
    others = true_negatives + false_positives
    figures = {
        "model": model,
        "diagnosis": list(diagnoses),
        "cases": cases,
        "precision": precision,
        "sensitivity": sensitivity,
        "specificity": np.divide(true_negatives, others, out=np.full(len(labels), np.nan), where=others > 0),
        "f1": f1,
    }
    return pd.DataFrame(figures | areas(scores))


def roc_curves(models: Mapping[str, Scores]) -> pd.DataFrame:
    """Return each model's true positive rate, one-vs-rest curves averaged over the diagnoses at equal steps."""
    import numpy as np
    import pandas as pd
    from sklearn.metrics import roc_curve

    grid = np.linspace(0, 1, CURVE_POINTS)
    columns = {"false_positive_rate": grid}
    for model, scores in models.items():
        curves = [
            np.interp(grid, *roc_curve(scores.gold == diagnosis, scores.probabilities[:, diagnosis])[:2])
            for diagnosis in np.unique(scores.gold)
            if not (scores.gold == diagnosis).all()
        ]
        columns[model] = np.mean(curves, axis=0) if curves else np.full(len(grid), np.nan)
    return pd.DataFrame(columns)
