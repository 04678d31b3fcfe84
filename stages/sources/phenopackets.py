"""Read GA4GH phenopackets (versions 1 and 2) of published patients, and write a note about each one chosen."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Annotated, NamedTuple

from pydantic import AfterValidator, Field

from stages.lib.narration.identities import make_pools
from stages.lib.narration.narrator import Narrator, chosen_voices, known_voice
from stages.lib.phenotypes.ontology import Term, read_terms
from stages.lib.phenotypes.phenome import Wordings, avoiding, by_kind
from stages.lib.stage import StageError, Strict, log, progress
from stages.sources.cases import Case, Inputs, Rejected
from stages.sources.ga4gh import Feature, OntologyClass, Phenopacket
from stages.sources.incoming import RelativeFile, find
from stages.sources.phenopacket_files import read_packets

SEXES = {"MALE": "male", "FEMALE": "female", "OTHER_SEX": "other"}


class PhenopacketsParams(Strict):
    """Which published patients make the task."""

    file: RelativeFile
    """Zip archive, folder or .json file in data/incoming or data/fetched; each .json file holds a phenopacket, a
    family, whose proband is read, or a cohort."""
    min_phenotypes: int = Field(ge=1, le=100)
    """Observed phenotypes that a patient must have; applied first."""
    min_publications: int = Field(ge=0, le=1000)
    """Publications that a disease must have, counted among the patients left; applied second."""
    max_patients: int = Field(ge=1)
    """Patients of each disease, chosen by a seeded hash of their ids; applied last."""
    voices: list[Annotated[str, AfterValidator(known_voice)]] = Field(min_length=1)
    """Voices of notes.yaml that the notes are written in, drawn among those for the patient's age."""
    licence: str | None = None
    """Licence of the phenopackets, for the datasheet."""


class Patient(NamedTuple):
    """What the choice of patients depends on, and where the patient stands: number of the file and place in it."""

    position: tuple[int, int]
    record_id: str
    diagnosis: OntologyClass
    publications: tuple[str, ...]
    phenotypes: int


def read(params: PhenopacketsParams, inputs: Inputs) -> Iterator[Case | Rejected]:
    """Yield the task's patients, a short note about each.

    Phenotypes are HPO ids; publications are groups; patient ids are qualified by the publication. What is no
    phenopacket with one diagnosis is rejected. The files are read twice, to choose patients and to write about them,
    so that nothing else is held in memory. Raises StageError where the archive can't be opened or has none.
    """
    path = _located(params.file, inputs)
    terms = read_terms(inputs.ontology / "hp.obo")
    patients: list[Patient] = []
    for position, row, packet in progress(read_packets(path), description="reading phenopackets"):
        reason = packet if isinstance(packet, str) else _unusable(packet, terms=terms)
        if reason or isinstance(packet, str):
            yield Rejected(params.file, row, str(reason))
        else:
            disease, publications = packet.diagnoses()[0], tuple(packet.publications())
            patients.append(Patient(position, packet.id, disease, publications, len(packet.observed())))
    chosen = select(patients, params=params, seed=inputs.seed)
    log.info("%s: %s patients of %s make the task", params.file, f"{len(chosen):,}", f"{len(patients):,}")
    names = [patient.diagnosis.label for patient in chosen]
    narrator = Narrator(chosen_voices(params.voices), make_pools(inputs.seed, allowed=avoiding(names)))
    places = {patient.position for patient in chosen}
    for _, row, packet in progress(read_packets(path, only=places), description="writing notes", total=len(chosen)):
        if isinstance(packet, Phenopacket):
            case = _case(packet, terms=terms, narrator=narrator, seed=inputs.seed)
            yield case | {"file": params.file, "row": row}


def select(patients: Sequence[Patient], *, params: PhenopacketsParams, seed: int) -> list[Patient]:
    """Return patients with enough phenotypes, then those of diseases with enough publications, then at most so many."""
    enough = [patient for patient in patients if patient.phenotypes >= params.min_phenotypes]
    told_by = {(patient.diagnosis.id, name) for patient in enough for name in patient.publications[:1]}
    publications = Counter(code for code, _ in told_by)
    known = [patient for patient in enough if publications[patient.diagnosis.id] >= params.min_publications]
    taken: Counter[str] = Counter()
    chosen = []
    for patient in sorted(known, key=lambda patient: hashlib.sha256(f"{seed}/{patient.record_id}".encode()).digest()):
        if taken[patient.diagnosis.id] < params.max_patients:
            taken[patient.diagnosis.id] += 1
            chosen.append(patient)
    return chosen


def _located(name: str, inputs: Inputs) -> Path:
    key = "acquire.phenopackets.file"
    places = [folder for folder in (inputs.incoming, inputs.fetched) if (folder / name).exists()]
    if len(places) > 1:
        raise StageError(f"params.yaml: {key}: '{name}' is in {places[0]} and in {places[1]}; keep or name only one")
    return find((places or [inputs.incoming])[0], name, key=key)


def _unusable(packet: Phenopacket, *, terms: Mapping[str, Term]) -> str | None:
    """Return the reason why a phenopacket makes no case, if there is one."""
    diagnoses = packet.diagnoses()
    if len(diagnoses) != 1:
        return "several diagnoses" if diagnoses else "no diagnosis"
    return None if _told(packet, terms=terms) else "no phenotype to tell"


def _case(packet: Phenopacket, *, terms: Mapping[str, Term], narrator: Narrator, seed: int) -> Case:
    diagnosis, publications = packet.diagnoses()[0], packet.publications()
    sex, age = SEXES.get(packet.subject.sex), packet.subject.years()
    random = Random(f"{seed}/{packet.id}")
    secret = _secret(packet)
    findings = [_wordings(feature, term, secret=secret) for feature, term in _told(packet, terms=terms)]
    note = narrator.narrate(random, findings=findings, sex=sex, age=age)
    return note | {
        "record_id": packet.id,
        "patient_id": f"{(publications or [packet.id])[0]}/{packet.subject.id or packet.id}",
        "groups": publications,
        "diagnosis": diagnosis.label,
        "diagnosis_code": diagnosis.id,
        "age": age,
        "sex": sex,
        "phenotypes": list(packet.observed()),
        "excluded_phenotypes": packet.excluded(),
    }


def _secret(packet: Phenopacket) -> re.Pattern[str]:
    """Return a pattern of the names of the diagnosis and of its genes, as whole words."""
    names = "|".join(re.escape(name) for name in (packet.diagnoses()[0].label, *packet.gene_symbols()))
    return re.compile(rf"(?<!\w)(?:{names})(?!\w)", re.IGNORECASE)


def _told(packet: Phenopacket, *, terms: Mapping[str, Term]) -> list[tuple[Feature, Term]]:
    """Return the observed phenotypes, each with its term, whose labels name neither the diagnosis nor its genes."""
    secret, told = _secret(packet), []
    for identifier, feature in packet.observed().items():
        term = terms.get(identifier) or Term(feature.type.label, (), (), (), ())
        if term.label and not secret.search(term.label):
            told.append((feature, term))
    return told


def _wordings(feature: Feature, term: Term, *, secret: re.Pattern[str]) -> Wordings:
    """Return wordings by kind, severity and laterality before them."""
    words = {word: re.compile(rf"\b{word}", re.IGNORECASE) for word in feature.qualifiers()}

    def qualified(texts: Sequence[str]) -> list[str]:
        fit = [text for text in texts if not secret.search(text)]
        return [" ".join([*(word for word in words if not words[word].search(text)), text]) for text in fit]

    return by_kind(qualified([term.label]), *map(qualified, (term.clinical, term.lay, term.short)))
