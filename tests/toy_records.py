"""Records that pass every expectation, and `validate` run on them or on what became of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from stages.lib.records import write_records
from stages.lib.stage import In, Out
from stages.validate import Params, validate

BOUNDS = {
    "min_words": 5,
    "max_words": 40,
    "min_cases_per_diagnosis": 4,
    "min_groups_per_diagnosis": 3,
    "min_evenness": 0.8,
    "min_function_words": 0.05,
    "english": 0.95,
    "legible": 0.99,
    "distinct_texts": 0.95,
    "undisclosed": 0.99,
    "max_redacted": 0.5,
    "max_label_drift": 0.05,
    "max_length_drift": 0.05,
}
SIGNS = {"Fabry disease": "burning pain in both hands", "Marfan syndrome": "tall, with a dilated aorta"}
DIAGNOSES = ["Fabry disease", "Marfan syndrome", "Kidney failure"]
ONTOLOGY = {
    "hp.obo": 'name: Failure to thrive\ndef: "kidney disease, syndrome"\n',
    "phenotype.hpoa": "ORPHA:324\tAngiokeratoma corporis diffusum\t\n",
}


def telling_records(split: str, each: int) -> pd.DataFrame:
    """Return so many records of each of two diagnoses, whose texts tell them apart, each with one of three findings."""
    return pd.DataFrame(
        [
            {
                "record_id": f"{split}-{diagnosis}-{index}",
                "patient_id": f"{split}-{diagnosis}-{index}",
                "groups": [],
                "text": f"Case {index}: {sign}.",
                "diagnosis": diagnosis,
                "source": "files",
                "phenotypes": [f"HP:{1 + index % 3}"],
            }
            for diagnosis, sign in SIGNS.items()
            for index in range(each)
        ]
    )


def good_records(count: int = 60) -> pd.DataFrame:
    """Return records of three diagnoses in turn, each of another patient."""
    return pd.DataFrame(
        {
            "record_id": [f"r{number}" for number in range(count)],
            "patient_id": [f"p{number}" for number in range(count)],
            "groups": [[] for _ in range(count)],
            "text": [f"[PERSON_1] has had finding {number} since the [DATE_TIME_12] of May" for number in range(count)],
            "diagnosis": [DIAGNOSES[number % 3] for number in range(count)],
            "diagnosis_code": None,
            "age": 40.0,
            "sex": "female",
            "date": "2020",
            "source": "files",
            "phenotypes": [["HP:0000001", "HP:0000002"] for _ in range(count)],
            "excluded_phenotypes": [["HP:0000003"] for _ in range(count)],
            "split": None,
        }
    )


def run_validate(folder: Path, **bounds: Any) -> dict[str, Any]:
    """Run `validate` on scrubbed.parquet, and accepted.json if it is there, in a folder; return its summary."""
    for name, content in ONTOLOGY.items():
        (folder / name).write_text(content)
    if not (folder / "accepted.json").exists():
        (folder / "accepted.json").write_text("{}")
    validate(
        Params.model_validate({"scrub": {"policy": "redact"}, "validate": BOUNDS | bounds}),
        scrubbed=In(folder / "scrubbed.parquet"),
        ontology=In(folder),
        accepted=In(folder / "accepted.json"),
        data_docs=Out(folder / "data_docs"),
        data_quality=Out(folder / "data_quality.json"),
    )
    return summary(folder)


def check(folder: Path, records: pd.DataFrame, **bounds: Any) -> dict[str, Any]:
    """Run `validate` on records and return its summary."""
    write_records(records, folder / "scrubbed.parquet")
    return run_validate(folder, **bounds)


def summary(folder: Path) -> dict[str, Any]:
    """Return the summary by expectation, which a failed run writes too."""
    found: dict[str, Any] = json.loads((folder / "data_quality.json").read_text())
    return found
