"""A git repository of two revisions with hand-made metrics, as runs of the pipeline leave them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

DIAGNOSES = ["Gaucher disease", "Marfan syndrome", "Lupus | SLE", "Behçet disease"]
PARAMS = {"seed": 1, "train": {"learning_rate": 0.001, "epochs": 5, "lora": {"rank": 16}}, "split": {"folds": 5}}


def predictions(*, accuracy: float, cases: int = 400, seed: int = 0, prefix: str = "toy") -> pd.DataFrame:
    """Return predictions by which that share of the cases is right; the cases are the same for every seed."""
    facts, answers = np.random.default_rng(7), np.random.default_rng(seed)
    gold = facts.integers(len(DIAGNOSES), size=cases)
    right = answers.random(cases) < accuracy
    tuned = np.where(right, gold, (gold + 1) % len(DIAGNOSES))
    confidence = np.round(0.5 + answers.random(cases) / 2, 4)
    ids = [f"{prefix}-{number:05d}" for number in range(cases)]
    return pd.DataFrame(
        {
            "record_id": ids,
            "group": ids,
            "gold": np.array(DIAGNOSES)[gold],
            "sex": np.where(facts.random(cases) < 0.5, "female", "male"),
            "age_band": np.where(facts.random(cases) < 0.3, "0-17", "18-64"),
            "source": "hpo",
            "voice": np.where(facts.random(cases) < 0.5, "triage note", "own words"),
            "tuned": np.array(DIAGNOSES)[tuned],
            "tuned_p_gold": np.where(right, confidence, np.round(1 - confidence, 4)),
            "tuned_rank": np.where(right, 1, 2),
            "tuned_confidence": confidence,
            "tuned_brier": np.round(np.where(right, 2 * (1 - confidence) ** 2, 2 * confidence**2), 4),
        }
    )


def write(folder: Path, table: pd.DataFrame, *, params: Mapping[str, Any] = PARAMS, leak: float = 0.001) -> None:
    """Write what a run leaves: predictions, metrics, parameters, dvc.lock."""
    (folder / "metrics").mkdir(exist_ok=True)
    table.to_csv(folder / "metrics/predictions.csv", index=False)
    right = float((table["gold"] == table["tuned"]).mean())
    documents: dict[str, Any] = {
        "evaluation": {"test_cases": len(table), "tuned": {"accuracy": round(right, 4), "macro_auc_roc": 0.9}},
        "splits": {"records": {"train": 900, "validation": 100, "calibration": 100, "test": len(table)}},
        "acquisition": {"records": 1500, "diagnoses": len(DIAGNOSES)},
        "scrubbing": {"leak": leak, "leak_low": 0.0, "leak_high": round(leak + 0.0005, 5), "canaries_left": 0},
        "data_quality": {"text_present": {"success": True}},
        "training": {"epochs": 5},
    }
    for name, document in documents.items():
        (folder / f"metrics/{name}.json").write_text(json.dumps(document, indent=2) + "\n")
    (folder / "params.yaml").write_text(yaml.safe_dump(dict(params)))
    (folder / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": stages(params)}))


def stages(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return dvc.lock's stages; the adapter's content follows the parameters."""
    code = {"path": "stages/train.py", "hash": "md5", "md5": "0" * 32}
    adapter = {"path": "models/adapter", "hash": "md5", "md5": f"{len(str(params)):032x}"}
    return {"train": {"cmd": "python -m stages.train", "deps": [code], "outs": [adapter]}}


def repository(folder: Path) -> Path:
    """Return a new repository on the branch main."""
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "--quiet", "--initial-branch=main")
    return folder


def commit(folder: Path, message: str) -> str:
    """Commit all and return the sha."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", message)
    return git(folder, "rev-parse", "HEAD").strip()


def git(folder: Path, *arguments: str) -> str:
    """Run git as a person with a name, and return what it prints."""
    who = ["-c", "user.name=Toy", "-c", "user.email=toy@example.org"]
    return subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout
