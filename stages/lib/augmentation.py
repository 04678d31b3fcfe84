"""Copies of a training record in other words: a record and the ontology in, notes that tell the same patient out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from pydantic import Field

from stages.lib.labels import number_labels, read_terminology, tokens
from stages.lib.narration.identities import FAKED, invent
from stages.lib.narration.notes import Voice, read_voices, write_note
from stages.lib.phenotypes.ontology import read_annotations
from stages.lib.phenotypes.phenome import Wordings, read_phenome
from stages.lib.rewording import Synonyms, mistyped, reworded, synonyms_of
from stages.lib.stage import Strict

if TYPE_CHECKING:
    import pandas as pd

FEWEST = 3  # findings of a note written anew
TRIES = 5  # for a copy that differs from the record and its other copies
NOBODY = dict.fromkeys(FAKED, ("one", "two"))  # whose identifiers are drawn, and leave placeholders
Record = Mapping[str, Any]


class AugmentParams(Strict):
    """How copies differ from their records.

    Notes that the pipeline's own narration wrote are written anew, from the findings that they tell or deny, with
    placeholders for identifiers; other texts are changed in place.
    """

    copies: int = Field(ge=0, le=20)
    """Copies of each training record; 0 turns augmentation off."""
    phenotype_dropout: float = Field(ge=0, le=0.9)
    """Chance that a note written anew leaves a finding out; three stay at least."""
    synonyms: float = Field(ge=0, le=1)
    """Chance that a finding stands in any of the ontology's wordings, clinical, lay or short."""
    voice_change: float = Field(ge=0, le=1)
    """Share of the notes written anew that are in another voice."""
    typos: float = Field(ge=0, le=0.2)
    """Share of words of four letters or more that are mistyped."""


@dataclass(frozen=True)
class Language:
    """In which words findings can be told, and what tells of a diagnosis: wordings by term, names by diagnosis."""

    voices: Sequence[Voice]
    wordings: Mapping[str, Wordings]
    synonyms: Synonyms
    names: Mapping[str, tuple[str, ...]]


def read_language(ontology: Path, records: pd.DataFrame) -> Language:
    """Read the ontology's wordings, and how a text may name the records' diagnoses (the rule of `validate`)."""
    wordings = read_phenome(ontology, read_annotations(ontology / "phenotype.hpoa")).wordings
    pairs = records.groupby("diagnosis")["diagnosis_code"]
    codes = {str(diagnosis): sorted(column.dropna().unique()) for diagnosis, column in pairs}
    names = {name: label.names for name, label in number_labels(codes, read_terminology(ontology)).items()}
    return Language(read_voices(), wordings, synonyms_of(wordings.values()), names)


def copies(record: Record, language: Language, params: AugmentParams, *, seed: int) -> Iterator[dict[str, Any]]:
    """Yield the record's copies, drawn by its id, their number and the seed: other records change none.

    Each text is another one, and names the diagnosis in no way that the record's own does not. What can't be told in
    other words has fewer copies.
    """
    told, denied = (_said(record[name], record["text"], language) for name in ("phenotypes", "excluded_phenotypes"))
    known = record["voice"] in {voice.voice for voice in language.voices}
    names = language.names[record["diagnosis"]]
    texts = {record["text"]}
    for number in range(1, params.copies + 1):
        random = Random(f"{seed}/{record['record_id']}/{number}")
        for _ in range(TRIES):
            if known and len(told) >= FEWEST:
                copy = _retold(record, told, denied, language, params, random)
            else:
                copy = {"text": reworded(record["text"], language.synonyms, random, chance=params.synonyms)}
            text = mistyped(copy["text"], random, share=params.typos)
            if text not in texts and named(text, names) <= named(record["text"], names):
                texts.add(text)
                yield {**record, **copy, "text": text, "record_id": f"{record['record_id']}+{number}"}
                break


def _said(terms: Sequence[str] | None, text: str, language: Language) -> list[str]:
    """Return the terms of which the text has a wording."""
    line = _line(text)
    wordings = {term: language.wordings.get(term, {}) for term in (() if terms is None else terms)}
    return [
        term
        for term, kinds in wordings.items()
        if any(_line(wording) in line for kind in kinds.values() for wording in kind)
    ]


def _retold(
    record: Record,
    told: Sequence[str],
    denied: Sequence[str],
    language: Language,
    params: AugmentParams,
    random: Random,
) -> dict[str, Any]:
    """Return text, voice and findings of a note that tells and denies most of the findings, as `scrub` leaves it."""
    import pandas as pd

    age: float | None = None if pd.isna(record["age"]) else float(record["age"])
    sex: str | None = None if pd.isna(record["sex"]) else str(record["sex"])
    voice = _voice(record["voice"], language, random, age=age, chance=params.voice_change)

    def left(terms: Sequence[str], least: int) -> list[str]:
        some = [term for term in terms if random.random() >= params.phenotype_dropout]
        return random.sample(some, len(some)) if len(some) >= least else random.sample(terms, least)

    def worded(term: str) -> str:
        kinds = language.wordings[term]
        if random.random() >= params.synonyms:
            return random.choice(kinds[voice.wording])
        return random.choice(list(dict.fromkeys(wording for kind in kinds.values() for wording in kind)))

    findings, absent = left(told, FEWEST), left(denied, 0)
    note = write_note(
        voice,
        random,
        findings=list(map(worded, findings)),
        absent=list(map(worded, absent)),
        trait=None,
        identity=invent(NOBODY, random, sex=sex, age=age)[0],
        sex=sex,
        age=age,
    )
    return {
        "text": redacted(note.text, note.phi),
        "voice": note.voice,
        "phenotypes": findings,
        "excluded_phenotypes": absent,
    }


def redacted(text: str, phi: Iterable[Mapping[str, Any]]) -> str:
    """Return the text with placeholders for its identifiers, numbered in the order of first use."""
    pieces, end = list[str](), 0
    numbers: dict[str, dict[str, int]] = {}
    for span in sorted(phi, key=lambda span: span["start"]):
        entity = "ID" if span["entity"] == "US_SSN" else span["entity"]
        seen = numbers.setdefault(entity, {})
        number = seen.setdefault(text[span["start"] : span["end"]], len(seen) + 1)
        pieces += [text[end : span["start"]], f"[{entity}_{number}]"]
        end = span["end"]
    return "".join([*pieces, text[end:]])


def _voice(own: str, language: Language, random: Random, *, age: float | None, chance: float) -> Voice:
    """Return a voice for the age, in years: another one than `own` with the given chance."""
    years = 40.0 if age is None else age
    fit = [voice for voice in language.voices if voice.ages[0] <= years < voice.ages[1]]
    changed = random.random() < chance
    return random.choice([voice for voice in fit if (voice.voice != own) == changed] or fit)


def named(text: str, names: Sequence[str]) -> set[str]:
    """Return the names, as a label has them, that stand in the text."""
    line = _line(text)
    return {name for name in names if name in line}


def _line(text: str) -> str:
    return f" {' '.join(tokens(text))} "
