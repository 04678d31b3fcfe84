"""What an export tells of its patients, as far as cases are made from it; the documents' text is none of it."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from stages.sources.cells import UnreadableError, as_sex
from stages.sources.fhir_elements import Days, codes, codings, days, distance, is_present, target

YEARS = {"a": 1, "mo": 1 / 12, "wk": 1 / 52.18, "d": 1 / 365.25}  # by UCUM unit, which FHIR demands of an Age


class Person(NamedTuple):
    """A patient: the days that the birth date can mean, the sex, and linked patients and relatives."""

    birth: Days | None
    sex: str | None
    links: tuple[str, ...]


class Diagnosed(NamedTuple):
    """A condition that may be a diagnosis: its code, its encounter, and its onset by date or by age in years."""

    code: str
    encounter: str | None
    onset: Days | float | None


@dataclass(frozen=True)
class Register:
    """Patients of an export, and by patient the conditions of one code system with one of some verification statuses.

    `names` are the diagnoses' by code, the first one that is met: a diagnosis is spelt the same in every case.
    """

    code_system: str
    verification: Collection[str]
    names: dict[str, str]
    people: dict[str, Person] = field(default_factory=dict)
    linked: dict[str, None] = field(default_factory=dict)
    conditions: dict[str, list[Diagnosed]] = field(default_factory=dict)
    findings: dict[str, dict[str, bool]] = field(default_factory=dict)

    def add(self, resource: Any) -> None:
        """Take in a valid Patient, Condition or Observation; raise UnreadableError where it can't be used."""
        {"Patient": self._patient, "Condition": self._condition, "Observation": self._observation}[
            type(resource).__name__
        ](resource)

    def diagnoses(
        self, patient: str, *, encounters: Collection[str], time: Days | None, within: int | None
    ) -> list[str]:
        """Return the codes that can be the diagnosis of a document of `time`, those of its encounters if there are any.

        With `within`, only conditions count whose onset is known to lie at most so many days from the document.
        """
        there = [
            condition
            for condition in self.conditions.get(patient, [])
            if within is None or _near(condition.onset, birth=self.people[patient].birth, time=time, within=within)
        ]
        same = [condition.code for condition in there if condition.encounter in encounters]
        return list(dict.fromkeys(same or [condition.code for condition in there]))

    def families(self, patient: str) -> list[str]:
        """Return the groups of patients that Patient.link joins; links of links share a group by the one between."""
        names = {*self.people[patient].links, f"Patient/{patient}"}
        return [f"link={name}" for name in sorted(names) if name in self.linked]

    def phenotypes(self, patient: str, *, present: bool) -> list[str] | None:
        """Return the HPO ids that are present, or absent; None where there is no such observation at all."""
        found = self.findings.get(patient)
        return sorted(term for term, there in found.items() if there == present) if found else None

    def _patient(self, patient: Any) -> None:
        if patient.id is None:
            raise UnreadableError("Patient without an id")
        if patient.id in self.people:
            raise UnreadableError("Patient with the id of an earlier one")
        links = tuple(
            f"{kind}/{other}"
            for link in patient.link or ()
            for kind in ("Patient", "RelatedPerson")
            if (other := target(link.other, kind))
        )
        self.people[patient.id] = Person(days(patient.birthDate), as_sex(patient.gender or ""), links)
        self.linked.update(dict.fromkeys(links))

    def _condition(self, condition: Any) -> None:
        patient = target(condition.subject, "Patient")
        said = [coding.code for coding in codings(condition.verificationStatus)]
        found = next(codes(condition.code, system=self.code_system), None)
        if patient is None or found is None or not any(word in self.verification for word in said):
            return
        self.names.setdefault(*found)
        self.conditions.setdefault(patient, []).append(
            Diagnosed(found.code, target(condition.encounter, "Encounter"), _onset(condition))
        )

    def _observation(self, observation: Any) -> None:
        patient = target(observation.subject, "Patient")
        if patient is None or observation.status in ("cancelled", "entered-in-error") or observation.dataAbsentReason:
            return
        for term in codes(observation.code, system="HP"):
            present = is_present(observation)
            if present is None:
                raise UnreadableError("Observation of a phenotype that is neither present nor absent")
            if not re.fullmatch(r"HP:\d{7}", term.code):
                raise UnreadableError("Observation of a phenotype whose code is no HPO id")
            found = self.findings.setdefault(patient, {})
            found[term.code] = present or found.get(term.code, False)  # seen once outweighs not seen


def _onset(condition: Any) -> Days | float | None:
    age = condition.onsetAge
    if age and age.value is not None and age.code in YEARS:
        years = float(age.value) * YEARS[age.code]
        return years if 0 <= years <= 130 else None
    return days(condition.onsetDateTime or (condition.onsetPeriod and condition.onsetPeriod.start))


def _near(onset: Days | float | None, *, birth: Days | None, time: Days | None, within: int) -> bool:
    if isinstance(onset, float):
        onset = birth and Days(*(day + round(onset * 365.25) for day in birth))
    return onset is not None and time is not None and distance(onset, time) <= within
