"""Evaluate: every model's predictions in; metrics with intervals, comparisons, subgroups and the data of plots out."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from stages.lib.abstention import risk_by_coverage
from stages.lib.calibration import Calibration, read_calibration
from stages.lib.cases import by_case, in_use
from stages.lib.comparison import CEILING, Model, compare, with_intervals
from stages.lib.decision import decision_curves
from stages.lib.fairness import attributes, by_subgroup, worst
from stages.lib.intervals import Intervals, write_intervals
from stages.lib.metrics import by_diagnosis, roc_curves
from stages.lib.phenotypes.cohort import read_cohort
from stages.lib.predictions import read_predictions
from stages.lib.records import independent_groups, read_records
from stages.lib.reliability import bins
from stages.lib.scaling import fit_temperature
from stages.lib.scores import TUNED, Scores, scored
from stages.lib.stage import In, Out, Strict, log, run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pandas as pd

DIGITS = 4
HEADLINE = (
    "accuracy",
    "balanced_accuracy",
    "top_3_accuracy",
    "macro_f1",
    "macro_auc_roc",
    "log_loss",
    "brier_score",
    "expected_calibration_error",
)
IN_USE = ("answered", "selective_risk", "set_coverage", "mean_set_size")
BOUNDED = ("accuracy", "macro_f1")  # with the bounds of their intervals


class EvaluateParams(Strict):
    """How uncertainty and usefulness are stated."""

    bootstrap: int = Field(ge=100, le=100_000)
    """Resamples of the test split's independent groups."""
    confidence: float = Field(gt=0.5, lt=1)
    """Coverage of the intervals."""
    prevalence: dict[str, Annotated[float, Field(gt=0, lt=1)]]
    """Share of a diagnosis where the model is to be used, by diagnosis; each one named gets a decision curve."""


class Params(Strict):
    """Parameters of the stage."""

    seed: int = Field(ge=0)
    """Seed of the bootstrap."""
    evaluate: EvaluateParams
    """See there."""


def evaluate(
    params: Params,
    baseline_predictions: In,
    calibration: In,
    test: In,
    tuned_predictions: In,
    evaluation: Out,
    intervals: Out,
    comparisons: Out,
    per_diagnosis: Out,
    subgroups: Out,
    predictions: Out,
    reliability: Out,
    risk_coverage: Out,
    roc: Out,
    decision_curve: Out,
) -> None:
    """Measure every model on the test split; the tuned one as calibrated, others after a temperature of their own."""
    import pandas as pd

    predicted = read_predictions(tuned_predictions, baseline_predictions)
    learnt, records = read_calibration(calibration), read_records(test)
    groups = pd.Series(independent_groups(records), index=records["record_id"])
    models = calibrated(predicted, learnt, groups)
    how = params.evaluate
    settings: Any = {"resamples": how.bootstrap, "confidence": how.confidence, "seed": params.seed}
    bounds = with_intervals(models, **settings)
    bounds[TUNED] |= in_use(models[TUNED].calibrated, learnt, **settings)
    families = {disease.id: disease.group for disease in read_cohort()}
    compared = compare(models, **settings)
    parts = by_subgroup(models[TUNED], attributes(records, families), **settings)
    drawn = curves(models, learnt.diagnoses, how.prevalence)
    _write(compared, comparisons)
    _write(parts, subgroups)
    _write(by_case(models, records, groups, learnt), predictions)
    outs = (per_diagnosis, reliability, risk_coverage, roc, decision_curve)  # in the order of `curves`
    for table, path in zip(drawn.values(), outs, strict=True):
        _write(table, path)
    write_intervals(bounds, intervals, digits=DIGITS)
    summary = {"test_cases": len(records), "test_groups": groups.nunique(), "diagnoses": len(learnt.diagnoses)}
    summary |= headline(bounds, comparisons=compared, subgroups=parts)
    evaluation.write_text(json.dumps(_written(summary), indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def curves(
    models: Mapping[str, Model], diagnoses: Sequence[str], prevalence: Mapping[str, float]
) -> dict[str, pd.DataFrame]:
    """Return what is measured by diagnosis, then the data of the curves, by the stem of the table."""
    import pandas as pd

    scores = {name: model.calibrated for name, model in models.items()}
    return {
        "per_diagnosis": pd.concat([by_diagnosis(found, name, diagnoses) for name, found in scores.items()]),
        "reliability": bins({"raw": {name: model.raw for name, model in models.items()}, "calibrated": scores}),
        "risk_coverage": risk_by_coverage(scores[TUNED]),
        "roc": roc_curves(scores),
        "decision_curve": decision_curves(scores[TUNED], prevalence, diagnoses),
    }


def calibrated(table: pd.DataFrame, calibration: Calibration, groups: pd.Series) -> dict[str, Model]:
    """Return each model's scores on the test split: the tuned one's calibrated as learnt, others' by a temperature
    fitted on the calibration split.
    """
    models = {}
    for name in table["model"].unique().tolist():
        ids, raw = scored(table, model=name, split="test", groups=groups)
        _, held_out = scored(table, model=name, split="calibration")
        scaling = calibration if name == TUNED else fit_temperature(held_out.probabilities, held_out.gold)
        models[name] = Model(ids, raw, Scores(scaling.apply(raw.probabilities), raw.gold, raw.groups))
    return models


def headline(bounds: Intervals, *, comparisons: pd.DataFrame, subgroups: pd.DataFrame) -> dict[str, Any]:
    """Return the few metrics that a diff shows: of the tuned model, and where it stands.

    `p` is two-sided, of the bootstrap, after Holm over the baselines; `models_above_ceiling` counts the models whose
    gain over the ceiling has an interval above 0.
    """
    tuned = bounds[TUNED]
    found: dict[str, Any] = {name: tuned[name].value for name in (*HEADLINE, *IN_USE)}
    found |= {f"{name}_{side}": getattr(tuned[name], side) for name in BOUNDED for side in ("low", "high")}
    found["expected_calibration_error_by_chance"] = tuned["expected_calibration_error"].null_high
    summary: dict[str, Any] = {TUNED: found}
    summary["accuracy"] = {name: metrics["accuracy"].value for name, metrics in bounds.items() if name != TUNED}
    by_accuracy = comparisons[comparisons["metric"] == "accuracy"]
    gain = by_accuracy.query(f"model == '{TUNED}' and baseline == 'tfidf'")[["gain", "low", "high", "p_adjusted"]]
    named = zip(("accuracy", "accuracy_low", "accuracy_high", "p"), gain.to_numpy()[0].tolist(), strict=True)
    summary["tuned_minus_tfidf"] = dict(named)
    if lowest := worst(subgroups, metric="macro_recall"):
        summary["worst_group"], summary["worst_group_recall"] = lowest
    if CEILING in bounds:
        above = by_accuracy.query(f"baseline == '{CEILING}' and low > 0")["model"].tolist()
        summary["models_above_ceiling"] = len(above)
        for name in above:
            log.warning("%s is above the ceiling: the splits leak, or the generator is not what it is said to be", name)
    return summary


def _write(table: pd.DataFrame, path: Path) -> None:
    table.round(DIGITS).to_csv(path, index=False, lineterminator="\n")


def _written(value: Any) -> Any:
    """Return what JSON holds of metrics: floats rounded, and no NaN."""
    if isinstance(value, dict):
        kept = {key: _written(item) for key, item in value.items()}
        return {key: item for key, item in kept.items() if item is not None}
    if isinstance(value, float):
        return None if math.isnan(value) else round(float(value), DIGITS)
    return value


if __name__ == "__main__":
    run(evaluate)
