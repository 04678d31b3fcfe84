"""Scrub whole patients: the work of one process, and what goes in and out of it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from stages.lib.phi.policies import Patient, Policy
from stages.lib.phi.spans import Span


class Settings(NamedTuple):
    """What finds PHI and what becomes of it."""

    ner: Path
    ontology: Path
    score_threshold: float
    kept: tuple[str, ...]
    policy: Policy
    key_fingerprint: str | None


class Scrubbed(NamedTuple):
    """A text without PHI, the spans that were replaced in the given one, and how often what is left looks like PHI.

    `date` is the year of the record, moved where the dates of the texts are.
    """

    text: str
    spans: list[Span]
    date: str | None
    hits: int


Results = list[list[Scrubbed]]
"""By patient and text."""


def scrub_patients(settings: Settings, patients: list[Patient]) -> Results:
    """Scrub the texts of whole patients; a process loads the models once.

    PHI is found as if every policy were `redact`, so that all remove the same; then the policy writes what stands for
    it. Hits are counted where only placeholders are, so that no fake is one.
    """
    from stages.lib.keys import pinned_key
    from stages.lib.phi.engine import load_finder
    from stages.lib.phi.hits import compiled, count_hits
    from stages.lib.phi.policies import read_policy, record_date, rewritten
    from stages.lib.phi.redaction import redact
    from stages.lib.phi.surrogates import Surrogates

    finder = load_finder(*settings[:4])
    operators, patterns = read_policy(settings.policy), compiled()
    fingerprint = settings.key_fingerprint if "fake" in operators.values() else None
    key = pinned_key(fingerprint, parameter="scrub.key_fingerprint") if fingerprint else None
    eponyms = {first for first, _ in finder.lexicon.ontology.pairs}

    def is_word(name: str) -> bool:  # "Graves" in a note would tell a disease
        return finder.lexicon.is_known(name) or name.casefold() in eponyms

    redacted = redact([patient.texts for patient in patients], finder.find, finder.lexicon)
    results = []
    for patient, found in zip(patients, redacted, strict=True):
        surrogates = Surrogates(key, patient.patient_id, patient.texts, is_word=is_word) if key else None
        texts = rewritten(patient, [spans for _, spans in found], operators, surrogates)
        dates = [record_date(date, surrogates) for date in patient.dates]
        hits = [count_hits(text, patterns) for text, _ in found]
        results.append([Scrubbed(*text, date, count) for text, date, count in zip(texts, dates, hits, strict=True)])
    return results
