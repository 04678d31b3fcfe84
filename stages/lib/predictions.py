"""The one table of predictions: a row per model and record, a probability per diagnosis."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import pandas as pd

KEYS = ["model", "split", "record_id", "gold"]


def predictions(
    records: pd.DataFrame, probabilities: np.ndarray, *, model: str, split: str, diagnoses: Sequence[str]
) -> pd.DataFrame:
    """Return the table for `probabilities` of shape (records, diagnoses)."""
    import pandas as pd

    keys = pd.DataFrame(
        {"model": model, "split": split, "record_id": records["record_id"], "gold": records["diagnosis"]}
    )
    table = pd.DataFrame(probabilities.astype("float64"), columns=list(diagnoses), index=records.index)
    return pd.concat([keys, table], axis=1)


def read_predictions(*paths: Path) -> pd.DataFrame:
    """Read and stack tables of predictions."""
    import pandas as pd

    return pd.concat([pd.read_parquet(path) for path in paths], ignore_index=True)
