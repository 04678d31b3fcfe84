"""Simulate patients of rare diseases from the Human Phenotype Ontology, and write a note about each.

Whether a term is told is a coin of its own, given the disease (`findings.finding_probabilities`), so that the best
possible answer to the findings can be computed. What a note denies and what it says of relatives does not depend on
the diagnosis beyond the findings.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from pydantic import Field

from stages.lib.stage import Strict, progress
from stages.sources.batch import Batch, rejected_table
from stages.sources.cohort import Disease, read_cohort
from stages.sources.findings import Phenome, avoiding, finding_probabilities, read_phenome
from stages.sources.identities import Pools, invent, make_pools
from stages.sources.notes import Voice, read_voices, write_note

if TYPE_CHECKING:
    import numpy as np


class HpoParams(Strict):
    """How patients are simulated: protocols of published evaluations, fixed before any model was trained."""

    patients_per_diagnosis: int = Field(ge=1, le=100_000)
    """Patients of each disease of cohort.yaml, with one note each."""
    findings: float = Field(ge=1, le=15)
    """Expected number of the disease's own findings in a note. They are drawn by annotated frequency, as for the
    evaluation of Phenomizer (Köhler et al. 2009, AJHG 85:457)."""
    minimum_findings: int = Field(ge=1, le=5)
    """A patient with fewer findings, noise included, is drawn again."""
    noise: float = Field(ge=0, le=2)
    """Unrelated findings expected per own finding, drawn by how many rare diseases have them. Phenomizer's evaluation
    adds half as many random terms as a patient has features; those of Exomiser (Smedley et al. 2015, Nat Protoc
    10:2004) and LIRICAL (Robinson et al. 2020, AJHG 107:403) add random terms, too."""
    imprecision: float = Field(ge=0, le=1)
    """Share of own findings told as a parent term: a clinician does not always know, or need, the precise one.
    Phenomizer's evaluation replaces features by random ancestors; sources as above."""
    absent: int = Field(ge=0, le=6)
    """Most findings that a note denies; their number is uniform from 0."""
    family_history: float = Field(ge=0, le=1)
    """Share of notes that tell a finding of a relative."""


@dataclass(frozen=True)
class World:
    """What all patients share."""

    phenome: Phenome
    pools: Pools
    voices: Sequence[Voice]


def read(params: HpoParams, *, incoming: Path, ontology: Path, seed: int) -> Batch:
    """Return a note for each simulated patient of the cohort; none is rejected."""
    import pandas as pd

    diseases = read_cohort()
    world = make_world(ontology, diseases=diseases, seed=seed)
    cases = simulate(params, world=world, diseases=diseases, seed=seed)
    total = params.patients_per_diagnosis * len(diseases)
    return Batch(pd.DataFrame(progress(cases, description="simulating patients", total=total)), rejected_table())


def make_world(ontology: Path, *, diseases: Sequence[Disease], seed: int) -> World:
    """Read the ontology and fill the pools, without any wording or name that shares a word with a diagnosis."""
    allowed = avoiding(disease.name for disease in diseases)
    return World(read_phenome(ontology, allowed=allowed), make_pools(seed, allowed=allowed), read_voices())


def simulate(params: HpoParams, *, world: World, diseases: Sequence[Disease], seed: int) -> Iterator[dict[str, Any]]:
    """Yield a record per patient; each depends on the seed, its disease and its number alone."""
    denied = _deniable(world.phenome)
    for disease in diseases:
        probabilities = {
            sex: finding_probabilities(
                world.phenome,
                disease.id,
                sex=sex,
                findings=params.findings,
                noise=params.noise,
                imprecision=params.imprecision,
            )
            for sex in ("female", "male")
        }
        for number in range(params.patients_per_diagnosis):
            identifier = f"{disease.id}/{number}"
            random = Random(_seed(seed, identifier))
            sex = "male" if random.random() < disease.male else "female"
            told = _draw(probabilities[sex], minimum=params.minimum_findings, seed=_seed(seed, identifier))
            age = _age(random.uniform(*disease.ages))
            case = _note(told, params=params, world=world, sex=sex, age=age, random=random, denied=denied)
            yield case | {
                "record_id": identifier,
                "patient_id": identifier,
                "groups": [],
                "diagnosis": disease.name,
                "diagnosis_code": disease.id,
            }


def _note(
    told: Sequence[int],
    *,
    params: HpoParams,
    world: World,
    sex: str,
    age: float,
    random: Random,
    denied: np.ndarray,
) -> dict[str, Any]:
    """Give findings an identity, a voice and words."""
    phenome = world.phenome
    voice = random.choice([voice for voice in world.voices if voice.ages[0] <= age < voice.ages[1]])
    words = phenome.wordings[voice.wording]
    findings = [phenome.terms[index] for index in told]
    excluded = {ancestor for term in findings for ancestor in phenome.ancestors(term)}
    absent = dict.fromkeys(_any(denied, phenome, random) for _ in range(random.randint(0, params.absent)))
    trait = random.choice(words[_any(denied, phenome, random)]) if random.random() < params.family_history else None
    identity, date = invent(world.pools, random, sex=sex, age=age)
    note = write_note(
        voice,
        random,
        findings=[random.choice(words[term]) for term in findings],
        absent=[random.choice(words[term]) for term in absent if term not in excluded],
        trait=trait,
        identity=identity,
        sex=sex,
        age=age,
    )
    return {
        "text": note.text,
        "age": age,
        "sex": sex,
        "date": date,
        "voice": note.voice,
        "phenotypes": findings,
        "phi": note.phi,
    }


def _draw(probabilities: np.ndarray, *, minimum: int, seed: int) -> list[int]:
    """Flip every term's coin until at least `minimum` terms are told; return their positions."""
    import numpy as np

    generator = np.random.default_rng(seed)
    while True:
        told: list[int] = np.flatnonzero(generator.random(len(probabilities)) < probabilities).tolist()
        if len(told) >= minimum:
            return told


def _deniable(phenome: Phenome) -> np.ndarray:
    """Return the cumulative prevalence of the terms that fit anyone, whatever their sex."""
    import numpy as np

    either = [not any(term in terms for terms in phenome.one_sex.values()) for term in phenome.terms]
    return np.cumsum(phenome.prevalence * either)


def _any(cumulative: np.ndarray, phenome: Phenome, random: Random) -> str:
    """Return a term, drawn by prevalence."""
    position = int(cumulative.searchsorted(random.random() * cumulative[-1], side="right"))
    return phenome.terms[position]


def _age(years: float) -> float:
    """Round down to full years, under two years of age to full months, at least one."""
    return math.floor(years) if years >= 2 else round(max(1, math.floor(years * 12)) / 12, 2)


def _seed(seed: int, identifier: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}/{identifier}".encode()).digest()[:8], "big")
