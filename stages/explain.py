"""Explain: a few simulated test cases and the tuned model in; which words speak for the first diagnosis out."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from pydantic import Field

from stages.lib.adapter import load_learner
from stages.lib.calibration import read_calibration
from stages.lib.memory import PREDICTION, explained
from stages.lib.model import Compute, start
from stages.lib.occlusion import attributions, words_of
from stages.lib.predictions import KEYS, read_predictions
from stages.lib.records import read_records
from stages.lib.stage import In, Out, Strict, log, progress, run

if TYPE_CHECKING:
    import pandas as pd

DIGITS = 4
SIMULATED = "hpo"  # the one source whose texts may be shown
LONGEST = 5  # diagnoses of a differential


class ExplainParams(Strict):
    """What is explained."""

    cases: int = Field(ge=1, le=100)
    """Most simulated test cases, half of them with a wrong first diagnosis; drawn by a hash of their ids."""


class Params(Strict):
    """Parameters of the stage."""

    compute: Compute
    """Device and precision."""
    explain: ExplainParams
    """See there."""


def explain(
    params: Params, test: In, tuned_predictions: In, base: In, adapter: In, calibration: In, explanations: Out
) -> None:
    """Write differentials of a few simulated cases, and how much each word of the note adds to the first diagnosis.

    The list is empty where the test split has no simulated case: no word of a real patient is shown.
    """
    records = read_records(test)
    simulated = records[records["source"] == SIMULATED]
    texts: dict[str, str] = dict(zip(simulated["record_id"], simulated["text"], strict=True))
    table = read_predictions(tuned_predictions)
    table = table[(table["split"] == "test") & table["record_id"].isin(list(texts))].set_index("record_id")
    learnt = read_calibration(calibration)
    diagnoses = learnt.diagnoses
    table[diagnoses] = learnt.apply(table[diagnoses].to_numpy())
    chosen = choose(table, params.explain.cases)
    shown = []
    if chosen:
        learner, _ = load_learner(base, adapter, compute=params.compute, device=start(params.compute))
        for name in progress(chosen, description="explain"):
            probabilities = table.loc[[name], diagnoses].to_numpy()[0]
            ranked = (-probabilities).argsort(kind="stable").tolist()
            with explained(PREDICTION):
                found = attributions(learner, texts[name], diagnosis=ranked[0])
            shown.append(
                {
                    "record_id": name,
                    "gold": table["gold"][name],
                    "differential": [
                        {"diagnosis": diagnoses[place], "probability": round(float(probabilities[place]), DIGITS)}
                        for place in ranked[:LONGEST]
                    ],
                    "tokens": [
                        {"text": word, "attribution": round(value, DIGITS)}
                        for word, value in zip(words_of(texts[name]), found, strict=True)
                    ],
                }
            )
    log.info("%d simulated cases are explained", len(shown))
    explanations.write_text(json.dumps(shown, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def choose(table: pd.DataFrame, cases: int) -> list[str]:
    """Return the ids of cases, those of lowest hashes: half of them wrong ones, rounded down, if there are.

    Where one kind has too few, the other takes their places; the right ones come first.
    """
    diagnoses = table.drop(columns=[column for column in KEYS if column in table])
    right = set(table.index[diagnoses.idxmax(axis=1) == table["gold"]]) if len(table) else set()
    order = sorted(map(str, table.index), key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    hits, misses = ([name for name in order if (name in right) == kind] for kind in (True, False))
    wrong = min(len(misses), max(cases // 2, cases - len(hits)))
    return [*hits[: cases - wrong], *misses[:wrong]]


if __name__ == "__main__":
    run(explain)
