"""Which diseases are told apart, at which ages and in which sex: cohort.yaml, or what phenotype.hpoa says of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, model_validator

from stages.lib.params import read_params
from stages.lib.phenotypes.ontology import read_rows
from stages.lib.stage import StageError, Strict

if TYPE_CHECKING:
    import pandas as pd

Age = Annotated[float, Field(ge=0, le=89)]  # Safe Harbor counts ages over 89 as PHI
UNUSUAL = 0.01  # share of patients who are seen outside the usual ages
OLDEST = 89
# Onset in years, as HPO defines its terms.
ONSETS = {
    "HP:0030674": (0, 0),  # antenatal
    "HP:0003577": (0, 0),  # congenital
    "HP:0003623": (0, 1),  # neonatal
    "HP:0003593": (0, 1),  # infantile
    "HP:0011463": (1, 5),  # childhood
    "HP:0003621": (5, 16),  # juvenile
    "HP:0011462": (16, 40),  # young adult
    "HP:0003581": (16, 80),  # adult
    "HP:0003596": (40, 60),  # middle age
    "HP:0003584": (60, 80),  # late
}
DELAY = 10  # years after onset within which patients are seen; a rare disease takes 4.7 on average to be named
# (Faye et al. 2024, European Journal of Human Genetics 32:1116)
X_LINKED_RECESSIVE = "HP:0001419"


class Disease(Strict):
    """A disease of the cohort."""

    id: str = Field(pattern=r"^(ORPHA|OMIM|DECIPHER):\d+$")
    """Identifier in phenotype.hpoa."""
    name: str = Field(min_length=1)
    """The diagnosis, as a model shall name it."""
    group: str = Field(min_length=1)
    """Diseases that clinicians confuse with each other share it."""
    ages: tuple[Age, Age]
    """Lowest and highest age when seen, in years."""
    male: float = Field(ge=0, le=1)
    """Share of male patients."""

    @model_validator(mode="after")
    def _ordered(self) -> Disease:
        if self.ages[0] >= self.ages[1]:
            raise ValueError("ages: the first must be lower than the second")
        return self

    def log_likelihood(self, *, sex: str | None, age: float | None) -> float:
        """Return the log probability of a patient's sex and age, up to a constant; what is unknown says nothing."""
        young, old = self.ages
        share = {"male": self.male, "female": 1 - self.male}.get(str(sex), 1.0)
        usual = 1 / (old - young) if age is not None and young <= age < old else 0.0
        density = 1.0 if age is None else (1 - UNUSUAL) * usual + UNUSUAL / OLDEST
        return math.log(max(share, 1e-6)) + math.log(density)


class Cohort(Strict):
    """cohort.yaml."""

    diseases: list[Disease] = Field(min_length=2)
    """The label space."""


def read_cohort() -> list[Disease]:
    """Read cohort.yaml; raise StageError with a line per error."""
    return read_params(Cohort, ["diseases"], str(Path(__file__).with_name("cohort.yaml"))).diseases


def annotated(diagnoses: Mapping[str, str], *, ontology: Path) -> list[Disease]:
    """Return the diseases (name by id), those of cohort.yaml as they stand there.

    Others are seen from the earliest annotated onset to DELAY years after the latest, at any age where none is
    annotated, and are nearly always male where inheritance is X-linked recessive.
    """
    rows = read_rows(ontology / "phenotype.hpoa")
    rows = rows[rows["disease"].isin(list(diagnoses)) & rows["aspect"].isin(["C", "I"])]
    curated = {disease.id: disease for disease in read_cohort()}
    terms = rows.groupby("disease")["term"].agg(list).to_dict()
    return [
        curated[identifier].model_copy(update={"name": name})
        if identifier in curated
        else _disease(identifier, name, terms.get(identifier, []))
        for identifier, name in diagnoses.items()
    ]


def best_annotated(annotations: pd.DataFrame, *, number: int, needed: set[str]) -> dict[str, str]:
    """Return the name by id of the ORPHA diseases with the most annotations.

    Left out are those whose name holds a word that is `needed` to describe findings, because a diagnosis's words never
    stand in a note. Raises StageError where there are not so many.
    """
    from stages.lib.phenotypes.phenome import is_named_by

    rare = annotations[annotations["disease"].str.startswith("ORPHA:") & (annotations["frequency"] > 0)]
    counts = rare.groupby(["disease", "name"]).size().reset_index(name="terms")
    counts = counts[~counts["name"].map(lambda name: is_named_by(name, needed))]
    best = counts.sort_values(["terms", "disease"], ascending=[False, True]).head(number)
    if len(best) < number:
        raise StageError(f"params.yaml: acquire.hpo.cohort: {number}: phenotype.hpoa has {len(best):,} such diseases")
    return dict(zip(best["disease"], best["name"], strict=True))


def _disease(identifier: str, name: str, terms: list[str]) -> Disease:
    onsets = [ONSETS[term] for term in terms if term in ONSETS]
    ages = (
        (float(min(low for low, _ in onsets)), float(min(max(high for _, high in onsets) + DELAY, OLDEST)))
        if onsets
        else (0.0, 80.0)
    )
    male = 0.95 if X_LINKED_RECESSIVE in terms else 0.5
    return Disease(id=identifier, name=name, group="annotated", ages=ages, male=male)
