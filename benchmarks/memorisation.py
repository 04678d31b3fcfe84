"""Print what a tuned model keeps of single cases: `python -m benchmarks.memorisation`, after `dvc repro train`.

Exposure (Carlini et al. 2019, The Secret Sharer), of a throw-away model. A canary is a note of one sentence that holds
a random code, with a diagnosis drawn at random; it joins a sample of the training split, after `scrub`, 1, 4 or 16
times. The model is fitted by params.yaml's settings. A canary's rank is that of its code among candidates, the same
note with codes that were never planted, by the probability of the canary's diagnosis among all: what both objectives
answer with. Exposure is log2 of the number of candidates, the canary included, over the rank, in bits; of equals the
canary comes last. Codes that were not planted either, 0 copies, show the level by chance: 1.44 bits on average.

Membership inference (Yeom et al. 2018), of models/adapter: the area under the ROC curve of the attack that calls a case
a training case where the loss of its diagnosis is low, training cases against those of calibration and test; 0.5 is
chance. Of `generate` the attack that knows the untuned base model stands beside it: it takes the loss less that
model's. Of `classify` there is no such model, for its head is fresh. Brackets hold 95 % bootstrap intervals, over
canaries and over independent groups.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import log_softmax
from sklearn.metrics import roc_auc_score

from benchmarks.quality import learnt
from stages.lib.adapter import Learner, load_learner
from stages.lib.generator import make_generator
from stages.lib.intervals import Interval, interval, resampled_sums
from stages.lib.model import freeze, load_language_model, load_tokenizer, start
from stages.lib.params import read_params
from stages.lib.records import independent_groups, read_records
from stages.lib.zero_shot import sample
from stages.train import Params

DATA, BASE, ADAPTER = Path("data"), Path("models/base"), Path("models/adapter")
COPIES = (0, 1, 4, 16)
NOTE = "The patient's code is {code:06d}."
CODES = 10**6
RESAMPLES, CONFIDENCE = 1000, 0.95


def log_probabilities(learner: Learner, texts: Sequence[str]) -> np.ndarray:
    """Return the log probability of each diagnosis, (texts, diagnoses)."""
    found: np.ndarray = log_softmax(learner.scores(learner.encode(texts)).astype("float64"), axis=1)
    return found


def exposures(params: Params, *, canaries: int, candidates: int, records: int) -> list[dict[str, Any]]:
    """Return a row for each number of copies: the mean exposure in bits, and how many canaries rank first."""
    train, validation = (read_records(DATA / f"{name}.parquet") for name in ("train", "validation"))
    diagnoses = sorted(train["diagnosis"].unique())
    drawn = np.random.default_rng(params.seed)
    codes = drawn.choice(CODES, size=len(COPIES) * canaries + candidates, replace=False)
    notes = [NOTE.format(code=code) for code in codes]
    planted, others = notes[:-candidates], notes[-candidates:]
    gold, copies = drawn.integers(len(diagnoses), size=len(planted)), np.repeat(COPIES, canaries)
    secrets = pd.DataFrame({"text": planted, "diagnosis": [diagnoses[number] for number in gold], "phenotypes": None})
    mixed = pd.concat([sample(train, records), secrets.loc[np.repeat(secrets.index, copies)]], ignore_index=True)
    learner = learnt(params, mixed, validation, diagnoses)
    own = log_probabilities(learner, planted)[np.arange(len(gold)), gold]
    ranks = 1 + (log_probabilities(learner, others)[:, gold] >= own).sum(axis=0)
    bits = np.log2((1 + candidates) / ranks)
    rows = []
    for count in COPIES:
        found, first = bits[copies == count], int((ranks[copies == count] == 1).sum())
        sums = resampled_sums(found[:, None], np.arange(canaries), resamples=RESAMPLES, seed=params.seed)
        mean = interval(float(found.mean()), sums[:, 0] / canaries, confidence=CONFIDENCE)
        rows.append({"copies": count, "canaries": canaries, "first": first, **bounds(mean)})
    return rows


def membership(params: Params, *, cases: int) -> list[dict[str, Any]]:
    """Return a row for each attack on `cases` training cases and as many others, drawn by hashes of their ids."""
    device = start(params.compute)
    learner, specification = load_learner(BASE, ADAPTER, compute=params.compute, device=device)
    splits = {name: read_records(DATA / f"{name}.parquet") for name in ("train", "calibration", "test")}
    held_out = sample(pd.concat([splits["calibration"], splits["test"]], ignore_index=True), cases)
    both = pd.concat([sample(splits["train"], cases), held_out], ignore_index=True)
    gold = pd.Index(specification.diagnoses).get_indexer(pd.Index(both["diagnosis"]))
    member = np.arange(len(both)) < len(both) - len(held_out)

    def losses(model: Learner) -> np.ndarray:
        found: np.ndarray = -log_probabilities(model, both["text"].tolist())[np.arange(len(both)), gold]
        return found

    attacks = {"loss": losses(learner)}
    if specification.objective == "generate":
        network = load_language_model(BASE, layers=None, key="train.objective: generate").to(device)
        whole = specification.model.model_copy(update={"layers": None})
        chosen: dict[str, Any] = {"diagnoses": specification.diagnoses, "model": whole, "compute": params.compute}
        untuned = make_generator(network, load_tokenizer(BASE), device=device, **chosen)
        freeze(network, params.compute, device)
        attacks["loss less the untuned model's"] = attacks["loss"] - losses(untuned)
    groups = independent_groups(both)
    sizes = {"training_cases": int(member.sum()), "held_out_cases": len(held_out)}
    return [
        {"attack": name, **sizes, **bounds(area(member, -found, groups, seed=params.seed))}
        for name, found in attacks.items()
    ]


def area(member: np.ndarray, scores: np.ndarray, groups: np.ndarray, *, seed: int) -> Interval:
    """Return the area under the ROC curve, with its interval over resamples of whole groups."""
    drawn, values = np.random.default_rng(seed), np.full(RESAMPLES, np.nan)
    _, group = np.unique(groups, return_inverse=True)
    count = group.max() + 1
    for number in range(RESAMPLES):
        weights = np.bincount(drawn.integers(count, size=count), minlength=count)[group]
        if weights[member].any() and weights[~member].any():
            values[number] = roc_auc_score(member, scores, sample_weight=weights)
    return interval(float(roc_auc_score(member, scores)), values, confidence=CONFIDENCE)


def bounds(found: Interval) -> dict[str, float]:
    """Return a value and the bounds of its interval."""
    return {"value": round(found.value, 4), "low": round(found.low, 4), "high": round(found.high, 4)}


def cell(row: dict[str, Any]) -> str:
    """Return a row's value with its interval."""
    return f"{row['value']:.2f} [{row['low']:.2f}, {row['high']:.2f}]"


def main() -> None:
    """Print a table of each and, with `--json`, what they hold as the last line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--canaries", type=int, default=10, help="for each number of copies")
    parser.add_argument("--candidates", type=int, default=1023, help="codes that a canary's rank is among")
    parser.add_argument("--records", type=int, default=300, help="training records that the canaries join")
    parser.add_argument("--cases", type=int, default=500, help="training cases, and others, that are attacked")
    parser.add_argument("--steps", type=int, help="most optimizer steps, in place of train.steps")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    params = read_params(Params, ["seed", "compute", "model", "train"])
    fitted = params.model_copy(
        update={"train": params.train.model_copy(update={"steps": given.steps or params.train.steps})}
    )
    attacks = membership(params, cases=given.cases)
    secrets = exposures(fitted, canaries=given.canaries, candidates=given.candidates, records=given.records)
    print("| copies planted | canaries | first of all candidates | exposure, bits |\n" + "| --- " * 4 + "|")
    for row in secrets:
        print(f"| {row['copies']} | {row['canaries']} | {row['first']} | {cell(row)} |")
    print("\n| attack by | training cases | held-out cases | area under the ROC curve |\n" + "| --- " * 4 + "|")
    for row in attacks:
        print(f"| {row['attack']} | {row['training_cases']:,} | {row['held_out_cases']:,} | {cell(row)} |")
    if given.json:
        print(json.dumps({"objective": params.train.objective, "exposure": secrets, "membership": attacks}))


if __name__ == "__main__":
    main()
