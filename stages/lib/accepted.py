"""Statistics of the data that a person accepted last, by their sources: data/accepted.json, for the next data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, Field, NonNegativeInt, PositiveInt, TypeAdapter, ValidationError

from stages.lib.stage import StageError, Strict


class Accepted(Strict):
    """Counts of the accepted records; without any, nothing has been accepted yet."""

    model_config = ConfigDict(hide_input_in_errors=True)

    diagnoses: dict[str, PositiveInt] = Field(default_factory=dict)
    """Records by diagnosis."""
    lengths: list[NonNegativeInt] = Field(default_factory=list)
    """Records by class of text length (stages/lib/observations.py)."""

    def parameters(self) -> dict[str, Any]:
        """Return what the expectations on drift are given."""
        counts = list(self.diagnoses.values())
        return {
            "accepted_diagnoses": len(counts),
            "reference_diagnoses": counts,
            "reference_lengths": self.lengths,
        }


def read_accepted(path: Path) -> dict[str, Accepted]:
    """Return the statistics by the sources of the data; raise StageError where the file holds none."""
    try:
        return TypeAdapter(dict[str, Accepted]).validate_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValidationError):
        raise StageError(
            f"{path}: holds no accepted statistics; write {{}} into it to begin anew, then `python -m tools.accept`"
        ) from None


def write_accepted(accepted: Mapping[str, Accepted], path: Path) -> None:
    """Write the statistics by source, a diagnosis to a line, for git to show what changed."""
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


def measure(scrubbed: Path) -> Accepted:
    """Return the statistics of scrubbed records, by diagnosis in alphabetical order."""
    import numpy as np
    import pandas as pd
    import pyarrow.parquet as pq

    from stages.lib.labels import tokens
    from stages.lib.observations import LENGTHS, ROWS, length_of

    diagnoses, lengths = pd.Series(dtype="int64"), np.zeros(len(LENGTHS) + 1, dtype="int64")
    for batch in pq.ParquetFile(scrubbed).iter_batches(batch_size=ROWS, columns=["text", "diagnosis"]):
        table = batch.to_pandas()
        names = table["diagnosis"].dropna().str.strip()
        diagnoses = diagnoses.add(names[names.ne("")].value_counts(), fill_value=0)
        words = np.array([len(tokens(text)) for text in table["text"].fillna("")])
        lengths += np.bincount(length_of(words), minlength=len(lengths))
    counts = {str(name): int(count) for name, count in diagnoses.sort_index().items()}
    return Accepted(diagnoses=counts, lengths=lengths.tolist())
