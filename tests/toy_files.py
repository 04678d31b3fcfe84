"""Small files of cases, as a user might put them into data/incoming."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from stages.sources.cases import Inputs, Rejected
from stages.sources.cells import fit
from stages.sources.files import FileParams, read

SECRET = "MRN-4711-Müller"
HEADER = "id,patient,note,dx\n"
ROWS = "1,a,cough and fever,Flu\n2,a,rash,Measles\n"
COLUMNS = {"text": "note", "diagnosis": "dx", "record_id": "id", "patient_id": "patient"}


class Found(NamedTuple):
    records: pd.DataFrame
    rejected: list[Rejected]


def read_files(incoming: Path, *params: dict[str, Any]) -> Found:
    """Return what `acquire` gets from the files, before it makes pseudonyms."""
    items = [FileParams.model_validate({"columns": COLUMNS} | changes) for changes in params]
    inputs = Inputs(incoming=incoming, fetched=incoming, ontology=incoming, seed=0)
    found = [item if isinstance(item, Rejected) else fit(item) for item in read(items, inputs)]
    records = pd.DataFrame([item for item in found if not isinstance(item, Rejected)])
    return Found(records, [item for item in found if isinstance(item, Rejected)])


def read_one(incoming: Path, content: bytes | str, *, name: str = "cases.csv", **changes: Any) -> Found:
    (incoming / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return read_files(incoming, {"file": name} | changes)


def as_parquet(path: Path, rows: list[dict[str, Any]]) -> bytes:
    pd.DataFrame(rows).to_parquet(path / "made.parquet")
    content = (path / "made.parquet").read_bytes()
    (path / "made.parquet").unlink()
    return content


def objects() -> list[dict[str, Any]]:
    return [
        {"id": 1, "patient": "a", "note": "cough and fever", "dx": "Flu"},
        {"id": 2, "patient": "a", "note": "rash", "dx": "Measles"},
    ]
