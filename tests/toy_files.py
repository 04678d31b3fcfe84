"""Small files of cases, as a user might put them into data/incoming."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from stages.sources.batch import Batch
from stages.sources.files import FileParams, read

SECRET = "MRN-4711-Müller"
HEADER = "id,patient,note,dx\n"
ROWS = "1,a,cough and fever,Flu\n2,a,rash,Measles\n"
COLUMNS = {"text": "note", "diagnosis": "dx", "record_id": "id", "patient_id": "patient"}


def read_one(incoming: Path, content: bytes | str, *, name: str = "cases.csv", **changes: Any) -> Batch:
    (incoming / name).write_bytes(content.encode() if isinstance(content, str) else content)
    params = FileParams.model_validate({"file": name, "columns": COLUMNS} | changes)
    return read([params], incoming=incoming, ontology=incoming, seed=0)


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
