"""Turn elements of FHIR (codes, references, dates) into values of a record."""

from __future__ import annotations

import calendar
import datetime
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from stages.sources.cells import UnreadableError

# Names by the code systems' URIs, after HL7's list of code systems; national editions of ICD-10 share its name.
SYSTEMS = {
    "ICD10": r"http://hl7\.org/fhir/sid/icd-10(-\w+)?|http://fhir\.de/CodeSystem/(bfarm|dimdi)/icd-10-gm"
    r"|urn:oid:2\.16\.840\.1\.113883\.6\.(3|90)",
    "SNOMED": r"http://snomed\.info/sct|urn:oid:2\.16\.840\.1\.113883\.6\.96",
    "ORPHA": r"https?://www\.orpha\.net/?",
    "OMIM": r"https?://(www\.)?omim\.org/?|urn:oid:2\.16\.840\.1\.113883\.6\.174",
    "HP": r"https?://(www\.)?human-phenotype-ontology\.org/?|http://purl\.obolibrary\.org/obo/hp(\.owl|\.fhir)?",
}
# Answers of LOINC (present, yes), SNOMED CT (present, yes), HL7 version 2 (yes) and version 3 (positive).
PRESENT = ("LA9633-4", "LA33-6", "52101004", "373066001", "Y", "POS", "present")
ABSENT = ("LA9634-2", "LA32-8", "2667000", "373067005", "N", "NEG", "absent")


class Days(NamedTuple):
    """The first and the last day that a date can mean, as proleptic ordinals; FHIR's dates may lack month and day."""

    first: int
    last: int


class Code(NamedTuple):
    """A code behind the name of its system, such as ORPHA:558, and its name, which may be the code again."""

    code: str
    name: str


def short_name(system: str) -> str:
    """Return the name of a code system, or else its URI."""
    return next((name for name, uris in SYSTEMS.items() if re.fullmatch(uris, system)), system)


def codings(concept: Any) -> list[Any]:
    """Return the Codings of a CodeableConcept, or of none."""
    return (concept and concept.coding) or []


def codes(concept: Any, *, system: str) -> Iterator[Code]:
    """Yield the codes of a CodeableConcept, or of none, that are of a system."""
    for coding in codings(concept):
        if coding.code and coding.system and short_name(coding.system) == system:
            # OMIM:154700 and ORPHA_558 already name their system.
            local = re.sub(rf"^{re.escape(system)}[:_]", "", coding.code, flags=re.IGNORECASE)
            code = f"{system}{':' if system in SYSTEMS else '|'}{local}"
            yield Code(code, " ".join((coding.display or concept.text or code).split()))


def target(reference: Any, kind: str) -> str | None:
    """Return the id of the resource that a Reference, or none, names; None unless it can be of this kind.

    It may be relative (Patient/1), absolute (https://host/fhir/Patient/1), with a version, or urn:uuid:1.
    """
    literal = (reference and reference.reference) or ""
    match = re.fullmatch(rf"(?:\S+/)?{kind}/([^/\s]+)(?:/_history/[^/\s]+)?|urn:uuid:(\S+)", literal)
    return (match[1] or match[2]) if match else None


def days(value: Any) -> Days | None:
    """Return what a date, a dateTime or an instant, or none, spans; a time counts by the day where it was written."""
    if value is None:
        return None
    year, month, day = [*(int(part) for part in str(value)[:10].split("-")), 0, 0][:3]
    last = day or calendar.monthrange(year, month or 12)[1]
    return Days(
        datetime.date(year, month or 1, day or 1).toordinal(), datetime.date(year, month or 12, last).toordinal()
    )


def age_at(birth: Days | None, time: Days | None) -> float | None:
    """Return the age in years, rounded to two digits, from the middles of both spans."""
    if birth is None or time is None:
        return None
    if time.last < birth.first:
        raise UnreadableError("dated before the birth")
    age = max(0.0, round((sum(time) - sum(birth)) / 2 / 365.25, 2))
    if age > 130:
        raise UnreadableError("age is not between 0 and 130 years")
    return age


def distance(one: Days, other: Days) -> int:
    """Return the least number of days between two spans."""
    return max(0, one.first - other.last, other.first - one.last)


def is_present(observation: Any) -> bool | None:
    """Return whether an Observation says that its code is present or absent, or None where it says neither."""
    if observation.valueBoolean is not None:
        return bool(observation.valueBoolean)
    answer = observation.valueCodeableConcept
    said = [coding.code for coding in codings(answer)] + [str(answer and answer.text).casefold()]
    present, absent = (any(word in words for word in said) for words in (PRESENT, ABSENT))
    return None if present == absent else present
