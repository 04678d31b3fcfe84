"""Statistics of the data that a person accepted last, which the next data are compared with: data/accepted.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, Field, NonNegativeInt, PositiveInt, ValidationError

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


def read_accepted(path: Path) -> Accepted:
    """Read the statistics; raise StageError where the file is none."""
    try:
        return Accepted.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValidationError):
        raise StageError(
            f"{path}: holds no accepted statistics; write {{}} into it to begin anew, then `python -m tools.accept`"
        ) from None


def write_accepted(accepted: Accepted, path: Path) -> None:
    """Write the statistics, a diagnosis to a line, for git to show what changed."""
    path.write_text(json.dumps(accepted.model_dump(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def measure(scrubbed: Path) -> Accepted:
    """Return the statistics of scrubbed records, by diagnosis in alphabetical order."""
    import numpy as np
    import pandas as pd
    import pyarrow.parquet as pq

    from stages.lib.observations import LENGTHS, ROWS, length_of

    diagnoses, lengths = pd.Series(dtype="int64"), np.zeros(len(LENGTHS) + 1, dtype="int64")
    for batch in pq.ParquetFile(scrubbed).iter_batches(batch_size=ROWS, columns=["text", "diagnosis"]):
        table = batch.to_pandas()
        names = table["diagnosis"].dropna().str.strip()
        diagnoses = diagnoses.add(names[names.ne("")].value_counts(), fill_value=0)
        words = np.array([len(text.split()) for text in table["text"].fillna("")])
        lengths += np.bincount(length_of(words), minlength=len(lengths))
    counts = {str(name): int(count) for name, count in diagnoses.sort_index().items()}
    return Accepted(diagnoses=counts, lengths=lengths.tolist())
