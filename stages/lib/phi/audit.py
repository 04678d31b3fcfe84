"""The audit of a scrub: a row per replaced span, with its offsets in the text as it came in and never its value."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from stages.lib.phi.spans import Span

ROWS_PER_GROUP = 2**16
Note = Callable[[str, Sequence[Span]], None]


@contextlib.contextmanager
def audit(path: Path, *, policy: str, version: str) -> Iterator[Note]:
    """Yield a function that takes the id of a record and its replaced spans, and write them all to a Parquet file.

    Columns: record_id; entity; start and end, half-open, in characters; recognizer; score, 0 to 1, null where the
    recognizer has none (NER, unknown capitals, repeated names); policy; version of the code and tables of this folder.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    string, offset = pa.string(), pa.int32()
    columns = pa.schema(
        [
            ("record_id", string),
            ("entity", string),
            ("start", offset),
            ("end", offset),
            ("recognizer", string),
            ("score", pa.float32()),
            ("policy", string),
            ("version", string),
        ]
    )
    rows: list[dict[str, object]] = []
    with pq.ParquetWriter(path, columns) as writer:

        def flush() -> None:
            writer.write_table(pa.Table.from_pylist(rows, schema=columns))
            rows.clear()

        def note(record_id: str, spans: Sequence[Span]) -> None:
            about: dict[str, object] = {"record_id": record_id, "policy": policy, "version": version}
            rows.extend(about | span._asdict() for span in spans)
            if len(rows) >= ROWS_PER_GROUP:
                flush()

        yield note
        flush()
