"""The whole pipeline on tiny parameters and a random model, once; the system tests run it twice and kill it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from toy_pipeline import dvc


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, make_workspace: Callable[[Path], Path]) -> tuple[Path, str]:
    """Return a workspace in which `dvc repro` has run, and what it printed."""
    workspace = make_workspace(tmp_path_factory.mktemp("pipeline") / "workspace")
    done = dvc(workspace, "repro")
    return workspace, done.stdout + done.stderr


def test_a_second_repro_has_nothing_to_do(finished: tuple[Path, str]) -> None:
    assert "up to date" in dvc(finished[0], "repro").stdout


def test_every_stage_says_what_went_in_and_came_out(finished: tuple[Path, str]) -> None:
    workspace, printed = finished
    for name in (path.stem for path in (workspace / "stages").glob("*.py")):
        assert re.search(rf"\[{name}\] in: ", printed), name
        assert re.search(rf"\[{name}\] out: .* in \d+\.\d s", printed), name


def test_every_model_gives_a_probability_distribution_for_every_test_record(finished: tuple[Path, str]) -> None:
    data = finished[0] / "data"
    tables = [pd.read_parquet(data / name) for name in ("tuned_predictions.parquet", "baseline_predictions.parquet")]
    predictions = pd.concat(tables)
    diagnoses = sorted(predictions["gold"].unique())
    assert sorted(predictions.columns) == sorted(["model", "split", "record_id", "gold", *diagnoses])
    assert predictions[diagnoses].sum(axis=1).to_numpy() == pytest.approx(1)
    test = set(pd.read_parquet(data / "test.parquet")["record_id"])
    for model in ("tuned", "majority", "tfidf", "probe"):
        rows = predictions[(predictions["model"] == model) & (predictions["split"] == "test")]
        assert set(rows["record_id"]) == test


def test_metrics_are_flat_rounded_and_agree_with_the_predictions_in_git(finished: tuple[Path, str]) -> None:
    metrics = finished[0] / "metrics"
    evaluation = json.loads((metrics / "evaluation.json").read_text())
    predictions = pd.read_csv(metrics / "predictions.csv")
    assert evaluation["test_cases"] == len(predictions)
    accuracies = evaluation["accuracy"] | {"tuned": evaluation["tuned"]["accuracy"]}
    for model in ("tuned", "majority", "tfidf", "probe"):
        accuracy = (predictions[model] == predictions["gold"]).mean()
        assert accuracies[model] == pytest.approx(accuracy, abs=1e-4)
    assert evaluation["tuned"]["accuracy_low"] <= accuracies["tuned"] <= evaluation["tuned"]["accuracy_high"]


def test_no_split_shares_a_record_with_another(finished: tuple[Path, str]) -> None:
    splits = [pd.read_parquet(finished[0] / "data" / f"{name}.parquet") for name in
              ("train", "validation", "calibration", "test")]  # fmt: skip
    records = pd.concat(splits)
    assert records["record_id"].is_unique
    assert "phi" not in records
    assert json.loads((finished[0] / "metrics" / "splits.json").read_text())["shared_patients"] == 0


def test_planted_names_and_numbers_are_in_no_artefact_after_scrub(finished: tuple[Path, str]) -> None:
    workspace, printed = finished
    raw = pd.read_parquet(workspace / "data" / "raw.parquet").set_index("record_id")
    scrubbed = pd.read_parquet(workspace / "data" / "scrubbed.parquet").set_index("record_id")
    certain = {"EMAIL_ADDRESS", "MEDICAL_RECORD_NUMBER", "US_SSN"}
    values = {
        text[span["start"] : span["end"]]
        for text, spans in zip(raw["text"], raw["phi"], strict=True)
        for span in spans
        if span["entity"] in certain
    }
    assert len(values) > 50
    everything = "\n".join([*scrubbed["text"], printed, *_texts(workspace)])
    assert not [value for value in values if value in everything]


def _texts(workspace: Path) -> list[str]:
    folders = [workspace / "metrics", workspace / "data" / "data_docs", workspace / "models" / "adapter"]
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return [path.read_text(encoding="utf-8", errors="replace") for path in files if path.suffix != ".safetensors"]
