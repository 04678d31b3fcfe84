"""Print how good the tuned model is beside TF-IDF and the ceiling, with the settings of params.yaml.

`python -m benchmarks.quality --cases 20 80 200`, after `dvc repro fetch`, simulates as many training patients of each
diagnosis, and further ones to choose the epoch by and to test on, which are the same for every number; placeholders
stand where identifiers were written, without `scrub`. `--folds 1 2 3 4`, after `dvc repro validate`, tests on folds
of data/scrubbed.parquet instead, and on all of them together. Both models learn from the same copies of `augment`.
`--steps` trains for so many steps whatever the number of cases, instead of `train.epochs`. `true findings` is naive
Bayes on the HPO terms that records affirm, where they have any: of simulated patients, whose findings are independent,
what one who reads every note without fault could learn. In brackets 95 % intervals of a bootstrap over independent
groups, of the gain paired.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy.special import softmax
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.naive_bayes import BernoulliNB
from sklearn.pipeline import make_pipeline

from benchmarks.tfidf import tfidf
from stages.acquire import Params as Acquire
from stages.augment import Params as Augment
from stages.augment import with_copies
from stages.baselines import Params as Baselines
from stages.baselines import phenotype_likelihood
from stages.lib.accepted import accepted_for
from stages.lib.adapter import Learner, Specification, make_learner
from stages.lib.assignment import deciding_keys
from stages.lib.augmentation import redacted
from stages.lib.intervals import bootstrap
from stages.lib.learner import fit
from stages.lib.model import start
from stages.lib.near_duplicates import with_near_duplicates
from stages.lib.params import read_params
from stages.lib.records import independent_groups, read_records
from stages.lib.scores import Scores
from stages.lib.workers import Workers
from stages.sources.cases import Inputs
from stages.sources.hpo import read
from stages.split import Params as Split
from stages.split import assign
from stages.train import Params as Train
from stages.train import read_notes

ONTOLOGY, BASE = Path("data/ontology"), Path("models/base")
RESAMPLES = 2000

Splits = Mapping[str, pd.DataFrame]


def simulated(cases: Sequence[int], *, held_out: int, tested: int) -> Iterator[tuple[str, Splits]]:
    """Yield splits with so many training patients of each diagnosis; `held_out` and `tested` say how many others."""
    params = read_params(Acquire, ["seed", "acquire"])
    count = held_out + tested + max(cases)
    inputs = Inputs(Path("data/incoming"), Path("data/fetched"), ONTOLOGY, params.seed)
    patients = pd.DataFrame(read(params.acquire.hpo.model_copy(update={"patients_per_diagnosis": count}), inputs))
    spans = zip(patients["text"], patients["phi"], strict=True)
    patients = patients.assign(source="hpo", text=[redacted(text, phi) for text, phi in spans]).drop(columns="phi")
    number = patients.groupby("diagnosis").cumcount()
    held = {"test": number < tested, "validation": (number >= tested) & (number < tested + held_out)}
    for training in cases:
        rows = held | {"train": (number >= tested + held_out) & (number < tested + held_out + training)}
        yield f"{training} a diagnosis", {name: patients[chosen] for name, chosen in rows.items()}


def folded(folds: Sequence[int]) -> Iterator[tuple[str, Splits]]:
    """Yield the splits that `split` makes for each fold."""
    params = read_params(Split, ["seed", "split"])
    path = Path("data/scrubbed.parquet")
    scrubbed, accepted = read_records(path), accepted_for(path, Path("data/accepted.json"))
    records = with_near_duplicates(scrubbed, params.split.near_duplicates)
    for fold in folds:
        settings = params.split.model_copy(update={"fold": fold})
        assigned, *_ = assign(records, deciding_keys(scrubbed), settings, seed=params.seed, accepted=accepted)
        names = ("train", "validation", "calibration", "test")
        yield f"fold {fold}", {name: records[assigned == name] for name in names}


def measure(splits: Splits, *, steps: int | None) -> dict[str, Scores]:
    """Return each model's scores on the test split, fitted on the training split and its copies."""
    settings = read_params(Augment, ["seed", "augment"])
    train, test = splits["train"], splits["test"]
    if settings.augment.copies:
        train = with_copies(train, ONTOLOGY, settings.augment, seed=settings.seed)
    diagnoses = sorted(train["diagnosis"].unique())
    c = read_params(Baselines, ["acquire.hpo.rates", "baselines", "compute", "model.prompt"]).baselines.tfidf.c
    words = tfidf(c).fit(train["text"], train["diagnosis"])
    found = {"tuned": tuned(train, splits, diagnoses, steps=steps), "tfidf": words.predict_proba(test["text"])}
    learnt_of, asked = ([() if ids is None else ids for ids in part["phenotypes"]] for part in (train, test))
    if any(map(len, learnt_of)):
        reader = make_pipeline(CountVectorizer(analyzer=list, binary=True), BernoulliNB(alpha=0.3))
        found["findings"] = reader.fit(learnt_of, train["diagnosis"]).predict_proba(asked)
    if set(test["source"]) == {"hpo"}:
        found["ceiling"] = ceiling(splits, diagnoses)
    gold, groups = np.searchsorted(diagnoses, test["diagnosis"]), independent_groups(test)
    return {name: Scores(probabilities, gold, groups) for name, probabilities in found.items()}


def learnt(params: Train, train: pd.DataFrame, validation: pd.DataFrame, diagnoses: list[str]) -> Learner:
    """Return the model that stages/train.py would fit."""
    device = start(params.compute)
    torch.manual_seed(params.seed)
    specification = Specification(objective=params.train.objective, diagnoses=diagnoses, model=params.model)
    learner = make_learner(specification, BASE, lora=params.train.lora, compute=params.compute, device=device)
    parts = {"train": train, "validation": validation}
    notes = read_notes(learner, parts, diagnoses, ontology=ONTOLOGY, settings=params.train)
    fit(learner, notes, params.train, seed=params.seed, workers=Workers(rank=0, count=1))
    return learner


def tuned(train: pd.DataFrame, splits: Splits, diagnoses: list[str], *, steps: int | None) -> np.ndarray:
    """Return the probabilities, (test records, diagnoses), of the model that stages/train.py would fit."""
    params = read_params(Train, ["seed", "compute", "model", "train"])
    if steps:
        epochs = math.ceil(steps * params.train.batch_size / len(train))
        settings = params.train.model_copy(update={"steps": steps, "epochs": epochs, "patience": epochs})
        params = params.model_copy(update={"train": settings})
    learner = learnt(params, train, splits["validation"], diagnoses)
    scores = learner.scores(learner.encode(splits["test"]["text"].tolist()))
    probabilities: np.ndarray = softmax(scores.astype("float64"), axis=1)
    return probabilities


def ceiling(splits: Splits, diagnoses: list[str]) -> np.ndarray:
    """Return the probabilities of one who knows how the patients were simulated."""
    params = read_params(Baselines, ["acquire.hpo.rates", "baselines", "compute", "model.prompt"])
    held = {"calibration": splits["validation"]} | splits
    _, table = phenotype_likelihood(held, ontology=ONTOLOGY, rates=params.acquire.hpo.rates)
    found: np.ndarray = table.set_index("record_id").loc[splits["test"]["record_id"], diagnoses].to_numpy()
    return found


def row(name: str, scores: Mapping[str, Scores], seconds: float) -> str:
    """Return a row of the table: accuracies, the tuned model's share of the ceiling and its gain over TF-IDF."""
    drawn = {model: bootstrap(found, resamples=RESAMPLES, seed=1)["accuracy"] for model, found in scores.items()}
    right = {model: (found.probabilities.argmax(axis=1) == found.gold).mean() for model, found in scores.items()}

    def cell(value: float, values: np.ndarray, sign: str = "") -> str:
        low, high = np.quantile(values, [0.025, 0.975])
        return f"{100 * value:{sign}.1f} [{100 * low:{sign}.1f}, {100 * high:{sign}.1f}]"

    models = ("tuned", "tfidf", "findings", "ceiling")
    cells = [cell(right[model], drawn[model]) if model in right else "-" for model in models]
    cells.append(cell(right["tuned"] - right["tfidf"], drawn["tuned"] - drawn["tfidf"], "+"))
    known = "ceiling" in right
    cells.append(cell(right["tuned"] / right["ceiling"], drawn["tuned"] / drawn["ceiling"]) if known else "-")
    return f"| {name} | {len(scores['tuned'].gold):,} | {' | '.join(cells)} | {seconds:.0f} |"


def together(parts: Sequence[Mapping[str, Scores]]) -> dict[str, Scores]:
    """Return the scores of several folds as one, no group in two of them."""
    sizes = np.cumsum([0, *(len(np.unique(part["tuned"].groups)) for part in parts)])
    found: dict[str, Scores] = {}
    for model in parts[0]:
        right = [part[model].probabilities.argmax(axis=1) == part[model].gold for part in parts]
        groups = [
            np.unique(part[model].groups, return_inverse=True)[1] + size
            for part, size in zip(parts, sizes, strict=False)
        ]
        hits = np.concatenate(right).astype(float)
        found[model] = Scores(np.column_stack([hits, 1 - hits]), np.zeros(len(hits), dtype=int), np.concatenate(groups))
    return found


def main() -> None:
    """Print a row for each number of cases, or for each fold and for all."""
    parser = argparse.ArgumentParser(description=__doc__)
    chosen = parser.add_mutually_exclusive_group(required=True)
    chosen.add_argument("--cases", type=int, nargs="+", help="training patients of each diagnosis")
    chosen.add_argument("--folds", type=int, nargs="+", help="folds to test on, from 1")
    parser.add_argument("--held-out", type=int, default=7, help="patients of each diagnosis that choose the epoch")
    parser.add_argument("--tested", type=int, default=35, help="patients of each diagnosis that are tested")
    parser.add_argument("--steps", type=int, help="optimizer steps of a training, in place of params.yaml's epochs")
    given = parser.parse_args()
    print("| training | test cases | tuned % | TF-IDF % | true findings % | ceiling % | gain | share % | seconds |")
    print("| --- " * 9 + "|", flush=True)
    parts = []
    found = simulated(given.cases, held_out=given.held_out, tested=given.tested) if given.cases else folded(given.folds)
    for name, splits in found:
        started = time.monotonic()
        parts.append(measure(splits, steps=given.steps))
        print(row(name, parts[-1], time.monotonic() - started), flush=True)
    if given.folds:
        print(row("all folds", together(parts), 0))


if __name__ == "__main__":
    main()
