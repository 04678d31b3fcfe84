"""Baselines: splits, base model and ontology in, the predictions that a tuned model is measured against out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from stages.lib.classifier import embed
from stages.lib.model import Compute, Prompt, freeze, load_tokenizer, load_trunk, start
from stages.lib.notes import tokenize
from stages.lib.phenotypes.cohort import annotated
from stages.lib.phenotypes.likelihood import Rates, posterior
from stages.lib.phenotypes.world import make_model, note_words
from stages.lib.predictions import predictions
from stages.lib.records import read_records
from stages.lib.stage import In, Out, Strict, log, run
from stages.lib.zero_shot import ZeroShot, zero_shot

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import numpy as np
    import pandas as pd
    from sklearn.pipeline import Pipeline

    Features = Mapping[str, np.ndarray | pd.Series]


class Tfidf(Strict):
    """Logistic regression on TF-IDF of words and word pairs."""

    c: float = Field(gt=0)
    """Inverse strength of the L2 penalty."""


class Probe(Strict):
    """Logistic regression on the frozen base model's mean-pooled states."""

    layers: int | None = Field(ge=1, le=1000)
    """Number of first transformer layers to keep; null keeps all."""
    max_length: int = Field(ge=8, le=131072)
    """Longest note in tokens."""
    c: float = Field(gt=0)
    """Inverse strength of the L2 penalty on standardised states."""


class BaselinesParams(Strict):
    """The baselines that have a choice."""

    tfidf: Tfidf
    """Bag of words."""
    probe: Probe
    """Frozen base model."""
    zero_shot: ZeroShot | None
    """Untuned base model; null, as an encoder needs, leaves it out."""


class Simulation(Strict):
    """What is read of acquire.hpo."""

    rates: Rates
    """How findings reach a note."""


class Sources(Strict):
    """What is read of acquire."""

    hpo: Simulation
    """Simulated patients."""


class Question(Strict):
    """What is read of model."""

    prompt: Prompt
    """What a language model is asked; {note} stands for the note."""


class Params(Strict):
    """Parameters of the stage."""

    acquire: Sources
    """The generative model of findings."""
    baselines: BaselinesParams
    """The baselines."""
    compute: Compute
    """Device and precision."""
    model: Question
    """The question that tuned and untuned model are asked alike."""


def baselines(
    params: Params,
    augmented: In,
    train: In,
    calibration: In,
    test: In,
    base: In,
    ontology: In,
    baseline_predictions: Out,
) -> None:
    """Fit each baseline on the training split, as augmented as for training; predict calibration and test splits."""
    import pandas as pd
    from sklearn.dummy import DummyClassifier
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits

    device = start(params.compute)
    records = {"train": read_records(train), "calibration": read_records(calibration), "test": read_records(test)}
    fitted = read_records(augmented)
    settings = params.baselines
    tokenizer = load_tokenizer(base)
    trunk = freeze(load_trunk(base, layers=settings.probe.layers), params.compute, device)

    def states(texts: pd.Series) -> np.ndarray:
        tokens = tokenize(texts.tolist(), tokenizer, max_length=settings.probe.max_length)
        return embed(trunk, tokens, pad_id=tokenizer.pad_token_id, compute=params.compute, device=device)

    def texts(column: pd.Series) -> pd.Series:
        return column

    models: dict[str, tuple[Pipeline, Callable[[pd.Series], pd.Series | np.ndarray]]] = {
        "majority": (make_pipeline(DummyClassifier(strategy="prior")), texts),
        "tfidf": (
            make_pipeline(
                TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True),
                LogisticRegression(C=settings.tfidf.c, max_iter=2000),
            ),
            texts,
        ),
        "probe": (
            make_pipeline(StandardScaler(), LogisticRegression(C=settings.probe.c, max_iter=2000)),
            states,
        ),
    }
    tables = []
    with threadpool_limits(params.compute.threads):
        for name, (model, features) in models.items():
            model.fit(features(fitted["text"]), fitted["diagnosis"])
            for split in ("calibration", "test"):
                probabilities = model.predict_proba(features(records[split]["text"]))
                tables.append(
                    predictions(
                        records[split], probabilities, model=name, split=split, diagnoses=model.classes_.tolist()
                    )
                )
            log.info("%s: fitted and applied", name)
    if settings.zero_shot:
        tables += zero_shot(
            records, base, settings=settings.zero_shot, prompt=params.model.prompt, compute=params.compute
        )
    tables += phenotype_likelihood(records, ontology=ontology, rates=params.acquire.hpo.rates)
    pd.concat(tables).to_parquet(baseline_predictions, index=False)


def phenotype_likelihood(records: Mapping[str, pd.DataFrame], *, ontology: Path, rates: Rates) -> list[pd.DataFrame]:
    """Return predictions from findings, age and sex by HPO's annotations; none where records have no phenotypes.

    Of simulated patients they are exact, and called the ceiling. For real ones, annotations that cite the calibration
    and test splits' publications are dropped, and records left out whose disease has too few others.
    """
    import pandas as pd

    held_out = pd.concat([records["calibration"], records["test"]])
    if held_out["phenotypes"].map(lambda terms: terms is None or not len(terms)).any():
        return []
    simulated = set(held_out["source"]) == {"hpo"}
    codes = records["train"].groupby("diagnosis")["diagnosis_code"].first()
    diseases = annotated({code: str(name) for name, code in codes.dropna().items()}, ontology=ontology)
    model = make_model(
        ontology,
        diseases=diseases,
        rates=rates,
        allowed=note_words(diseases, strict=True) if simulated else None,
        without=() if simulated else sorted(set(held_out["groups"].explode().dropna())),
    )
    if not model.diseases:
        return []
    names = [disease.name for disease in model.diseases]
    prior = records["train"]["diagnosis"].value_counts(normalize=True)[names].to_numpy()
    name = "ceiling" if simulated else "phenotype_likelihood"
    tables = []
    for split in ("calibration", "test"):
        known = records[split][records[split]["diagnosis"].isin(names)]
        found = pd.DataFrame(posterior(model, known, prior=prior), columns=names)
        full = found.reindex(columns=codes.index, fill_value=0.0).to_numpy()
        tables.append(predictions(known, full, model=name, split=split, diagnoses=codes.index.tolist()))
    log.info("%s: %d of %d diagnoses", name, len(names), len(codes))
    return tables


if __name__ == "__main__":
    run(baselines)
