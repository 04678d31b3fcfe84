"""Print what copies of the training records gain: `python -m benchmarks.augmentation`, after `dvc repro split`.

TF-IDF with logistic regression and, with `--probe`, the frozen probe are fitted on the training split alone and with
copies, each method by itself and all of them, at the strengths of params.yaml; gains over no copies are paired, with
95 % intervals of a bootstrap over independent groups; log loss, in nats, is after a temperature fitted on calibration.
What is chosen is chosen by validation; test is for the report.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.tfidf import tfidf
from stages.augment import Params as Augment
from stages.augment import with_copies
from stages.baselines import Params as Baselines
from stages.lib.augmentation import AugmentParams
from stages.lib.classifier import embed
from stages.lib.intervals import bootstrap
from stages.lib.metrics import point_rates
from stages.lib.model import freeze, load_tokenizer, load_trunk, start
from stages.lib.notes import tokenize
from stages.lib.params import read_params
from stages.lib.records import independent_groups, read_records
from stages.lib.scaling import fit_temperature
from stages.lib.scores import Scores

DATA, BASE = Path("data"), Path("models/base")
HELD_OUT = ("validation", "test", "calibration")
RESAMPLES = 2000
METHODS = ("phenotype_dropout", "synonyms", "voice_change", "typos")

Fit = Callable[[pd.DataFrame, Sequence[pd.DataFrame]], list[np.ndarray]]
"""Fit on records; return probabilities, (records, diagnoses in order), of others."""


def variants(params: AugmentParams) -> Iterator[tuple[str, AugmentParams]]:
    """Yield parameters with no method, each by itself, and all."""
    off = dict.fromkeys(METHODS, 0.0)
    yield "written anew alone", params.model_copy(update=off)
    for name in METHODS:
        yield f"{name} {getattr(params, name):g}", params.model_copy(update=off | {name: getattr(params, name)})
    yield "all of these", params


def models(params: Baselines, *, probe: bool) -> dict[str, Fit]:
    """Return the learners of stages/baselines.py by name."""
    settings = params.baselines

    def words(train: pd.DataFrame, others: Sequence[pd.DataFrame]) -> list[np.ndarray]:
        model = tfidf(settings.tfidf.c).fit(train["text"], train["diagnosis"])
        return [model.predict_proba(records["text"]) for records in others]

    if not probe:
        return {"TF-IDF": words}
    device, tokenizer = start(params.compute), load_tokenizer(BASE)
    trunk = freeze(load_trunk(BASE, layers=settings.probe.layers), params.compute, device)

    @cache
    def states(texts: tuple[str, ...]) -> np.ndarray:
        tokens = tokenize(list(texts), tokenizer, max_length=settings.probe.max_length)
        return embed(trunk, tokens, pad_id=tokenizer.pad_token_id, compute=params.compute, device=device)

    def frozen(train: pd.DataFrame, others: Sequence[pd.DataFrame]) -> list[np.ndarray]:
        original = ~train["record_id"].str.contains("+", regex=False)
        parts = [states(tuple(part["text"])) for part in (train[original], train[~original]) if len(part)]
        model = make_pipeline(StandardScaler(), LogisticRegression(C=settings.probe.c, max_iter=2000))
        model.fit(np.concatenate(parts), pd.concat([train["diagnosis"][original], train["diagnosis"][~original]]))
        return [model.predict_proba(states(tuple(records["text"]))) for records in others]

    return {"TF-IDF": words, "probe": frozen}


def cells(found: Scores, none: Scores, *, seed: int) -> str:
    """Return accuracy and log loss, each with its gain and the gain's interval, as cells of a table."""
    ours, theirs = point_rates(found), point_rates(none)
    drawn, base = (bootstrap(scores, resamples=RESAMPLES, seed=seed) for scores in (found, none))
    shown = list[str]()
    for name, factor, digits in (("accuracy", 100, 1), ("log_loss", 1, 3)):
        low, high = np.quantile(drawn[name] - base[name], [0.025, 0.975]) * factor
        shown.append(f"{factor * ours[name]:.{digits}f}")
        shown.append(f"{factor * (ours[name] - theirs[name]):+.{digits}f} [{low:+.{digits}f}, {high:+.{digits}f}]")
    return " | ".join(shown)


def main() -> None:
    """Print a row for each variant, model and held-out split."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--copies", type=int, default=3, help="copies of each training record")
    parser.add_argument("--probe", action="store_true", help="fit the probe on models/base, too")
    given = parser.parse_args()
    params = read_params(Augment, ["seed", "augment"])
    train, *held = (read_records(DATA / f"{name}.parquet") for name in ("train", *HELD_OUT))
    diagnoses = sorted(train["diagnosis"].unique())
    groups = [independent_groups(records) for records in held]
    fits = models(
        read_params(Baselines, ["acquire.hpo.rates", "baselines", "compute", "model.prompt"]), probe=given.probe
    )

    def scores(fit: Fit, records: pd.DataFrame) -> Mapping[str, Scores]:
        gold = [np.searchsorted(diagnoses, others["diagnosis"]) for others in held]
        *shown, fitted = map(Scores, fit(records, held), gold, groups)
        scaling = fit_temperature(fitted.probabilities, fitted.gold)
        scaled = (Scores(scaling.apply(found.probabilities), found.gold, found.groups) for found in shown)
        return dict(zip(HELD_OUT, scaled, strict=False))

    none = {name: scores(fit, train) for name, fit in fits.items()}
    print(
        "| copies | number | model | split | accuracy % | gain | log loss | gain |\n" + "| --- " * 8 + "|", flush=True
    )
    for variant, changed in variants(params.augment.model_copy(update={"copies": given.copies})):
        records = with_copies(train, DATA / "ontology", changed, seed=params.seed)
        for name, fit in fits.items():
            found = scores(fit, records)
            for split in found:
                row = [variant, f"{len(records) - len(train):,}", name, split]
                print(f"| {' | '.join(row)} | {cells(found[split], none[name][split], seed=params.seed)} |", flush=True)


if __name__ == "__main__":
    main()
