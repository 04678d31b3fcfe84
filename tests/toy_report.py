"""What the report reads, small: a file of each of its inputs, made up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stages.report import report

DIAGNOSES = ["Fabry disease", "Gaucher disease", "Marfan syndrome"]
MODELS = ["tuned", "tfidf", "majority", "zero_shot", "ceiling"]
CASES = 40
PLANTED = "Zebediah"  # in the text of a case that is not simulated
METRICS = {
    "accuracy": 0.8125,
    "top_3_accuracy": 0.95,
    "macro_f1": 0.79,
    "macro_auc_roc": 0.93,
    "log_loss": 0.61,
    "brier_score": 0.31,
    "expected_calibration_error": 0.021,
    "expected_calibration_error_raw": 0.09,
    "balanced_accuracy": 0.8,
}
IN_USE = {"answered": 0.7, "selective_risk": 0.08, "set_coverage": 0.91, "mean_set_size": 1.4}
DOCUMENTS: dict[str, Any] = {
    "acquisition": {
        "records": 130,
        "patients": 120,
        "diagnoses": 3,
        "records_by_source": {"hpo": 100, "files": 30},
        "rejected": 2,
    },
    "calibration": {
        "method": "temperature",
        "temperature": 1.25,
        "diagnoses": DIAGNOSES,
        "calibration_cases": 30,
        "abstention": {"target_risk": 0.1, "certainty": 0.9, "threshold": 0.62},
        "conformal": {"coverage": 0.9, "threshold": 0.07, "per_diagnosis": None},
    },
    "croissant": {
        "name": "differential-hpo-files",
        "version": "0.0.0+0123456789abcdef",
        "license": ["HPO, https://hpo.jax.org/app/license", "unknown licence of cases.csv (files)"],
        "citeAs": "Human Phenotype Ontology: Gargano et al. 2024; files: the citation is the owner's to give",
        "distribution": [{"name": "train.parquet", "sha256": "a" * 64}, {"name": "test.parquet", "sha256": "b" * 64}],
    },
    "data_quality": {
        "accepted_records": 100,
        "columns": {"severity": "critical", "success": True},
        "ages": {"severity": "critical", "success": True, "unexpected": 0, "lowest": 0, "highest": 0},
        "class_balance": {"severity": "warning", "success": False, "observed": 0.6},
    },
    "evaluation": {"test_cases": CASES, "test_groups": 38, "diagnoses": 3, "models_above_ceiling": 0},
    "scrubbing": {
        "policy": "redact",
        "version": "0123456789ab",
        "kept_entities": [],
        "documents": 130,
        "documents_changed": 120,
        "spans": {"PERSON": 200},
        "canaries": 47,
        "canaries_left": 0,
        "phi_hits": 0,
        "k_anonymity": {"classes": 60, "smallest_class": 1, "patients_in_classes_below_5": 0.2},
    },
    "splits": {
        "records": dict.fromkeys(("train", "validation", "calibration", "test"), 40),
        "independent_groups": dict.fromkeys(("train", "validation", "calibration", "test"), 38),
        "fewest_cases_per_diagnosis": dict.fromkeys(("train", "validation", "calibration", "test"), 9),
        "shared_patients": 0,
        "shared_groups": 0,
        "shared_near_duplicates": 0,
        "excluded": 1,
    },
    "training": {
        "best_epoch": 2,
        "trained_parameters": 995360,
        "tokens_per_epoch": 4000,
        "notes_cut": 0,
        "findings": 40,
    },
}
PROVENANCE = {
    "base_model": {"hub": "HuggingFaceTB/SmolLM2-135M-Instruct", "revision": "c" * 40, "licence": "Apache-2.0"},
    "inputs": {"augmented": {"md5": "d" * 32}, "base": {"md5": "e" * 32 + ".dir"}, "validation": {"md5": "f" * 32}},
    "params": {"seed": 1, "train": {"objective": "classify", "epochs": 2}, "model": {"layers": 2, "prompt": "{note}?"}},
    "versions": {"python": "3.11.2", "torch": "2.13.0"},
}


def write_inputs(folder: Path, **changes: Any) -> dict[str, Path]:
    """Write every input of the report into a folder, with `changes` in place of some, and return the paths by name."""
    content = DOCUMENTS | tables() | {"explanations": explanations()} | changes
    paths = {}
    for name, value in content.items():
        if isinstance(value, pd.DataFrame):
            paths[name] = folder / f"{name}.csv"
            value.round(4).to_csv(paths[name], index=False, lineterminator="\n")
        else:
            paths[name] = folder / f"{name}.json"
            paths[name].write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
    paths["adapter"] = folder / "adapter"
    paths["adapter"].mkdir(exist_ok=True)
    (paths["adapter"] / "provenance.json").write_text(json.dumps(PROVENANCE))
    return paths


def make_report(folder: Path, **changes: Any) -> Path:
    """Run the stage on inputs with `changes`, and return the folder of the report; the model card stands in it too."""
    folder.mkdir(exist_ok=True)
    inputs = write_inputs(folder, **changes)
    outputs = {"report": folder / "report", "README": folder / "README.md"}
    report(**inputs, **outputs)
    return outputs["report"]


def tables() -> dict[str, pd.DataFrame]:
    """Return the tables among the inputs, by name."""
    grid = np.linspace(0, 1, 11)
    return {
        "comparisons": comparisons(gain=0.05),
        "decision_curve": pd.DataFrame(
            {"diagnosis": DIAGNOSES[0], "threshold": grid[1:-1], "tuned": 0.1, "all": 0.05, "none": 0.0}
        ),
        "intervals": intervals(),
        "losses": pd.DataFrame({"epoch": [1, 2], "train": [1.1, 0.6], "validation": [1.0, 0.8]}),
        "per_diagnosis": pd.DataFrame(
            [
                {"model": model, "diagnosis": name, "cases": 13, "precision": 0.8, "sensitivity": 0.7, "f1": 0.75}
                for model in MODELS
                for name in DIAGNOSES
            ]
        ),
        "perturbations": pd.DataFrame(
            [
                {
                    "perturbation": "typos",
                    "expected": "same",
                    "cases": 40,
                    "changed": 0.125,
                    "changed_low": 0.05,
                    "changed_high": 0.26,
                    "accuracy": 0.75,
                    "accuracy_before": 0.8,
                    "probability_shift": 0.08,
                },
                {"perturbation": "other_sex", "expected": "same", "cases": 0},
            ]
        ),
        "predictions": predictions(),
        "reliability": pd.DataFrame(
            {
                f"{model}_{state}_{axis}": [0.3, 0.6, 0.9]
                for model in MODELS
                for state in ("raw", "calibrated")
                for axis in ("confidence", "accuracy")
            }
        ),
        "risk_coverage": pd.DataFrame(
            {"coverage": [0.1, 0.5, 1.0], "risk": [0.0, 0.1, 0.2], "threshold": [0.9, 0.6, 0]}
        ),
        "roc": pd.DataFrame({"false_positive_rate": grid} | {model: np.sqrt(grid) for model in MODELS}),
        "subgroups": subgroups(),
    }


def intervals(models: list[str] = MODELS) -> pd.DataFrame:
    """Return what is measured of each model; each one's values differ."""
    rows = [{"model": model, "metric": "cases", "value": 10 if model == "zero_shot" else CASES} for model in models]
    for place, model in enumerate(models):
        for metric, value in (METRICS | (IN_USE if model == "tuned" else {})).items():
            found = value * (1 - place / 10)
            bounds = {} if metric.startswith("expected") else {"low": found * 0.9, "high": found * 1.1}
            rows.append({"model": model, "metric": metric, "value": found, "null_high": 0.04} | bounds)
    return pd.DataFrame(rows, columns=["model", "metric", "value", "low", "high", "null_high"])


def comparisons(*, gain: float, models: list[str] = MODELS) -> pd.DataFrame:
    """Return gains of the tuned model over the others, with intervals of ± 0.02."""
    return pd.DataFrame(
        [
            {
                "model": "tuned",
                "baseline": other,
                "metric": metric,
                "cases": CASES,
                "gain": gain,
                "low": gain - 0.02,
                "high": gain + 0.02,
                "p_bootstrap": 0.01,
                "p_mcnemar": 0.0004 if metric == "accuracy" else None,
                "p_adjusted": 0.03,
            }
            for other in models[1:]
            for metric in ("accuracy", "macro_f1", "log_loss")
        ]
    )


def predictions() -> pd.DataFrame:
    """Return a row per test case: every fifth is wrong, and every fourth no simulated one."""
    rows = []
    for place in range(CASES):
        gold, wrong = DIAGNOSES[place % 3], place % 5 == 0
        rows.append(
            {
                "record_id": f"{'files' if place % 4 == 0 else 'hpo'}-{place:02}",
                "source": "files" if place % 4 == 0 else "hpo",
                "gold": gold,
                "tuned": DIAGNOSES[(place + 1) % 3] if wrong else gold,
                "tuned_p_gold": 0.2 if wrong else 0.7,
                "tuned_rank": 2 if wrong else 1,
                "tuned_confidence": 0.5 + place / 100,
                "tuned_answered": place % 2 == 0,
                "tuned_set_size": 2,
            }
        )
    return pd.DataFrame(rows)


def subgroups() -> pd.DataFrame:
    """Return metrics of two sexes, and the gap."""
    rows = [("female", 20, 0.8), ("male", 20, 0.7), ("gap", 40, 0.1)]
    return pd.DataFrame(
        [
            {"attribute": "sex", "group": name, "cases": cases, "metric": metric, "value": value}
            | {"low": value - 0.05, "high": value + 0.05}
            for name, cases, value in rows
            for metric in ("accuracy", "macro_recall")
        ]
    )


def explanations() -> list[dict[str, Any]]:
    """Return a simulated case, and one that is not: no stage would write it, and the report must not show it."""
    differential = [{"diagnosis": name, "probability": 0.6 - place / 5} for place, name in enumerate(DIAGNOSES)]
    return [
        {
            "record_id": name,
            "gold": DIAGNOSES[0],
            "differential": differential,
            "tokens": [{"text": "She ", "attribution": 0.01}, {"text": f"{word}.\n", "attribution": value}],
        }
        for name, word, value in (("hpo-01", "<b>coughs</b> | *often*", 1.2), ("files-00", PLANTED, -0.8))
    ]
