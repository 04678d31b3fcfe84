"""Evaluate: every model's predictions in; metrics with intervals, per-diagnosis figures and the data of plots out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pydantic import Field

from stages.lib import metrics
from stages.lib.comparison import CEILING, Model, with_intervals
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
    models = {
        model: _model(table[table["model"] == model], groups=groups, diagnoses=diagnoses)
        for model in table["model"].unique().tolist()
    }
    bounds = with_intervals(
        models, resamples=params.evaluate.bootstrap, confidence=params.evaluate.confidence, seed=params.seed
    )
    summary = {"test_cases": len(records), "test_groups": groups.nunique(), "diagnoses": len(diagnoses)}
    summary |= headline(models, bounds, seed=params.seed)
    evaluation.write_text(json.dumps(_rounded(summary), indent=2, sort_keys=True) + "\n")
    metrics.write_intervals(bounds, intervals, digits=DIGITS)
    calibrated = {name: model.calibrated for name, model in models.items()}
    for path, frame in {
        predictions: gold_and_top_1(models, records, diagnoses),
        per_diagnosis: figures(calibrated, diagnoses),
        roc: roc_curves(calibrated),
        reliability: bins({name: model.raw for name, model in models.items()}, calibrated),
    }.items():
        frame.round(DIGITS).to_csv(path, index=False)


def headline(models: Mapping[str, Model], bounds: metrics.Intervals, *, seed: int) -> dict[str, Any]:
    """Return the metrics that a diff shows, by model, and how they stand to each other.

    `cases` is there where a model predicts fewer than all; `models_above_ceiling` counts those whose gain over the
    ceiling has an interval above 0.
    """
    summary: dict[str, Any] = {}
    most = max(len(model.ids) for model in models.values())
    for name, model in models.items():
        summary[name] = metrics.point_metrics(model.calibrated) | _bounds(bounds[name], ["accuracy", "macro_f1"])
        summary[name] |= {
            "expected_calibration_error_raw": metrics.expected_calibration_error(model.raw, seed=seed),
            "expected_calibration_error": metrics.expected_calibration_error(model.calibrated, seed=seed),
            "temperature": model.temperature,
        }
        summary[name] |= {"cases": len(model.ids)} if len(model.ids) < most else {}
        log.info("%s: accuracy %.3f", name, summary[name]["accuracy"])
    gain = bounds["tuned - tfidf"]
    summary["tuned_minus_tfidf"] = {"accuracy": gain["accuracy"].value} | _bounds(gain, ["accuracy"])
    if CEILING in models:
        above = [name for name in models if name != CEILING and bounds[f"{name} - {CEILING}"]["accuracy"].low > 0]
        summary["models_above_ceiling"] = len(above)
        for name in above:
            log.warning("%s is above the ceiling: the splits leak, or the generator is not what it is said to be", name)
    return summary


def gold_and_top_1(models: Mapping[str, Model], records: pd.DataFrame, diagnoses: Sequence[str]) -> pd.DataFrame:
    """Return a row per test record: gold, and each model's first diagnosis, probability of gold and rank of gold."""
    import numpy as np
    import pandas as pd

    names = np.array(diagnoses)
    shown = records[["record_id", "diagnosis"]].rename(columns={"diagnosis": "gold"}).set_index("record_id")
    for name, model in models.items():
        scores = model.calibrated
        columns = {
            name: names[scores.probabilities.argmax(axis=1)],
            f"{name}_p_gold": scores.probabilities[np.arange(len(scores.gold)), scores.gold],
            f"{name}_rank": metrics.gold_ranks(scores.probabilities, scores.gold),
        }
        shown = shown.join(pd.DataFrame(columns, index=model.ids))
        shown[f"{name}_rank"] = shown[f"{name}_rank"].astype("Int64")
    return shown.reset_index()


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


def _model(rows: pd.DataFrame, *, groups: pd.Series, diagnoses: Sequence[str]) -> Model:
    """Return a model's scores on the test split, calibrated by a temperature fitted on the calibration split."""
    position = {diagnosis: index for index, diagnosis in enumerate(diagnoses)}

    def scores(split: str) -> tuple[pd.Index[str], metrics.Scores]:
        own = rows[rows["split"] == split].set_index("record_id")
        gold, group = own["gold"].map(position).to_numpy(), groups.reindex(own.index).fillna(-1).to_numpy()
        return own.index, metrics.Scores(own[list(diagnoses)].to_numpy(), gold, group)

    _, fitted = scores("calibration")
    ids, raw = scores("test")
    temperature = metrics.fit_temperature(fitted.probabilities, fitted.gold)
    return Model(ids, raw, raw.tempered(temperature), temperature)


def _bounds(intervals: Mapping[str, metrics.Interval], names: Sequence[str]) -> dict[str, float]:
    return {f"{name}_{side}": getattr(intervals[name], side) for name in names for side in ("low", "high")}


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return round(float(value), DIGITS) if isinstance(value, float) else value


if __name__ == "__main__":
    run(evaluate)
