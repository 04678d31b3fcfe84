"""A toy bulk export: resources as FHIR R4 writes them, files of them, and what the source reads from them."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path
from typing import Any

from stages.sources.cases import Case, Inputs, Rejected
from stages.sources.fhir import FhirParams, read

STATUS = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
HPO = "http://human-phenotype-ontology.org"


def patient(number: int = 1, **changes: Any) -> dict[str, Any]:
    """Return a woman born on 2 March 1980; `changes` replace elements."""
    return {"resourceType": "Patient", "id": f"p{number}", "gender": "female", "birthDate": "1980-03-02"} | changes


def condition(
    number: str = "558", name: str = "Marfan syndrome", *, status: str = "confirmed", **changes: Any
) -> dict[str, Any]:
    """Return a condition coded by Orphanet."""
    return {
        "resourceType": "Condition",
        "id": f"c-{number}",
        "subject": {"reference": "Patient/p1"},
        "verificationStatus": {"coding": [{"system": STATUS, "code": status}]},
        "code": {"coding": [{"system": "http://www.orpha.net", "code": number, "display": name}]},
    } | changes


def observation(term: str = "HP:0001519", **changes: Any) -> dict[str, Any]:
    """Return an observation of a phenotype."""
    return {
        "resourceType": "Observation",
        "status": "final",
        "subject": {"reference": "Patient/p1"},
        "code": {"coding": [{"system": HPO, "code": term}]},
    } | (changes or {"valueBoolean": True})


def attachment(content: str | bytes, kind: str = "text/plain; charset=UTF-8") -> dict[str, Any]:
    """Return an inline attachment."""
    data = content.encode() if isinstance(content, str) else content
    return {"contentType": kind, "data": base64.b64encode(data).decode()}


def document(number: int = 1, *attachments: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return a document of the first patient, written on 1 September 2020."""
    return {
        "resourceType": "DocumentReference",
        "id": f"d{number}",
        "status": "current",
        "subject": {"reference": "Patient/p1"},
        "date": "2020-09-01T23:30:00-05:00",
        "context": {"encounter": [{"reference": "Encounter/e1"}]},
        "content": [{"attachment": item} for item in attachments or (attachment("Tall, with long fingers."),)],
    } | changes


def write_export(folder: Path, files: dict[str, list[Any]]) -> Path:
    """Write files of lines, which are bytes as they stand or resources; compressed where the name says so."""
    for name, lines in files.items():
        content = b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines)
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(content, mtime=0) if name.endswith(".gz") else content)
    return folder


def read_export(folder: Path, *lines: Any, **changes: Any) -> list[Case | Rejected]:
    """Return what the source reads from one file of lines; `changes` are parameters."""
    write_export(folder, {"export/all.ndjson": list(lines)})
    params = FhirParams.model_validate({"folder": "export", "code_system": "ORPHA"} | changes)
    return list(read(params, Inputs(incoming=folder, fetched=folder, ontology=folder, seed=1)))


def read_case(folder: Path, *lines: Any, **changes: Any) -> Case:
    """Return the only case that the source reads."""
    (case,) = read_export(folder, *lines, **changes)
    assert isinstance(case, dict), case
    return case
