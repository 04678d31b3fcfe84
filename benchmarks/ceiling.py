"""Print the best accuracy that the simulated patients allow: `python -m benchmarks.ceiling`, after `dvc repro acquire`.

The posterior is exact given the told terms, age and sex: terms are independent coins given disease and sex, and a
patient with too few findings is drawn again. It is averaged over fresh patients (Monte Carlo), with its 95 % interval.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import numpy as np

from stages.acquire import Params
from stages.lib.params import read_params
from stages.sources.cohort import Disease, read_cohort
from stages.sources.findings import finding_probabilities
from stages.sources.hpo import HpoParams, make_world

NEVER = -50.0  # log odds of an age outside the disease's range


class Posterior:
    """Log probability of told terms under each disease, for one sex."""

    def __init__(self, told: np.ndarray, *, minimum: int) -> None:
        self.told = told
        self.gain = np.log(np.clip(told, 1e-12, None)) - np.log1p(-np.minimum(told, 1 - 1e-9))
        enough = np.array([1 - below(row, minimum) for row in told])
        self.none = np.log1p(-np.minimum(told, 1 - 1e-9)).sum(axis=1) - np.log(enough)

    def score(self, terms: np.ndarray) -> np.ndarray:
        """Return the log likelihood of exactly these terms, (diseases)."""
        likelihood: np.ndarray = self.none + self.gain[:, terms].sum(axis=1)
        return likelihood


def below(probabilities: np.ndarray, minimum: int) -> float:
    """Return the probability that fewer than `minimum` of independent coins show heads."""
    counts = np.eye(1, minimum)[0]
    for probability in probabilities[probabilities > 0]:
        counts = counts * (1 - probability) + np.concatenate([[0], counts[:-1]]) * probability
    return float(counts.sum())


def demography(disease: Disease, *, sex: str, age: float) -> float:
    """Return the log likelihood of sex and age under a disease."""
    young, old = disease.ages
    share = disease.male if sex == "male" else 1 - disease.male
    return math.log(share + 1e-12) + (-math.log(old - young) if young <= age <= old else NEVER)


def measure(params: HpoParams, *, seed: int, patients: int) -> tuple[np.ndarray, np.ndarray]:
    """Return, per fresh patient, whether the posterior's first disease is right, and its loss in nats."""
    diseases = read_cohort()
    phenome = make_world(Path("data/ontology"), diseases=diseases, seed=seed).phenome
    rates = {"findings": params.findings, "noise": params.noise, "imprecision": params.imprecision}
    posteriors = {
        sex: Posterior(
            np.stack([finding_probabilities(phenome, disease.id, sex=sex, **rates) for disease in diseases]),
            minimum=params.minimum_findings,
        )
        for sex in ("female", "male")
    }
    generator = np.random.default_rng(seed)
    right, losses = [], []
    for number, disease in enumerate(diseases):
        for _ in range(patients):
            sex = "male" if generator.random() < disease.male else "female"
            told = posteriors[sex].told[number]
            while len(terms := np.flatnonzero(generator.random(len(told)) < told)) < params.minimum_findings:
                pass
            age = generator.uniform(*disease.ages)
            score = posteriors[sex].score(terms) + [demography(other, sex=sex, age=age) for other in diseases]
            right.append(score.argmax() == number)
            losses.append(np.logaddexp.reduce(score) - score[number])
    return np.array(right), np.array(losses)


def main() -> None:
    """Print accuracy and log loss of the ceiling."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=300, help="fresh patients of each disease")
    params = read_params(Params, ["seed", "acquire"])
    right, losses = measure(params.acquire.hpo, seed=params.seed, patients=parser.parse_args().patients)
    print("| ceiling | value | 95 % |\n| --- | --- | --- |")
    for name, values in {"accuracy": right, "log loss": losses}.items():
        print(f"| {name} | {values.mean():.3f} | ± {1.96 * values.std() / math.sqrt(len(values)):.3f} |")


if __name__ == "__main__":
    main()
