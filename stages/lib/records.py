"""The one schema of a case, from acquisition to the test split."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyarrow as pa


def schema() -> pa.Schema:
    """Return the columns of a record.

    record_id and patient_id are keyed pseudonyms; `groups` names what must not cross splits (publication, family);
    age is in years; date is ISO 8601; phenotypes are HPO ids; phi holds gold spans of `text` in characters, half-open,
    and never goes past `scrub`.
    """
    import pyarrow as pa

    string, strings = pa.string(), pa.list_(pa.string())
    span = pa.struct([("start", pa.int32()), ("end", pa.int32()), ("entity", string)])
    return pa.schema(
        [
            ("record_id", string),
            ("patient_id", string),
            ("groups", strings),
            ("text", string),
            ("diagnosis", string),
            ("diagnosis_code", string),
            ("age", pa.float64()),
            ("sex", string),
            ("date", string),
            ("source", string),
            ("voice", string),
            ("phenotypes", strings),
            ("phi", pa.list_(span)),
        ]
    )


def write_records(records: pd.DataFrame, path: Path) -> None:
    """Write records by the schema, sorted by patient; columns that `records` lacks are null, but `phi` is left out."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = [field for field in schema() if field.name != "phi" or "phi" in records]
    ordered = records.sort_values(["patient_id", "record_id"])
    arrays = [
        pa.array(ordered[field.name], type=field.type, from_pandas=True)
        if field.name in ordered
        else pa.nulls(len(ordered), field.type)
        for field in columns
    ]
    pq.write_table(pa.Table.from_arrays(arrays, schema=pa.schema(columns)), path)


def read_records(path: Path) -> pd.DataFrame:
    """Read records; lists come as numpy arrays, absent values as None or NaN."""
    import pandas as pd

    return pd.read_parquet(path)


def independent_groups(records: pd.DataFrame) -> np.ndarray:
    """Return one number per record; records that share a patient or a group, directly or by others, share it."""
    import pandas as pd
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    records = records.reset_index(drop=True)
    owners = pd.concat(["patient " + records["patient_id"], "group " + records["groups"].explode().dropna()])
    names, _ = pd.factorize(owners)
    nodes = len(records) + names.max() + 1
    edges = coo_matrix(([True] * len(owners), (owners.index, names + len(records))), shape=(nodes, nodes))
    numbers: np.ndarray = connected_components(edges, directed=False)[1][: len(records)]
    return numbers
