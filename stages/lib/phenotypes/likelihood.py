"""The generative model of findings: how simulated patients are drawn, and how probable each disease is given findings.

Each term of the phenome is told, denied or passed over independently of the others, given disease, sex and age. The
posterior is therefore exact for simulated patients, and their ceiling; for real ones it is a knowledge-based baseline
of the kind of BOQA (Bauer et al. 2012, Bioinformatics 28:2502) and LIRICAL (Robinson et al. 2020, AJHG 107:403).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from pydantic import Field

from stages.lib.phenotypes.cohort import Disease
from stages.lib.phenotypes.phenome import Phenome
from stages.lib.stage import Strict

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

FEWEST = 10  # annotated terms below which a disease can't be told from noise
MOST = 0.98  # a frequency of 5/5 does not show that a finding is never missing
SURE = 1 - 1e-9


class Rates(Strict):
    """How findings reach a note: protocols of published evaluations, fixed before any model was trained."""

    findings: float = Field(ge=1, le=15)
    """Expected number of the disease's own findings in a note, drawn by annotated frequency as for the evaluation of
    Phenomizer (Köhler et al. 2009, AJHG 85:457). The default of 6, and 2 unrelated ones, make the median of 8 observed
    terms that the 8,631 published patients of phenopacket-store have (Danis et al. 2025, HGG Advances 6:100371)."""
    minimum_findings: int = Field(ge=1, le=4)
    """A patient with fewer findings, noise included, is drawn again."""
    noise: float = Field(ge=0, le=2)
    """Unrelated findings expected per own finding, drawn by how many rare diseases have them: between the one per five
    of LIRICAL's simulations (docs/simulate.rst of its repository) and the one per two of Phenomizer's."""
    imprecision: float = Field(ge=0, le=1)
    """Share of own findings told as an ancestor, any with the same probability: a clinician does not always know, or
    need, the precise one. Phenomizer's evaluation replaces features by random ancestors; Exomiser's made two of three
    terms less specific (Smedley and Robinson 2015, Genome Medicine 7:81)."""
    excluded: float = Field(ge=0, le=10)
    """Findings that are asked for in any patient, drawn by the square of how many rare diseases have them; a note
    denies those that the patient does not have. LIRICAL weighs excluded findings in the same way."""


class FindingModel:
    """P(told) and P(denied) of every term under every disease, arrays of shape (diseases, terms)."""

    def __init__(
        self, phenome: Phenome, annotations: pd.DataFrame, *, diseases: Sequence[Disease], rates: Rates
    ) -> None:
        import numpy as np

        self.phenome, self.diseases, self.rates = phenome, diseases, rates
        shape = (len(diseases), len(phenome.terms))
        passed, absent = np.ones(shape), np.ones(shape)
        passed *= 1 - np.minimum(phenome.prevalence * rates.noise * rates.findings, 0.5)
        frequencies = annotations[annotations["term"].isin(phenome.position)].set_index(["disease", "term"])[
            "frequency"
        ]
        for row, disease in enumerate(diseases):
            self._add(frequencies.loc[disease.id].clip(upper=MOST), passed=passed[row], absent=absent[row])
        self.told = 1 - passed
        self.denied = np.minimum(phenome.asked * rates.excluded, 0.5) * absent
        self._scorers: dict[bytes, Scorer] = {}

    def scorer(self, *, sex: str | None, age: float | None) -> Scorer:
        """Return the model of what can be told of a patient of this sex and age (years)."""
        possible = self.phenome.possible(sex=sex, age=age)
        key = possible.tobytes()
        if key not in self._scorers:
            self._scorers[key] = Scorer(self, possible)
        return self._scorers[key]

    def _add(self, own: pd.Series[float], *, passed: np.ndarray, absent: np.ndarray) -> None:
        """Multiply into `passed` and `absent` (terms) the probabilities that no annotated finding causes a term."""
        position, rates = self.phenome.position, self.rates
        rate = min(1.0, rates.findings / own.sum())
        for name, frequency in own.items():
            term = str(name)
            above = sorted(position[other] for other in self.phenome.ancestors(term) - {term} if other in position)
            share = rates.imprecision if above else 0.0
            passed[position[term]] *= 1 - frequency * rate * (1 - share)
            absent[position[term]] *= 1 - frequency
            if above:
                passed[above] *= 1 - frequency * rate * share / len(above)
                absent[above] *= 1 - frequency

    @cached_property
    def logs(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return what telling, denying, and being unable to deny a term adds to the likelihood of passing it over."""
        import numpy as np

        told, denied = self.told.clip(1e-12, SURE), self.denied.clip(1e-12, SURE)
        return (
            np.log(told) - np.log1p(-told) - np.log1p(-denied),
            np.log(denied) - np.log1p(-denied),
            -np.log1p(-denied),
        )


class Scorer:
    """The model where only the `possible` terms, booleans of shape (terms), can be told or denied."""

    def __init__(self, model: FindingModel, possible: np.ndarray) -> None:
        import numpy as np

        self.model, self.possible = model, possible
        told, denied = model.told[:, possible].clip(max=SURE), model.denied[:, possible].clip(max=SURE)
        self.passed = (np.log1p(-told) + np.log1p(-denied)).sum(axis=1)
        self.passed -= np.log1p(-fewer(told, model.rates.minimum_findings))

    def draw(self, disease: int, *, seed: int) -> tuple[list[str], list[str]]:
        """Return the terms told and denied of one patient; no denied term contradicts a told one."""
        import numpy as np

        phenome, generator = self.model.phenome, np.random.default_rng(seed)
        while True:
            told = np.flatnonzero(self.possible & (generator.random(len(self.possible)) < self.model.told[disease]))
            if len(told) >= self.model.rates.minimum_findings:
                break
        coins = generator.random(len(self.possible)) < self.model.denied[disease]
        findings = [phenome.terms[index] for index in told]
        implied = {ancestor for term in findings for ancestor in phenome.ancestors(term)}
        denied = [phenome.terms[index] for index in np.flatnonzero(self.possible & coins)]
        return findings, [term for term in denied if term not in implied]

    def log_likelihood(self, told: Iterable[str], denied: Iterable[str]) -> np.ndarray:
        """Return the log probability of exactly these findings under each disease, shape (diseases)."""
        phenome = self.model.phenome
        implied = {ancestor for term in told for ancestor in phenome.ancestors(term)}
        tell, deny, cannot = self.model.logs
        sets = [set(told), set(denied) - implied, implied - set(told)]
        found: np.ndarray = self.passed.copy()
        for gain, terms in zip((tell, deny, cannot), sets, strict=True):
            found += gain[:, sorted(phenome.position[term] for term in terms if self._knows(term))].sum(axis=1)
        return found

    def _knows(self, term: str) -> bool:
        position = self.model.phenome.position.get(term)
        return position is not None and bool(self.possible[position])


def enough(phenome: Phenome, annotations: pd.DataFrame, *, diseases: Sequence[Disease]) -> list[Disease]:
    """Return the diseases with so many annotated terms that they can be told from noise."""
    there = annotations[annotations["term"].isin(phenome.position) & (annotations["frequency"] > 0)]
    counts = there.groupby("disease")["term"].nunique()
    return [disease for disease in diseases if counts.get(disease.id, 0) >= FEWEST]


def posterior(model: FindingModel, records: pd.DataFrame, *, prior: np.ndarray) -> np.ndarray:
    """Return the probability of each disease given each record's findings, age and sex, shape (records, diseases).

    `prior` has shape (diseases); `records` has phenotypes, excluded_phenotypes, age and sex, None or NaN where unknown.
    """
    import numpy as np
    import pandas as pd
    from scipy.special import softmax

    scores = np.empty((len(records), len(model.diseases)))
    columns = records[["phenotypes", "excluded_phenotypes", "age", "sex"]]
    for row, (told, denied, years, sex) in enumerate(columns.itertuples(index=False)):
        age = None if pd.isna(years) else float(years)
        told, denied = (() if items is None else tuple(items) for items in (told, denied))
        scores[row] = model.scorer(sex=sex, age=age).log_likelihood(told, denied)
        scores[row] += [disease.log_likelihood(sex=sex, age=age) for disease in model.diseases]
    probabilities: np.ndarray = softmax(scores + np.log(prior), axis=1)
    return probabilities


def fewer(told: np.ndarray, minimum: int) -> np.ndarray:
    """Return the probability that fewer than `minimum` (1 to 4) of independent coins show heads, shape (diseases).

    `told` are their probabilities, shape (diseases, terms); by Newton's identities on the odds.
    """
    import numpy as np

    odds = told / (1 - told)
    powers = [(odds**power).sum(axis=1) for power in range(1, minimum)]
    symmetric = [np.ones(len(told))]
    for size in range(1, minimum):
        terms = [(-1) ** (k - 1) * symmetric[size - k] * powers[k - 1] for k in range(1, size + 1)]
        symmetric.append(np.sum(terms, axis=0) / size)
    fraction: np.ndarray = np.exp(np.log1p(-told).sum(axis=1)) * np.sum(symmetric, axis=0)
    return fraction.clip(max=SURE)
