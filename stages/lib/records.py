"""The one schema of a case, from acquisition to the test split."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyarrow as pa

# A row group ends with the first patient at which it has so many rows, or bytes of text.
ROWS_PER_GROUP = 2**14
TEXT_PER_GROUP = 2**24


def schema(*, phi: bool = True) -> pa.Schema:
    """Return the columns of a record.

    record_id and patient_id are keyed pseudonyms; `groups` names what must not cross splits (publication, family);
    age is in years; date is ISO 8601; phenotypes are HPO ids, observed, or looked for and excluded; `split` is the one
    that the publisher of the data chose, null where none did; phi holds gold spans of `text` in characters, half-open,
    and never goes past `scrub`.
    """
    import pyarrow as pa

    string, strings = pa.string(), pa.list_(pa.string())
    span = pa.struct([("start", pa.int32()), ("end", pa.int32()), ("entity", string)])
    columns = [
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
        ("excluded_phenotypes", strings),
        ("split", string),
    ]
    return pa.schema([*columns, ("phi", pa.list_(span))] if phi else columns)


def write_records(records: pd.DataFrame, path: Path) -> None:
    """Write records by the schema, sorted by patient; columns that `records` lacks are null, but `phi` is left out."""
    import pyarrow as pa

    columns = schema(phi="phi" in records)
    ordered = records.sort_values(["patient_id", "record_id"])
    arrays = [
        pa.array(ordered[field.name], type=field.type, from_pandas=True)
        if field.name in ordered
        else pa.nulls(len(ordered), field.type)
        for field in columns
    ]
    write_patients([pa.Table.from_arrays(arrays, schema=columns)], path, columns=columns)


def write_patients(tables: Iterable[pa.Table], path: Path, *, columns: pa.Schema) -> int:
    """Write tables of whole patients, in order, and return the number of patients; no row group cuts one.

    The bytes do not depend on how the rows are spread over the tables.
    """
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    patients = 0
    with pq.ParquetWriter(path, columns) as writer:
        for group in _row_groups(tables):
            writer.write_table(group.select(columns.names), row_group_size=max(1, len(group)))
            patients += pc.count_distinct(group["patient_id"]).as_py()
    return patients


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
    names, owned = pd.factorize(owners)
    nodes = len(records) + len(owned)
    edges = coo_matrix(([True] * len(owners), (owners.index, names + len(records))), shape=(nodes, nodes))
    numbers: np.ndarray = connected_components(edges, directed=False)[1][: len(records)]
    return numbers


def _row_groups(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Yield the rows as full row groups, and what is left as the last."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    held: list[pa.Table] = []
    rows = text = 0  # of the tables held
    for table in tables:
        patients = pc.run_end_encode(table["patient_id"].combine_chunks())
        ends = patients.run_ends.to_numpy()
        texts = np.cumsum(pc.fill_null(pc.binary_length(table["text"]), 0), dtype=np.int64)[ends - 1]
        start = 0
        for end, read in zip(ends.tolist(), texts.tolist(), strict=True):
            if rows + end >= ROWS_PER_GROUP or text + read >= TEXT_PER_GROUP:
                yield pa.concat_tables([*held, table.slice(start, end - start)]).combine_chunks()
                held, start, rows, text = [], end, -end, -read
        held.append(table.slice(start))
        rows, text = rows + len(table), text + (texts[-1] if len(texts) else 0)
    if rows:
        yield pa.concat_tables(held).combine_chunks()
