"""Every door leads to a report: the whole pipeline with the tiny model on small data of each source."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pandas as pd
import pytest
import yaml
from conftest import merge
from toy_fhir import attachment, condition, document, patient
from toy_pipeline import dvc
from toy_site import serve_site

pytestmark = pytest.mark.full

SIGNS = {
    "Marfan syndrome": ["tall stature", "ectopia lentis", "aortic root aneurysm", "scoliosis", "arachnodactyly"],
    "Stickler syndrome": ["myopia", "cleft palate", "hearing loss", "retinal detachment", "joint pain"],
}
CODES = {"Marfan syndrome": "558", "Stickler syndrome": "828"}
TERMS = ["HP:0000098", "HP:0001083", "HP:0002616", "HP:0002650", "HP:0001166", "HP:0000545", "HP:0000175"]
COLUMNS = {"text": "note", "diagnosis": "dx", "record_id": "id", "patient_id": "patient"}
SMALL = {
    "validate": {"min_cases_per_diagnosis": 5, "distinct_texts": 0.5},
    "split": {"max_component": 0.5, "max_excluded": 0.5},
}


def rows() -> Iterator[dict[str, str]]:
    """Yield notes of twenty patients of each diagnosis."""
    for diagnosis, signs in SIGNS.items():
        for number in range(20):
            told = Random(f"{diagnosis}/{number}").sample(signs, 3)
            note = f"The patient was seen in the clinic with {told[0]}, {told[1]} and {told[2]}; visit number {number}."
            yield {
                "id": f"{CODES[diagnosis]}-{number}",
                "patient": f"{diagnosis}/{number}",
                "note": note,
                "dx": diagnosis,
            }


def files(workspace: Path) -> dict[str, Any]:
    pd.DataFrame(rows()).to_csv(workspace / "data/incoming/cases.csv", index=False)
    return {"files": [{"file": "cases.csv", "columns": COLUMNS}]}


def feedback(workspace: Path) -> dict[str, Any]:
    judged = {"adjudicated_at": "2024-05-01T10:00:00+00:00", "adjudicator": "clinician", "status": "confirmed"}
    lines = [
        {"record_id": row["id"], "patient_id": row["patient"], "text": row["note"], "diagnosis": row["dx"]} | judged
        for row in rows()
    ]
    (workspace / "data/incoming/feedback.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return {"feedback": {"file": "feedback.jsonl"}}


def fhir(workspace: Path) -> dict[str, Any]:
    resources = []
    for number, row in enumerate(rows()):
        subject = {"reference": f"Patient/p{number}"}
        resources += [
            patient(number),
            condition(CODES[row["dx"]], row["dx"], id=f"c{number}", subject=subject),
            document(number, attachment(row["note"]), subject=subject),
        ]
    (workspace / "data/incoming/export").mkdir()
    lines = "".join(json.dumps(resource) + "\n" for resource in resources)
    (workspace / "data/incoming/export/all.ndjson").write_text(lines)
    return {"fhir": {"folder": "export", "code_system": "ORPHA"}}


def phenopackets(workspace: Path) -> dict[str, Any]:
    with zipfile.ZipFile(workspace / "data/incoming/store.zip", "w") as archive:
        for number, row in enumerate(rows()):
            random = Random(number)
            packet = {
                "id": f"PMID_{1000 + number // 2}_{number}",
                "subject": {"id": f"p{number}", "sex": random.choice(["MALE", "FEMALE"])},
                "phenotypicFeatures": [{"type": {"id": term, "label": term}} for term in random.sample(TERMS, 4)],
                "interpretations": [
                    {"diagnosis": {"disease": {"id": f"ORPHA:{CODES[row['dx']]}", "label": row["dx"]}}}
                ],
                "metaData": {"externalReferences": [{"id": f"PMID:{1000 + number // 2}"}]},
            }
            archive.writestr(f"{number}.json", json.dumps(packet))
    return {"phenopackets": {"file": "store.zip", "min_publications": 2}}


def run(workspace: Path, source: str, changes: dict[str, Any]) -> dict[str, Any]:
    """Run the pipeline on one source and return the metrics of evaluation."""
    path = workspace / "params.yaml"
    params = merge(yaml.safe_load(path.read_text()), SMALL | {"acquire": {"sources": [source]}})
    path.write_text(yaml.safe_dump(merge(params, changes)))
    dvc(workspace, "repro")
    assert (workspace / "metrics/report/report.md").exists()
    assert f"| {source} |" in (workspace / "data/datasheet.md").read_text()
    found: dict[str, Any] = json.loads((workspace / "metrics/evaluation.json").read_text())
    return found


@pytest.mark.parametrize("source", [files, feedback, fhir, phenopackets], ids=lambda source: source.__name__)
def test_a_source_leads_to_a_report(workspace: Path, source: Callable[[Path], dict[str, Any]]) -> None:
    results = run(workspace, source.__name__, {"acquire": source(workspace)})
    assert results["diagnoses"] == 2
    assert "ceiling" not in results["accuracy"]
    assert ("phenotype_likelihood" in results["accuracy"]) == (source is phenopackets)


def test_a_table_that_fetch_brings_leads_to_a_report(workspace: Path) -> None:
    content = pd.DataFrame(rows()).to_csv(index=False).encode()
    with serve_site() as site:
        site.content = content
        pin = {"url": f"{site.url}/cases.csv", "sha256": hashlib.sha256(content).hexdigest(), "licence": "none"}
        acquire = {"hub": [{"data": "cases", "columns": COLUMNS}]}
        assert run(workspace, "hub", {"fetch": {"data": {"cases": pin}}, "acquire": acquire})["diagnoses"] == 2


def test_simulated_patients_stand_beside_real_ones_for_training_alone(workspace: Path) -> None:
    acquire = phenopackets(workspace)
    acquire["hpo"] = {"cohort": "shared", "voices": ["case report"], "patients_per_diagnosis": 10}
    acquire["sources"] = ["phenopackets", "hpo"]
    run(workspace, "phenopackets", {"acquire": acquire, "split": {"train_only": ["hpo"]}})
    sources = {
        name: set(pd.read_parquet(workspace / f"data/{name}.parquet")["source"])
        for name in ("train", "validation", "calibration", "test")
    }
    assert sources.pop("train") == {"phenopackets", "hpo"}
    assert set().union(*sources.values()) == {"phenopackets"}
