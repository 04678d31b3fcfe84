"""Read a FHIR R4 bulk export: a case per document, whose diagnosis is a condition of the patient."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from stages.lib.stage import StageError, Strict, log, progress
from stages.sources.cases import Case, Inputs, Rejected
from stages.sources.cells import UnreadableError
from stages.sources.fhir_elements import SYSTEMS, age_at, days, short_name, target
from stages.sources.fhir_export import Resource, export_files, read_resources, validated
from stages.sources.fhir_note import note
from stages.sources.fhir_register import Register
from stages.sources.incoming import RelativeFile


def _known_system(system: str) -> str:
    if (name := short_name(system)) not in SYSTEMS and ":" not in name:
        raise ValueError(f"choose from {', '.join(SYSTEMS)}, or name a code system by its URI")
    return name


class FhirParams(Strict):
    """A bulk export of FHIR R4 resources."""

    folder: RelativeFile
    """Folder in data/incoming with the export's .ndjson and .ndjson.gz files, whatever their names."""
    code_system: Annotated[str, AfterValidator(_known_system)]
    """Code system of the diagnoses: ICD10, SNOMED, ORPHA, OMIM, or the URI of another one."""
    verification: list[Literal["confirmed", "provisional", "differential", "unconfirmed"]] = Field(
        default=["confirmed"], min_length=1
    )
    """Verification statuses of conditions that may be a diagnosis."""
    max_days_from_onset: int | None = Field(default=None, ge=0)
    """Largest distance in days between a document and the onset of its diagnosis; null takes any, and unknown ones."""


def read(params: FhirParams, inputs: Inputs) -> Iterator[Case | Rejected]:
    """Yield a case for each document that has text inline, a patient of the export and one diagnosis.

    The diagnosis is that of the document's encounter, or else the patient's only one. The export is read twice, so
    that no text is held: first its patients, conditions and observations, then its documents. Of observations only
    those of phenotypes (HPO) are read. Raises StageError where the folder has no document or a file is damaged.
    """
    files = export_files(inputs.incoming, params.folder)
    register = Register(params.code_system, params.verification, dict(inputs.diagnoses))
    documents: dict[str, Path] = {}
    for file, row, resource in progress(_resources(files), description="reading patients"):
        try:
            if isinstance(resource, str):
                raise UnreadableError(resource)
            if resource["resourceType"] == "DocumentReference":
                documents[file] = files[file]
            elif _tells(resource):
                register.add(validated(resource))
        except UnreadableError as error:
            yield Rejected(file, row, str(error))
    if not documents:
        raise StageError(
            f"{inputs.incoming / params.folder}: holds no readable DocumentReference; export that type, too"
        )
    log.info("%s: %s patients", params.folder, f"{len(register.people):,}")
    seen: dict[str, None] = {}
    for file, row, resource in progress(_resources(documents), description="reading documents"):
        if isinstance(resource, dict) and resource["resourceType"] == "DocumentReference":
            try:
                yield _case(resource, seen=seen, register=register, params=params) | {"file": file, "row": row}
            except UnreadableError as error:
                yield Rejected(file, row, str(error))


def _resources(files: Mapping[str, Path]) -> Iterator[tuple[str, str, Resource | str]]:
    for name, path in files.items():
        for row, resource in read_resources(path):
            yield name, row, resource


def _tells(resource: Resource) -> bool:
    """Say whether the register takes anything from a resource; laboratory values are most of an export."""
    kind = resource["resourceType"]
    code = str(resource.get("code"))
    return kind in ("Patient", "Condition") or (kind == "Observation" and ("human-phen" in code or "obo/hp" in code))


def _case(resource: Resource, *, seen: dict[str, None], register: Register, params: FhirParams) -> Case:
    """Return a record with the export's ids; raise UnreadableError where the document can't be used."""
    document = validated(resource)
    if document.id is None or document.id in seen:
        fault = "with the id of an earlier one" if document.id else "without an id"
        raise UnreadableError(f"DocumentReference {fault}")
    seen[document.id] = None
    if document.status != "current" or document.docStatus == "entered-in-error":
        raise UnreadableError("document is superseded or entered in error")
    patient = target(document.subject, "Patient")
    if patient not in register.people:
        raise UnreadableError("subject is not in the export" if patient else "no subject that is a patient")
    text = note(content.attachment for content in document.content)
    if not text.strip():
        raise UnreadableError("no text")
    written, code = _written(document), _diagnosis(document, patient, register=register, params=params)
    person = register.people[patient]
    return {
        "record_id": f"DocumentReference/{document.id}",
        "patient_id": f"id {patient}",
        "groups": register.families(patient),
        "text": text,
        "diagnosis": register.names[code],
        "diagnosis_code": code,
        "age": age_at(person.birth, days(written)),
        "sex": person.sex,
        "date": str(written)[:10] if written else None,
        "phenotypes": register.phenotypes(patient, present=True),
        "excluded_phenotypes": register.phenotypes(patient, present=False),
    }


def _written(document: Any) -> Any:
    """Return when the document was written, or else when the care that it documents began, or None."""
    context = document.context
    return document.date or (context and context.period and context.period.start)


def _diagnosis(document: Any, patient: str, *, register: Register, params: FhirParams) -> str:
    stays = [target(reference, "Encounter") for reference in (document.context and document.context.encounter) or ()]
    found = register.diagnoses(
        patient,
        encounters=[stay for stay in stays if stay],
        time=days(_written(document)),
        within=params.max_days_from_onset,
    )
    if len(found) != 1:
        raise UnreadableError("several diagnoses" if found else "no diagnosis")
    return found[0]
