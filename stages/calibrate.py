"""Calibrate: the tuned model's predictions of the calibration split in, what makes its probabilities honest out."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from stages.lib.abstention import learn_abstention
from stages.lib.calibration import Calibration, write_calibration
from stages.lib.conformal import learn_conformal
from stages.lib.predictions import read_predictions
from stages.lib.scaling import METHODS
from stages.lib.scores import TUNED, Scores, diagnoses_of, scored
from stages.lib.stage import In, Out, StageError, Strict, log, run

FEWEST = 1000  # calibration cases for a method with numbers of each diagnosis


class CalibrateParams(Strict):
    """What is learnt from the calibration split."""

    method: Literal["temperature", "vector", "isotonic"]
    """How probabilities are calibrated; all but temperature need 1,000 calibration cases."""
    target_risk: float = Field(gt=0, lt=1)
    """Share of wrong answers that is allowed when the model may abstain."""
    coverage: float = Field(gt=0, lt=1)
    """Share of prediction sets that hold the right diagnosis."""


class Params(Strict):
    """Parameters of the stage."""

    calibrate: CalibrateParams
    """See there."""


def calibrate(params: Params, tuned_predictions: In, calibration: Out) -> None:
    """Fit the calibrator, and on its probabilities the threshold of abstention and those of prediction sets."""
    settings = params.calibrate
    table = read_predictions(tuned_predictions)
    diagnoses = diagnoses_of(table)
    _, scores = scored(table, model=TUNED, split="calibration")
    cases = len(scores.gold)
    if settings.method != "temperature" and cases < FEWEST:
        raise StageError(
            f"params.yaml: calibrate.method: {settings.method} needs {FEWEST:,} calibration cases and there are "
            f"{cases:,}; choose temperature, or raise split.fractions.calibration"
        )
    fitted, held_out = parts(scores, method=settings.method)
    scaling = METHODS[settings.method](fitted.probabilities, fitted.gold)
    probabilities, gold = scaling.apply(held_out.probabilities), held_out.gold
    found = Calibration(
        scaling=scaling,
        diagnoses=diagnoses,
        calibration_cases=cases,
        abstention=learn_abstention(probabilities, gold, target_risk=settings.target_risk),
        conformal=learn_conformal(probabilities, gold, coverage=settings.coverage, diagnoses=diagnoses),
    )
    write_calibration(found, calibration)
    log.info("%s; answers from a confidence of %s", settings.method, found.abstention.threshold)


def parts(scores: Scores, *, method: str) -> tuple[Scores, Scores]:
    """Return the cases that the calibrator is fitted on, and those that thresholds are learnt from.

    A single temperature leaves nearly all of their promise when both are the same; a method with many numbers does not,
    and gets every other case.
    """
    import numpy as np

    if method == "temperature":
        return scores, scores
    even = np.arange(len(scores.gold)) % 2 == 0
    return scores.at(even), scores.at(~even)


if __name__ == "__main__":
    run(calibrate)
