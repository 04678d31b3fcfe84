"""Calibrators undo a distortion and come back from JSON as they were; few cases are refused in one line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from toy_scores import drawn, tempered

from stages.calibrate import CalibrateParams, Params, calibrate, parts
from stages.lib.calibration import Calibration, read_calibration, write_calibration
from stages.lib.metrics import log_losses
from stages.lib.predictions import predictions
from stages.lib.scaling import METHODS, apply_temperature, fit_temperature
from stages.lib.scores import Scores
from stages.lib.stage import In, Out, StageError

DIAGNOSES = [f"diagnosis {letter}" for letter in "abcdef"]


def table_of(scores: Scores) -> pd.DataFrame:
    """Return tuned predictions of the calibration split."""
    records = pd.DataFrame(
        {"record_id": [f"r{row}" for row in range(len(scores.gold))], "diagnosis": np.array(DIAGNOSES)[scores.gold]}
    )
    return predictions(records, scores.probabilities, model="tuned", split="calibration", diagnoses=DIAGNOSES)


def learn(folder: Path, scores: Scores, *, method: str = "temperature", coverage: float = 0.9) -> Calibration:
    """Run the stage and read what it wrote."""
    table_of(scores).to_parquet(folder / "tuned.parquet")
    settings = CalibrateParams.model_validate({"method": method, "target_risk": 0.2, "coverage": coverage})
    calibrate(Params(calibrate=settings), In(folder / "tuned.parquet"), Out(folder / "calibration.json"))
    return read_calibration(folder / "calibration.json")


@pytest.mark.parametrize("true_temperature", [0.4, 1.0, 2.5])
def test_temperature_scaling_recovers_a_distortion(true_temperature: float) -> None:
    scores = drawn(3, cases=20_000)
    distorted = apply_temperature(scores.probabilities, 1 / true_temperature)
    assert fit_temperature(distorted, scores.gold).temperature == pytest.approx(true_temperature, rel=0.05)


def test_of_no_cases_the_temperature_is_1() -> None:
    assert fit_temperature(np.zeros((0, 3)), np.zeros(0, dtype=int)).temperature == 1


@pytest.mark.parametrize("method", METHODS)
def test_each_method_brings_new_cases_near_the_loss_of_the_truth(method: str) -> None:
    true, new = drawn(1, cases=4000), drawn(2, cases=4000)
    scaling = METHODS[method](tempered(true, 0.4).probabilities, true.gold)
    distorted = tempered(new, 0.4).probabilities
    calibrated = scaling.apply(distorted)
    assert calibrated.sum(axis=1) == pytest.approx(1)
    assert (calibrated > 0).all()
    raw, ours, best = (log_losses(p, new.gold).mean() for p in (distorted, calibrated, new.probabilities))
    assert ours - best < 0.2 * (raw - best)


def test_vector_scaling_recovers_a_shift_that_a_temperature_cannot() -> None:
    scores = drawn(1, cases=20_000)
    shifted = scores.probabilities * np.array([4, 1, 1, 1, 1, 0.25])
    shifted /= shifted.sum(axis=1, keepdims=True)
    losses = {
        method: log_losses(METHODS[method](shifted, scores.gold).apply(shifted), scores.gold).mean()
        for method in ("temperature", "vector")
    }
    best = log_losses(scores.probabilities, scores.gold).mean()
    assert losses["vector"] - best < 0.1 * (losses["temperature"] - best)


@pytest.mark.parametrize("method", METHODS)
def test_a_calibration_comes_back_from_json_as_it_was(tmp_path: Path, method: str) -> None:
    scores = tempered(drawn(1, cases=1200), 0.5)
    found = learn(tmp_path, scores, method=method)
    again = tmp_path / "again.json"
    write_calibration(found, again)
    assert again.read_bytes() == (tmp_path / "calibration.json").read_bytes()
    content = json.loads(again.read_text())
    assert content["method"] == method
    assert content["diagnoses"] == DIAGNOSES
    assert content["calibration_cases"] == 1200
    fitted, _ = parts(scores, method=method)
    fresh = METHODS[method](fitted.probabilities, fitted.gold).apply(scores.probabilities)
    assert found.apply(scores.probabilities) == pytest.approx(fresh)


def test_the_same_cases_give_the_same_bytes(tmp_path: Path) -> None:
    written = []
    for folder in (tmp_path / "one", tmp_path / "two"):
        folder.mkdir()
        learn(folder, drawn(1, cases=1200), method="isotonic")
        written.append((folder / "calibration.json").read_bytes())
    assert written[0] == written[1]


@pytest.mark.parametrize("method", ["vector", "isotonic"])
def test_few_cases_are_refused_for_methods_with_many_numbers(tmp_path: Path, method: str) -> None:
    with pytest.raises(StageError) as raised:
        learn(tmp_path, drawn(1, cases=999), method=method)
    assert str(raised.value) == (
        f"params.yaml: calibrate.method: {method} needs 1,000 calibration cases and there are 999; "
        "choose temperature, or raise split.fractions.calibration"
    )
    assert not (tmp_path / "calibration.json").exists()


def test_a_file_with_an_unknown_method_or_number_is_not_read(tmp_path: Path) -> None:
    learn(tmp_path, drawn(1))
    content = json.loads((tmp_path / "calibration.json").read_text())
    for change in ({"method": "magic"}, {"temperature": -1}, {"extra": 1}):
        (tmp_path / "calibration.json").write_text(json.dumps(content | change))
        with pytest.raises(ValueError, match="validation error"):
            read_calibration(tmp_path / "calibration.json")
