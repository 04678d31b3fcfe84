"""A toy ontology that annotates the cohort's diseases, toy phenopackets, and parameters to read them by."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

from stages.lib.phenotypes.cohort import read_cohort
from stages.sources import phenopackets
from stages.sources.cases import Case, Inputs, Rejected
from stages.sources.phenopackets import PhenopacketsParams

TERMS = 90
FILE = {
    "file": "cases.csv",
    "columns": {"text": "note", "diagnosis": "dx", "record_id": "id", "patient_id": "mrn", "group": "family"},
}
CASES = "id,mrn,family,note,dx\nr1,4711,Doe,cough,Flu\nr2,4711,Doe,rash,Measles\nr3,4712,,ache,Flu\n"
HPO = {
    "cohort": "curated",
    "patients_per_diagnosis": 2,
    "voices": ["clinic letter", "triage note", "discharge summary", "own words"],
    "rates": {"findings": 5, "minimum_findings": 3, "noise": 0.5, "imprecision": 0.2, "excluded": 2},
    "family_history": 0.3,
}
STORE = {
    "file": "store.zip",
    "min_phenotypes": 3,
    "min_publications": 0,
    "max_patients": 100,
    "voices": ["case report"],
}


def write_ontology(folder: Path) -> Path:
    """Write hp.obo, with three organ systems of 30 findings, and phenotype.hpoa, with 15 findings per disease."""
    folder.mkdir(parents=True, exist_ok=True)
    terms = [("HP:0000118", "Phenotypic abnormality", None)]
    terms += [(f"HP:{n}", f"System {n}", "HP:0000118") for n in range(1, 4)]
    terms += [(_term(n), f"Finding number{n}", f"HP:{n % 3 + 1}" if n < 30 else _term(n - 30)) for n in range(TERMS)]
    blocks = [
        f"[Term]\nid: {identifier}\nname: {name}\n"
        + f'synonym: "{name.lower()} in plain words" EXACT layperson []\nsynonym: "{name}, severe" RELATED []\n'
        + (f"is_a: {parent} ! parent\n" if parent else "")
        for identifier, name, parent in terms
    ]
    blocks.append("[Term]\nid: HP:9\nname: obsolete Thing\nis_obsolete: true\n")
    (folder / "hp.obo").write_text("format-version: 1.2\n\n" + "\n".join(blocks), encoding="utf-8")
    columns = (
        "database_id disease_name qualifier hpo_id reference evidence onset frequency sex modifier aspect biocuration"
    )
    rows = ["#description: toy", columns.replace(" ", "\t")]
    for position, disease in enumerate(read_cohort()):
        for n in range(15):
            frequency = ("HP:0040281", "3/5", "40%", "HP:0040282")[n % 4]
            rows.append(_annotation(disease.id, disease.name, _term((position * 7 + n) % TERMS), frequency))
        rows.append(_annotation(disease.id, disease.name, _term((position * 7 + 40) % TERMS), "1/1", qualifier="NOT"))
    (folder / "phenotype.hpoa").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


def phenopacket(number: int = 0, **changes: Any) -> dict[str, Any]:
    """Return a valid phenopacket; `changes` replace top-level fields."""
    disease = {"id": f"OMIM:{number % 2}", "label": f"Toy disease {number % 2}"}
    return {
        "id": f"PMID_{1000 + number // 2}_p{number}",
        "subject": {
            "id": f"p{number % 3}",
            "sex": "FEMALE",
            "timeAtLastEncounter": {"age": {"iso8601duration": "P8Y"}},
        },
        "phenotypicFeatures": [
            *({"type": {"id": _term(n), "label": f"Finding number{n}"}} for n in range(4)),
            {"type": {"id": _term(50), "label": "Finding number50"}, "excluded": True},
        ],
        "interpretations": [{"diagnosis": {"disease": disease}}],
        "metaData": {"externalReferences": [{"id": f"PMID:{1000 + number // 2}"}]},
    } | changes


def write_archive(path: Path, members: dict[str, Any]) -> Path:
    """Write a zip whose members are bytes as they stand, or JSON."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content if isinstance(content, bytes) else json.dumps(content))
    return path


def read_store(folder: Path, members: dict[str, Any], **changes: Any) -> tuple[list[Case], list[Rejected]]:
    """Read a zip of these members as phenopackets; `changes` replace parameters."""
    write_archive(folder / "store.zip", members)
    return read_phenopackets(folder, **changes)


def read_phenopackets(folder: Path, **changes: Any) -> tuple[list[Case], list[Rejected]]:
    """Read what is in a folder as phenopackets; return cases and what is rejected."""
    ontology = folder / "ontology" if (folder / "ontology").exists() else write_ontology(folder / "ontology")
    params = PhenopacketsParams.model_validate(STORE | changes)
    items = list(phenopackets.read(params, Inputs(folder, folder / "fetched", ontology, 1)))
    rejected = [item for item in items if isinstance(item, Rejected)]
    return [item for item in items if not isinstance(item, Rejected)], rejected


def read_one(folder: Path, packet: Any) -> Case:
    """Return the case that a phenopacket makes."""
    (case,), _ = read_store(folder, {"1.json": packet}, min_phenotypes=1)
    return case


def feature(number: int, **more: Any) -> dict[str, Any]:
    """Return a phenotype of the toy ontology."""
    return {"type": {"id": _term(number), "label": f"Finding number{number}"}} | more


def document(**changes: Any) -> dict[str, Any]:
    """Return params.yaml as far as `acquire` reads it; `changes` replace keys of its section."""
    section = {"sources": ["files"], "key_fingerprint": None, "max_rejected": 0.0, "hpo": HPO, "phenopackets": STORE}
    return {"seed": 1, "acquire": section | {"files": [FILE], "fhir": None, "feedback": None, "hub": []} | changes}


def _term(number: int) -> str:
    return f"HP:{2_000_000 + number}"


def _annotation(disease: str, name: str, term: str, frequency: str, *, qualifier: str = "") -> str:
    return "\t".join([disease, name, qualifier, term, disease, "TAS", "", frequency, "", "", "P", "toy"])
