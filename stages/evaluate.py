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
    raw, calibrated, temperatures = {}, {}, {}
    for model, rows in table.groupby("model", sort=False):
        scores = {split: _scores(part, groups, diagnoses) for split, part in rows.groupby("split")}
        temperatures[model] = metrics.fit_temperature(scores["calibration"].probabilities, scores["calibration"].gold)
        raw[model], calibrated[model] = scores["test"], scores["test"].tempered(temperatures[model])

    points = {model: metrics.point_metrics(scores) for model, scores in calibrated.items()}
    bounds = with_intervals(calibrated, points, params)
    errors = {
        model: {
            "expected_calibration_error_raw": metrics.expected_calibration_error(raw[model], seed=params.seed),
            "expected_calibration_error": metrics.expected_calibration_error(calibrated[model], seed=params.seed),
            "temperature": temperatures[model],
        }
        for model in points
    }
    summary = {"test_cases": len(records), "test_groups": int(groups.nunique()), "diagnoses": len(diagnoses)}
    summary |= {model: _headline(points[model], bounds.loc[model]) | errors[model] for model in points}
    summary["tuned_minus_tfidf"] = _headline(
        {"accuracy": bounds.loc[("tuned - tfidf", "accuracy"), "value"]}, bounds.loc["tuned - tfidf"]
    )
    evaluation.write_text(json.dumps(_rounded(summary), indent=2) + "\n")
    for path, frame in {
        intervals: bounds.reset_index(),
        predictions: gold_and_top_1(calibrated, records["record_id"], diagnoses),
        per_diagnosis: figures(calibrated, diagnoses),
        roc: roc_curves(calibrated),
        reliability: bins(raw, calibrated),
    }.items():
        frame.round(DIGITS).to_csv(path, index=False)
    log.info("test accuracy: %s", ", ".join(f"{model} {point['accuracy']:.3f}" for model, point in points.items()))


def with_intervals(
    models: Mapping[str, metrics.Scores], points: Mapping[str, Mapping[str, float]], params: Params
) -> pd.DataFrame:
    """Return value, low and high by model and metric, and so for what the first model gains over each other one.

    Percentile intervals; the same groups are drawn for every model, so that gains are paired.
    """
    import numpy as np
    import pandas as pd

    settings = params.evaluate
    samples = {
        model: metrics.bootstrap(scores, resamples=settings.bootstrap, seed=params.seed)
        for model, scores in models.items()
    }
    tail = (1 - settings.confidence) / 2
    first, *others = models
    rows = [
        (model, name, points[model][name], *np.quantile(values, [tail, 1 - tail]))
        for model in models
        for name, values in samples[model].items()
    ]
    rows += [
        (
            f"{first} - {other}",
            name,
            points[first][name] - points[other][name],
            *np.quantile(samples[first][name] - samples[other][name], [tail, 1 - tail]),
        )
        for other in others
        for name in samples[first]
    ]
    return pd.DataFrame(rows, columns=["model", "metric", "value", "low", "high"]).set_index(["model", "metric"])


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


def _headline(points: Mapping[str, float], bounds: pd.DataFrame) -> dict[str, float]:
    headline = {}
    for name, value in points.items():
        headline[name] = value
        if name in {"accuracy", "macro_f1"}:
            headline[f"{name}_low"], headline[f"{name}_high"] = bounds.loc[name, ["low", "high"]]
    return headline


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return round(float(value), DIGITS) if isinstance(value, float) else value


if __name__ == "__main__":
    run(evaluate)
