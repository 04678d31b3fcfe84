"""The stage on small tables: every output, whatever is missing; the same bytes twice; no NaN in JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from toy_scores import drawn

from stages.calibrate import CalibrateParams, calibrate
from stages.calibrate import Params as CalibrateStage
from stages.evaluate import EvaluateParams, Params, evaluate
from stages.lib.predictions import predictions
from stages.lib.stage import In, Out, StageError

DIAGNOSES = ["a", "b", "c", "d"]
OUTPUTS = {
    "evaluation": "json",
    **dict.fromkeys(["intervals", "comparisons", "per_diagnosis", "subgroups", "predictions"], "csv"),
    **dict.fromkeys(["reliability", "risk_coverage", "roc", "decision_curve"], "csv"),
}


def records(split: str, gold: np.ndarray) -> pd.DataFrame:
    rows = np.arange(len(gold))
    return pd.DataFrame(
        {
            "record_id": [f"{split}-{row:03}" for row in rows],
            "patient_id": [f"{split}-{row // 2:03}" for row in rows],
            "groups": [[] for _ in rows],
            "diagnosis": np.array(DIAGNOSES)[gold],
            "diagnosis_code": None,
            "age": np.where(rows % 7 == 0, np.nan, rows % 95),
            "sex": np.array(["female", "male", None], dtype=object)[rows % 3],
            "source": "files",
            "voice": None,
        }
    )


def lay_out(folder: Path, *, test_cases: int = 120, of: tuple[int, ...] = (0, 1, 2, 3), others: bool = True) -> None:
    """Write the inputs of the stage: a tuned model, TF-IDF, and two models that predict fewer cases."""
    tables = {"tuned": [], "rest": []}
    for split, seed, cases in (("calibration", 1, 100), ("test", 2, test_cases)):
        scores = drawn(seed, cases=5 * cases, diagnoses=4)
        scores = scores.at(np.flatnonzero(np.isin(scores.gold, of))[:cases])
        table = records(split, scores.gold)
        if split == "test":
            table.to_parquet(folder / "test.parquet")
        worse = drawn(seed + 7, cases=cases, diagnoses=4).probabilities
        made = {"tuned": scores.probabilities, "tfidf": (scores.probabilities + worse) / 2}
        parts = {"zero_shot": range(0, 30), "phenotype_likelihood": range(25, 60) if split == "test" else range(0)}
        for name, p in (made | (dict.fromkeys(parts, worse) if others else {})).items():
            rows = [row for row in parts.get(name, range(cases)) if row < cases]
            found = predictions(table.iloc[rows], p[rows], model=name, split=split, diagnoses=DIAGNOSES)
            tables["tuned" if name == "tuned" else "rest"].append(found)
    pd.concat(tables["tuned"]).to_parquet(folder / "tuned_predictions.parquet")
    pd.concat(tables["rest"]).to_parquet(folder / "baseline_predictions.parquet")
    settings = CalibrateParams(method="temperature", target_risk=0.3, coverage=0.9)
    calibrate(
        CalibrateStage(calibrate=settings), In(folder / "tuned_predictions.parquet"), Out(folder / "calibration.json")
    )


def run(folder: Path, prevalence: dict[str, float] | None = None, out: str = "out") -> dict[str, Any]:
    """Run the stage and return what evaluation.json holds."""
    (folder / out).mkdir()
    inputs = {name: In(folder / f"{name}.parquet") for name in ("baseline_predictions", "test", "tuned_predictions")}
    outputs = {name: Out(folder / out / f"{name}.{suffix}") for name, suffix in OUTPUTS.items()}
    settings = EvaluateParams(bootstrap=100, confidence=0.95, prevalence=prevalence or {})
    evaluate(Params(seed=1, evaluate=settings), calibration=In(folder / "calibration.json"), **inputs, **outputs)

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    found: dict[str, Any] = json.loads((folder / out / "evaluation.json").read_text(), parse_constant=refuse)
    return found


def read(folder: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(folder / "out" / f"{name}.csv")


def test_every_output_has_the_agreed_columns(tmp_path: Path) -> None:
    lay_out(tmp_path)
    summary = run(tmp_path, {"b": 0.1})
    models = ["tuned", "tfidf", "zero_shot", "phenotype_likelihood"]
    columns = {
        "intervals": "model,metric,value,low,high,null_high",
        "comparisons": "model,baseline,metric,cases,gain,low,high,p_bootstrap,p_mcnemar,p_adjusted",
        "per_diagnosis": "model,diagnosis,cases,precision,sensitivity,specificity,f1,auc_roc,auc_pr",
        "subgroups": "attribute,group,cases,metric,value,low,high",
        "predictions": "record_id,group,gold,sex,age_band,source,voice,"
        + "".join(f"{model},{model}_p_gold,{model}_rank," for model in models)
        + "tuned_confidence,tuned_brier,tuned_answered,tuned_set_size",
        "risk_coverage": "coverage,risk,threshold",
        "decision_curve": "diagnosis,threshold,tuned,all,none",
        "roc": ",".join(["false_positive_rate", *models]),
    }
    assert {name: ",".join(read(tmp_path, name).columns) for name in columns} == columns
    assert list(read(tmp_path, "intervals")["model"].unique()) == models
    assert summary["test_cases"] == 120
    assert summary["test_groups"] == 60
    lines = len(summary) + sum(len(value) - 1 for value in summary.values() if isinstance(value, dict))
    assert lines <= 32, "more than a screen of metrics"


def test_numbers_agree_with_the_predictions_that_stand_in_git(tmp_path: Path) -> None:
    lay_out(tmp_path)
    summary = run(tmp_path)
    shown = read(tmp_path, "predictions")
    intervals = read(tmp_path, "intervals").set_index(["model", "metric"])["value"]
    for model in ("tuned", "tfidf", "zero_shot", "phenotype_likelihood"):
        own = shown[shown[model].notna()]
        assert intervals[model, "cases"] == len(own)
        assert intervals[model, "accuracy"] == pytest.approx((own[model] == own["gold"]).mean(), abs=1e-4)
        assert intervals[model, "mean_reciprocal_rank"] == pytest.approx((1 / own[f"{model}_rank"]).mean(), abs=1e-4)
    assert summary["tuned"]["accuracy"] == pytest.approx((shown["tuned"] == shown["gold"]).mean(), abs=1e-4)
    assert intervals["tuned", "brier_score"] == pytest.approx(shown["tuned_brier"].mean(), abs=1e-3)
    assert intervals["tuned", "mean_set_size"] == pytest.approx(shown["tuned_set_size"].mean(), abs=1e-4)
    answered = shown[shown["tuned_answered"]]
    assert intervals["tuned", "answered"] == pytest.approx(len(answered) / len(shown), abs=1e-4)
    risk = (answered["tuned"] != answered["gold"]).mean()
    assert intervals["tuned", "selective_risk"] == pytest.approx(risk, abs=1e-4, nan_ok=True)
    groups = shown.groupby("group")["record_id"].agg(["min", "size"])
    assert (groups["min"] == groups.index).all()
    assert set(groups["size"]) == {2}


def test_the_same_inputs_give_the_same_bytes(tmp_path: Path) -> None:
    lay_out(tmp_path)
    run(tmp_path, {"b": 0.1}, out="one")
    run(tmp_path, {"b": 0.1}, out="two")
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


@pytest.mark.parametrize("of", [(0,), (1, 3)], ids=["one diagnosis", "two of four diagnoses"])
def test_diagnoses_that_no_case_has_leave_no_nan_in_json(tmp_path: Path, of: tuple[int, ...]) -> None:
    lay_out(tmp_path, test_cases=40, of=of)
    summary = run(tmp_path, {"a": 0.1})
    assert ("macro_auc_roc" in summary["tuned"]) == (len(of) > 1)
    assert read(tmp_path, "decision_curve").empty
    per_diagnosis = read(tmp_path, "per_diagnosis").query("model == 'tuned'").set_index("diagnosis")
    assert per_diagnosis["cases"].gt(0).tolist() == [index in of for index in range(4)]


def test_a_handful_of_cases_is_enough_to_run(tmp_path: Path) -> None:
    lay_out(tmp_path, test_cases=7, others=False)
    summary = run(tmp_path)
    assert "worst_group" not in summary
    assert read(tmp_path, "subgroups").empty


def test_a_prevalence_of_no_diagnosis_writes_nothing(tmp_path: Path) -> None:
    lay_out(tmp_path)
    with pytest.raises(StageError, match=r"^params\.yaml: evaluate\.prevalence: no diagnosis 'flu'; choose "):
        run(tmp_path, {"flu": 0.1})
    assert list((tmp_path / "out").iterdir()) == []
