"""What a person accepted last, by the data's sources: data/accepted.json, statistics and loans for the next data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, Field, NonNegativeInt, PositiveInt, TypeAdapter, ValidationError

from stages.lib.stage import StageError, Strict

Loans = dict[str, dict[str, str]]


class Accepted(Strict):
    """Counts of the accepted records and what their split lent; without any, nothing has been accepted yet."""

    model_config = ConfigDict(hide_input_in_errors=True)

    diagnoses: dict[str, PositiveInt] = Field(default_factory=dict)
    """Records by diagnosis."""
    lengths: list[NonNegativeInt] = Field(default_factory=list)
    """Records by class of text length (stages/lib/observations.py)."""
    loans: Loans = Field(default_factory=dict)
    """By the seed and the share of the tests, or the folds: the part that a group is lent to, by the group's hash."""

    def parameters(self) -> dict[str, Any]:
        """Return what the expectations on drift are given."""
        counts = list(self.diagnoses.values())
        return {
            "accepted_diagnoses": len(counts),
            "reference_diagnoses": counts,
            "reference_lengths": self.lengths,
        }


def read_accepted(path: Path) -> dict[str, Accepted]:
    """Return what was accepted by the sources of the data; raise StageError where the file holds no such thing."""
    try:
        return TypeAdapter(dict[str, Accepted]).validate_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValidationError):
        raise StageError(
            f"{path}: holds no accepted statistics; write {{}} into it to begin anew, then `python -m tools.accept`"
        ) from None


def accepted_for(scrubbed: Path, path: Path) -> Accepted:
    """Return what was accepted by the sources of the records, empty where nothing was."""
    return read_accepted(path).get(sources_of(scrubbed), Accepted())


def write_accepted(accepted: Mapping[str, Accepted], path: Path) -> None:
    """Write what is accepted by sources, a diagnosis or group to a line, for git to show what changed."""
    document = {sources: accepted[sources].model_dump() for sources in sorted(accepted)}
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def sources_of(scrubbed: Path) -> str:
    """Return the names of the records' sources, in alphabetical order: hpo+phenopackets; "" without the column."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    file = pq.ParquetFile(scrubbed)
    if pa.field("source", pa.string()) not in list(file.schema_arrow):
        return ""
    batches = file.iter_batches(columns=["source"])
    found = {name for batch in batches for name in pc.unique(batch.column(0)).drop_null().to_pylist()}
    return "+".join(sorted(found))
