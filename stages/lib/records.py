"""The one schema of a case, from acquisition to the test split."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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

    columns = schema() if "phi" in records else schema().remove(schema().get_field_index("phi"))
    table = records.sort_values(["patient_id", "record_id"]).reindex(columns=columns.names)
    pq.write_table(pa.Table.from_pandas(table, schema=columns, preserve_index=False).replace_schema_metadata(), path)


def read_records(path: Path) -> pd.DataFrame:
    """Read records; lists come as numpy arrays, absent values as None or NaN."""
    import pandas as pd

    return pd.read_parquet(path)
