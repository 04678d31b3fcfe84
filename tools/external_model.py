"""The trained model as it leaves the pipeline: base, adapter and calibration, with other labels where it can."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from stages.lib.abstention import Abstention
from stages.lib.adapter import Learner, load_learner
from stages.lib.calibration import Calibration, read_calibration
from stages.lib.conformal import Conformal
from stages.lib.generator import Generator
from stages.lib.memory import PREDICTION, explained
from stages.lib.model import Compute, start
from stages.lib.params import read_document
from stages.lib.prompts import encode_labels
from stages.lib.scaling import Temperature
from stages.lib.stage import StageError

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Model:
    """A learner, its diagnoses, and what makes its probabilities honest, if that was learnt for them."""

    learner: Learner
    calibration: Calibration
    calibrated: bool

    @property
    def diagnoses(self) -> list[str]:
        """The diagnoses that it chooses from."""
        return self.calibration.diagnoses

    def probabilities(self, texts: list[str]) -> np.ndarray:
        """Return the probabilities of all diagnoses, (texts, diagnoses), before calibration."""
        from scipy.special import softmax

        with explained(PREDICTION):
            scores = self.learner.scores(self.learner.encode(texts))
        found: np.ndarray = softmax(scores.astype("float64"), axis=1)
        return found


def artefacts() -> dict[str, Path]:
    """Return what the pipeline has made, by stem; raise StageError where something is missing."""
    stages = read_document("dvc.yaml")["stages"]
    needed = {Path(dep) for name in ("predict", "evaluate", "scrub") for dep in stages[name]["deps"]}
    names = ("adapter", "base", "calibration", "ner", "ontology")  # calibration.json, not the split of that name
    paths = {
        path.stem: path
        for path in needed
        if path.stem in names and path.suffix != ".parquet" and path.parts[0] != "stages"
    }
    if missing := [str(paths[name]) for name in names if name != "calibration" and not paths[name].exists()]:
        raise StageError(f"missing {', '.join(missing)}; run `dvc repro calibrate`, or `dvc pull` a trained model")
    return paths


def load_model(paths: dict[str, Path], *, labels: Path | None, compute: Compute) -> Model:
    """Load the model; with `labels`, a file of diagnoses, it chooses from these, uncalibrated.

    Raise StageError where a model of the objective classify shall choose from other labels.
    """
    learner, specification = load_learner(paths["base"], paths["adapter"], compute=compute, device=start(compute))
    if labels is None:
        there = "calibration" in paths and paths["calibration"].exists()
        known = read_calibration(paths["calibration"]) if there else uncalibrated(specification.diagnoses)
        return Model(learner, known, there)
    if not isinstance(learner, Generator):
        raise StageError(
            "--labels: the model was trained to classify, and its head knows its own diagnoses alone; train one with "
            "train.objective: generate, or map the cases' diagnoses by --labels-map"
        )
    if not labels.is_file():
        raise StageError(f"--labels: {labels} is no file")
    names = list(dict.fromkeys(filter(None, map(str.strip, labels.read_text(encoding="utf-8").splitlines()))))
    if len(names) < 2:
        raise StageError(f"--labels: {labels}: a model needs at least 2 diagnoses to choose from, one a line")
    return Model(replace(learner, labels=encode_labels(names, learner.tokenizer)), uncalibrated(names), False)


def uncalibrated(diagnoses: list[str]) -> Calibration:
    """Return a calibration that changes nothing, answers nothing, and has all diagnoses in its sets."""
    return Calibration(
        scaling=Temperature(method="temperature", temperature=1),
        diagnoses=diagnoses,
        calibration_cases=1,
        abstention=Abstention(target_risk=0.5, certainty=0.5, threshold=None),
        conformal=Conformal(coverage=0.5, threshold=0, per_diagnosis=None),
    )
