"""Stress: the tuned model on changed texts of test cases; how often its first diagnosis moves, by kind of change."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from stages.lib.adapter import load_learner
from stages.lib.calibration import read_calibration
from stages.lib.memory import PREDICTION, explained
from stages.lib.model import Compute, start
from stages.lib.perturbation import PERTURBATIONS, perturbed, read_context
from stages.lib.phi.leak import wilson
from stages.lib.records import independent_groups, read_records
from stages.lib.stage import In, Out, Strict, log, progress, run
from stages.lib.zero_shot import sample

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from stages.lib.adapter import Learner
    from stages.lib.calibration import Calibration
    from stages.lib.counterfactuals import Pair

DIGITS = 4


class StressParams(Strict):
    """How the model is stressed."""

    cases: int = Field(ge=1, le=1_000_000)
    """Most test records whose texts are changed; drawn by a hash of their ids."""


class Params(Strict):
    """Parameters of the stage."""

    seed: int = Field(ge=0)
    """Seed of what is changed in a text."""
    compute: Compute
    """Device and precision."""
    stress: StressParams
    """See there."""


def stress(
    params: Params,
    test: In,
    ontology: In,
    base: In,
    adapter: In,
    calibration: In,
    robustness: Out,
    perturbations: Out,
) -> None:
    """Predict a sample of the test records before and after each perturbation, and write what it moved.

    `perturbations` gets a row for each, `robustness` the share of cases whose first diagnosis is another one.
    """
    import numpy as np
    import pandas as pd

    every = read_records(test)
    records = sample(every, params.stress.cases)
    groups = independent_groups(every)[records.index]
    pairs = changed_texts(records, every, ontology, seed=params.seed)
    learner, specification = load_learner(base, adapter, compute=params.compute, device=start(params.compute))
    gold = np.array([specification.diagnoses.index(name) for name in records["diagnosis"]])
    texts = [text for found in pairs.values() for pair in found.values() for text in pair]
    probabilities = predicted(learner, texts, read_calibration(calibration))
    table = []
    for name, found in pairs.items():
        figures: dict[str, Any] = {"expected": PERTURBATIONS[name].expected, "cases": len(found)}
        if found:
            rows, sides = list(found), zip(*found.values(), strict=True)
            before, after = (np.array([probabilities[text] for text in side]) for side in sides)
            figures |= moved(before, after, gold=gold[rows], groups=groups[rows])
        table.append({"perturbation": name, **figures})
    pd.DataFrame(table).to_csv(perturbations, index=False, lineterminator="\n")
    changed = {row["perturbation"]: row["changed"] for row in table if row["cases"]}
    robustness.write_text(json.dumps({"cases": len(records), "changed": changed}, indent=2) + "\n")


def changed_texts(
    records: pd.DataFrame, every: pd.DataFrame, ontology: Path, *, seed: int
) -> dict[str, dict[int, Pair]]:
    """Return by perturbation the texts before and after, by the record's row; rows that it cannot change are left out.

    `every` record tells which diagnoses sex says little about.
    """
    context = read_context(ontology, every, seed=seed)
    rows = [dict(zip(records.columns, row, strict=True)) for row in records.itertuples(index=False)]
    found: dict[str, dict[int, Pair]] = {}
    for name in progress(PERTURBATIONS, description="perturbations"):
        pairs = ((row, perturbed(record, name, context, seed=seed)) for row, record in enumerate(rows))
        found[name] = {row: pair for row, pair in pairs if pair}
        log.info("%s: %d of %d cases", name, len(found[name]), len(rows))
    return found


def predicted(learner: Learner, texts: list[str], calibration: Calibration) -> Mapping[str, np.ndarray]:
    """Return the calibrated probabilities of all diagnoses by text; each text is read once."""
    from scipy.special import softmax

    unique = list(dict.fromkeys(texts))
    if not unique:
        return {}
    with explained(PREDICTION):
        scores = learner.scores(learner.encode(unique))
    return dict(zip(unique, calibration.apply(softmax(scores.astype("float64"), axis=1)), strict=True))


def moved(before: np.ndarray, after: np.ndarray, *, gold: np.ndarray, groups: np.ndarray) -> dict[str, float]:
    """Return how far probabilities (cases, diagnoses) moved.

    `changed` is the share of cases whose first diagnosis is another one, with Wilson's interval over the independent
    groups, as if the cases of one were a single case; `probability_shift` the mean total variation.
    """
    import numpy as np

    first, then = before.argmax(axis=1), after.argmax(axis=1)
    changed, count = float((first != then).mean()), len(np.unique(groups))
    low, high = wilson(round(changed * count), count)
    figures = {
        "changed": changed,
        "changed_low": low,
        "changed_high": high,
        "accuracy": float((then == gold).mean()),
        "accuracy_before": float((first == gold).mean()),
        "probability_shift": float(np.abs(after - before).sum(axis=1).mean() / 2),
    }
    return {name: round(value, DIGITS) for name, value in figures.items()}


if __name__ == "__main__":
    run(stress)
