"""Simulate patients of rare diseases from the Human Phenotype Ontology, and write a note about each.

What is told and denied of a patient follows the generative model of `likelihood`, so that the best possible answer is
known; a note's voice, wording, identifiers and what it says of relatives do not depend on the diagnosis.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from random import Random
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field

from stages.lib.narration.identities import make_pools
from stages.lib.narration.narrator import Narrator, chosen_voices, known_voice, template_words
from stages.lib.phenotypes.cohort import OLDEST, UNUSUAL, Disease
from stages.lib.phenotypes.likelihood import FindingModel, Rates
from stages.lib.phenotypes.world import cohort, make_model, note_words
from stages.lib.stage import StageError, Strict, progress
from stages.sources.cases import Case, Inputs

if TYPE_CHECKING:
    import numpy as np

VoiceName = Annotated[str, AfterValidator(known_voice)]


class HpoParams(Strict):
    """How patients are simulated."""

    cohort: Literal["curated", "shared"] | Annotated[int, Field(ge=2, le=2000)]
    """Diseases: those of cohort.yaml, those of the other sources, or so many of the best annotated ones of ORPHA."""
    patients_per_diagnosis: int = Field(ge=1, le=100_000)
    """Patients of each disease, with one note each."""
    voices: list[VoiceName] = Field(min_length=1)
    """Voices of notes.yaml that the notes are written in, drawn uniformly among those for the patient's age."""
    rates: Rates
    """How findings reach a note."""
    family_history: float = Field(ge=0, le=1)
    """Share of notes that tell a finding of a relative."""


def read(params: HpoParams, inputs: Inputs) -> Iterator[Case]:
    """Yield a note for each simulated patient.

    Annotations that cite a publication of the other sources are not used. Raises StageError where phenotype.hpoa knows
    none of the diseases.
    """
    diseases = cohort(params.cohort, ontology=inputs.ontology, shared=inputs.diagnoses, reserved=template_words())
    allowed = note_words(diseases, strict=params.cohort != "shared")
    model = make_model(
        inputs.ontology, diseases=diseases, rates=params.rates, allowed=allowed, without=inputs.publications
    )
    if not model.diseases:
        raise StageError(
            "params.yaml: acquire.hpo.cohort: 'shared': phenotype.hpoa has none of the other sources' diagnosis_code; "
            "it knows OMIM, ORPHA and DECIPHER ids"
        )
    narrator = Narrator(chosen_voices(params.voices), make_pools(inputs.seed, allowed=allowed))
    cases = simulate(params, model=model, narrator=narrator, seed=inputs.seed)
    yield from progress(
        cases, description="simulating patients", total=params.patients_per_diagnosis * len(model.diseases)
    )


def simulate(params: HpoParams, *, model: FindingModel, narrator: Narrator, seed: int) -> Iterator[Case]:
    """Yield a record per patient; each depends on the seed, its disease and its number alone."""
    relatives = _either_sex(model)
    for row, disease in enumerate(model.diseases):
        for number in range(params.patients_per_diagnosis):
            identifier = f"{disease.id}/{number}"
            random = Random(_seed(seed, identifier))
            sex, age = _demography(disease, random)
            told, denied = model.scorer(sex=sex, age=age).draw(row, seed=_seed(seed, identifier))
            wordings = model.phenome.wordings
            trait = wordings[_any(relatives, model, random)] if random.random() < params.family_history else None
            note = narrator.narrate(
                random,
                findings=[wordings[term] for term in told],
                excluded=[wordings[term] for term in denied],
                trait=trait,
                sex=sex,
                age=age,
            )
            yield note | {
                "record_id": identifier,
                "patient_id": identifier,
                "groups": [],
                "diagnosis": disease.name,
                "diagnosis_code": disease.id,
                "age": age,
                "sex": sex,
                "phenotypes": told,
                "excluded_phenotypes": denied,
            }


def _demography(disease: Disease, random: Random) -> tuple[str, float]:
    """Draw sex and age; the age in full years, below two in full months, at least one."""
    sex = "male" if random.random() < disease.male else "female"
    years = random.uniform(0, OLDEST) if random.random() < UNUSUAL else random.uniform(*disease.ages)
    return sex, math.floor(years) if years >= 2 else round(max(1, math.floor(years * 12)) / 12, 4)


def _either_sex(model: FindingModel) -> np.ndarray:
    """Return the cumulative probability of being asked for, of the terms that fit any grown-up relative."""
    import numpy as np

    phenome = model.phenome
    fits = phenome.possible(sex="male", age=50) & phenome.possible(sex="female", age=50)
    return np.cumsum(phenome.asked * fits)


def _any(cumulative: np.ndarray, model: FindingModel, random: Random) -> str:
    """Return a term, drawn by its probability."""
    return model.phenome.terms[int(cumulative.searchsorted(random.random() * cumulative[-1], side="right"))]


def _seed(seed: int, identifier: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}/{identifier}".encode()).digest()[:8], "big")
