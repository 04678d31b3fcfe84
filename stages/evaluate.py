"""Evaluate: every model's predictions in; metrics with intervals, per-diagnosis figures and the data of plots out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pydantic import Field

from stages.lib import metrics
from stages.lib.predictions import KEYS, read_predictions
from stages.lib.records import independent_groups, read_records
from stages.lib.stage import In, Out, Strict, log, run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

DIGITS = 4
CURVE_POINTS = 101


class EvaluateParams(Strict):
    """How uncertainty is stated."""

    bootstrap: int = Field(ge=100, le=100_000)
    """Resamples of the test split's independent groups."""
    confidence: float = Field(gt=0.5, lt=1)
    """Coverage of the intervals."""


class Params(Strict):
    """Parameters of the stage."""

    seed: int = Field(ge=0)
    """Seed of the bootstrap."""
    evaluate: EvaluateParams
    """Uncertainty."""


def evaluate(
    params: Params,
    baseline_predictions: In,
    tuned_predictions: In,
    test: In,
    evaluation: Out,
    intervals: Out,
    predictions: Out,
    per_diagnosis: Out,
    roc: Out,
    reliability: Out,
) -> None:
    """Measure every model on the test split, before and after a temperature fitted on the calibration split."""
    import pandas as pd

    table = read_predictions(tuned_predictions, baseline_predictions)
    diagnoses = [column for column in table.columns if column not in KEYS]
    records = read_records(test)
    groups = pd.Series(independent_groups(records), index=records["record_id"])
    raw: dict[str, metrics.Scores] = {}
    calibrated: dict[str, metrics.Scores] = {}
    summary: dict[str, Any] = {"test_cases": len(records), "test_groups": groups.nunique(), "diagnoses": len(diagnoses)}
    points = {}
    for model in table["model"].unique().tolist():
        rows = table[table["model"] == model]
        scores = {split: _scores(rows[rows["split"] == split], groups, diagnoses) for split in ("calibration", "test")}
        temperature = metrics.fit_temperature(scores["calibration"].probabilities, scores["calibration"].gold)
        raw[model], calibrated[model] = scores["test"], scores["test"].tempered(temperature)
        points[model] = metrics.point_metrics(calibrated[model])
        summary[model] = points[model] | {
            "expected_calibration_error_raw": metrics.expected_calibration_error(raw[model], seed=params.seed),
            "expected_calibration_error": metrics.expected_calibration_error(calibrated[model], seed=params.seed),
            "temperature": temperature,
        }
        log.info("%s: accuracy %.3f", model, points[model]["accuracy"])
    bounds = with_intervals(calibrated, points, params)
    for model in points:
        summary[model] |= _bounds(bounds[model], ["accuracy", "macro_f1"])
    gain = bounds["tuned - tfidf"]
    summary["tuned_minus_tfidf"] = {"accuracy": gain["accuracy"].value} | _bounds(gain, ["accuracy"])

    evaluation.write_text(json.dumps(_rounded(summary), indent=2, sort_keys=True) + "\n")
    metrics.write_intervals(bounds, intervals, digits=DIGITS)
    for path, frame in {
        predictions: gold_and_top_1(calibrated, records["record_id"], diagnoses),
        per_diagnosis: figures(calibrated, diagnoses),
        roc: roc_curves(calibrated),
        reliability: bins(raw, calibrated),
    }.items():
        frame.round(DIGITS).to_csv(path, index=False)


def with_intervals(
    models: Mapping[str, metrics.Scores], points: Mapping[str, Mapping[str, float]], params: Params
) -> metrics.Intervals:
    """Return percentile intervals of each model's metrics, and of what the first model gains over each other one.

    The same groups are drawn for every model, so that gains are paired.
    """
    import numpy as np

    settings = params.evaluate
    samples = {
        model: metrics.bootstrap(scores, resamples=settings.bootstrap, seed=params.seed)
        for model, scores in models.items()
    }
    values = {model: {name: points[model][name] for name in samples[model]} for model in models}
    first, *others = models
    for other in others:
        gain = f"{first} - {other}"
        values[gain] = {name: values[first][name] - values[other][name] for name in values[first]}
        samples[gain] = {name: samples[first][name] - samples[other][name] for name in values[first]}
    tails = [(1 - settings.confidence) / 2, (1 + settings.confidence) / 2]
    return {
        model: {name: metrics.Interval(value, *np.quantile(samples[model][name], tails)) for name, value in row.items()}
        for model, row in values.items()
    }


def gold_and_top_1(
    models: Mapping[str, metrics.Scores], record_ids: pd.Series, diagnoses: Sequence[str]
) -> pd.DataFrame:
    """Return a row per test record: gold, and each model's first diagnosis, probability of gold and rank of gold."""
    import numpy as np
    import pandas as pd

    names = np.array(diagnoses)
    columns: dict[str, Any] = {"record_id": record_ids, "gold": names[next(iter(models.values())).gold]}
    for model, scores in models.items():
        columns[model] = names[scores.probabilities.argmax(axis=1)]
        columns[f"{model}_p_gold"] = scores.probabilities[np.arange(len(scores.gold)), scores.gold]
        columns[f"{model}_rank"] = metrics.gold_ranks(scores.probabilities, scores.gold)
    return pd.DataFrame(columns)


def figures(models: Mapping[str, metrics.Scores], diagnoses: Sequence[str]) -> pd.DataFrame:
    """Return precision, recall, F1 and cases by model and diagnosis."""
    import numpy as np
    import pandas as pd
    from sklearn.metrics import precision_recall_fscore_support

    frames = []
    for model, scores in models.items():
        columns = precision_recall_fscore_support(
            scores.gold, scores.probabilities.argmax(axis=1), labels=np.arange(len(diagnoses)), zero_division=0
        )
        named = dict(zip(["precision", "recall", "f1", "cases"], columns, strict=True))
        frames.append(pd.DataFrame({"model": model, "diagnosis": list(diagnoses), **named}))
    return pd.concat(frames)


def roc_curves(models: Mapping[str, metrics.Scores]) -> pd.DataFrame:
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
        ]
        columns[model] = np.mean(curves, axis=0)
    return pd.DataFrame(columns)


def bins(raw: Mapping[str, metrics.Scores], calibrated: Mapping[str, metrics.Scores]) -> pd.DataFrame:
    """Return confidence and accuracy of each bin, before and after calibration, by model."""
    import pandas as pd

    columns = {}
    for state, models in {"raw": raw, "calibrated": calibrated}.items():
        for model, scores in models.items():
            columns[f"{model}_{state}_confidence"], columns[f"{model}_{state}_accuracy"], _ = metrics.reliability(
                scores
            )
    return pd.DataFrame(columns)


def _scores(rows: pd.DataFrame, groups: pd.Series, diagnoses: Sequence[str]) -> metrics.Scores:
    gold = rows["gold"].map({diagnosis: index for index, diagnosis in enumerate(diagnoses)}).to_numpy()
    return metrics.Scores(
        rows[list(diagnoses)].to_numpy(), gold, groups.reindex(rows["record_id"]).fillna(-1).to_numpy()
    )


def _bounds(intervals: Mapping[str, metrics.Interval], names: Sequence[str]) -> dict[str, float]:
    return {f"{name}_{side}": getattr(intervals[name], side) for name in names for side in ("low", "high")}


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return round(float(value), DIGITS) if isinstance(value, float) else value


if __name__ == "__main__":
    run(evaluate)
