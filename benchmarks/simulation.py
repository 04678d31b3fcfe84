"""Print what simulated notes are like: `python -m benchmarks.simulation`, after `dvc repro fetch`.

Half of each disease's patients train TF-IDF with logistic regression; the other half are predicted, by it and by the
generator's exact posterior (the ceiling). Accuracies come with the half width of their 95 % interval.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from stages.acquire import Params
from stages.lib.metrics import log_losses
from stages.lib.narration.narrator import template_words
from stages.lib.params import read_params
from stages.lib.phenotypes.likelihood import posterior
from stages.lib.phenotypes.world import cohort, make_model, note_words
from stages.sources.cases import Inputs
from stages.sources.hpo import HpoParams, read

ONTOLOGY = Path("data/ontology")


def simulate(params: HpoParams, *, seed: int) -> pd.DataFrame:
    """Return the simulated cases, each with the two models' diagnosis and the ceiling's log loss in nats."""
    inputs = Inputs(Path("data/incoming"), Path("data/fetched"), ONTOLOGY, seed)
    cases = pd.DataFrame(read(params, inputs))
    test = cases.groupby("diagnosis").cumcount() % 2 == 1
    diseases = cohort(params.cohort, ontology=ONTOLOGY, shared={}, reserved=template_words())
    allowed = note_words(diseases, strict=True)
    model = make_model(ONTOLOGY, diseases=diseases, rates=params.rates, allowed=allowed)
    names = np.array([disease.name for disease in model.diseases])
    shown = cases[test].reset_index(drop=True)
    probabilities = posterior(model, shown, prior=np.full(len(names), 1 / len(names)))
    gold = shown["diagnosis"].map({name: index for index, name in enumerate(names)}).to_numpy()
    words = make_pipeline(TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), LogisticRegression(C=100))
    words.fit(cases.loc[~test, "text"], cases.loc[~test, "diagnosis"])
    return shown.assign(
        ceiling=names[probabilities.argmax(axis=1)],
        loss=log_losses(probabilities, gold),
        tfidf=words.predict(shown["text"]),
        duplicate=shown["text"].duplicated(),
    )


def accuracy(cases: pd.DataFrame, model: str) -> str:
    """Return the share of right diagnoses in percent, with the half width of its interval."""
    right = cases[model] == cases["diagnosis"]
    return f"{100 * right.mean():.1f} ± {196 * right.std() / len(right) ** 0.5:.1f}"


def by_voice(cases: pd.DataFrame) -> None:
    """Print a row per voice."""
    print("| voice | notes | words (5th, 50th, 95th percentile) | duplicates | TF-IDF % | ceiling % |")
    print("| --- | --- | --- | --- | --- | --- |")
    for voice, rows in [*cases.groupby("voice"), ("all", cases)]:
        words = ", ".join(f"{count:.0f}" for count in rows["text"].str.split().str.len().quantile([0.05, 0.5, 0.95]))
        print(
            f"| {voice} | {len(rows):,} | {words} | {rows['duplicate'].sum()} | {accuracy(rows, 'tfidf')} "
            f"| {accuracy(rows, 'ceiling')} |"
        )


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cohorts", nargs="*", default=["50", "200"], help="numbers of best annotated diseases")
    parser.add_argument("--patients", type=int, help="of each disease; by default as in params.yaml")
    arguments = parser.parse_args()
    params = read_params(Params, ["seed", "acquire"])
    patients = {"patients_per_diagnosis": arguments.patients} if arguments.patients else {}
    settings = params.acquire.hpo.model_copy(update=patients)
    rows = []
    for choice in ["curated", *map(int, arguments.cohorts)]:
        start = time.perf_counter()
        cases = simulate(settings.model_copy(update={"cohort": choice}), seed=params.seed)
        seconds = time.perf_counter() - start
        if choice == "curated":
            by_voice(cases)
        loss = f"{cases['loss'].mean():.3f} ± {1.96 * cases['loss'].std() / len(cases) ** 0.5:.3f}"
        rows.append(
            f"| {choice} | {cases['diagnosis'].nunique()} | {len(cases):,} | {accuracy(cases, 'tfidf')} "
            f"| {accuracy(cases, 'ceiling')} | {loss} | {seconds:.0f} |"
        )
    print("\n| cohort | diagnoses | test notes | TF-IDF % | ceiling % | ceiling's log loss | seconds |")
    print("| --- | --- | --- | --- | --- | --- | --- |", *rows, sep="\n")


if __name__ == "__main__":
    main()
