"""Predict: a tuned model and the calibration and test splits in, a probability per diagnosis out."""

from __future__ import annotations

from stages.lib.adapter import load_learner
from stages.lib.memory import PREDICTION, explained
from stages.lib.model import Compute, start
from stages.lib.predictions import predictions
from stages.lib.records import read_records
from stages.lib.stage import In, Out, Strict, run


class Params(Strict):
    """Parameters of the stage."""

    compute: Compute
    """Device and precision."""


def predict(params: Params, calibration: In, test: In, base: In, adapter: In, tuned_predictions: Out) -> None:
    """Score every diagnosis for each calibration and test record with the tuned model."""
    import pandas as pd
    from scipy.special import softmax

    learner, specification = load_learner(base, adapter, compute=params.compute, device=start(params.compute))
    tables = []
    for split, path in {"calibration": calibration, "test": test}.items():
        records = read_records(path)
        with explained(PREDICTION):
            scores = learner.scores(learner.encode(records["text"].tolist()))
        probabilities = softmax(scores.astype("float64"), axis=1)
        tables.append(
            predictions(records, probabilities, model="tuned", split=split, diagnoses=specification.diagnoses)
        )
    pd.concat(tables).to_parquet(tuned_predictions, index=False)


if __name__ == "__main__":
    run(predict)
