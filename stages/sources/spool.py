"""Hold cases on disk, in parts by patient, and give them back sorted: memory stays flat however many they are."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from stages.lib.records import schema
from stages.lib.stage import StageError
from stages.sources.cases import Case

if TYPE_CHECKING:
    import pyarrow as pa

CHUNK = 16 * 2**20  # bytes of cases held in memory before they go to disk
ROW = 256  # bytes of a case besides its text, about
LARGEST_PART = 256 * 2**20  # bytes of a part, which is sorted in memory
DIGITS = 14  # of a pseudonym's 16: patients that share the first two are one part


@dataclass
class Spool:
    """Cases under pseudonyms, on their way from the order of reading to that of patients."""

    path: Path
    record_ids: array[int] = field(default_factory=lambda: array("Q"))
    _cases: list[Case] = field(default_factory=list)
    _held: int = 0
    _writer: pa.RecordBatchFileWriter | None = None
    _batches: dict[str, list[int]] = field(default_factory=dict)
    _sizes: Counter[str] = field(default_factory=Counter)

    def add(self, case: Case) -> None:
        """Take a case; raise StageError where too much of the data is of few patients to be sorted in memory."""
        self._cases.append(case)
        self.record_ids.append(int(case["record_id"][-16:], 16))
        self._held += len(case["text"]) + ROW
        if self._held > CHUNK:
            self._spill()

    def tables(self) -> Iterator[pa.Table]:
        """Yield all cases sorted by patient and record, whole patients in each table; call it when all are added."""
        import pyarrow as pa

        if self._writer:
            self._spill()
            self._writer.close()
            with pa.OSFile(str(self.path)) as file:
                reader = pa.ipc.open_file(file)
                for part in sorted(self._batches):
                    yield _sorted([reader.get_batch(position) for position in self._batches[part]])
        else:
            yield _sorted([pa.RecordBatch.from_pylist(self._cases, _columns())])

    def duplicates(self) -> tuple[int, list[tuple[str, str, str]]]:
        """Return how many record ids occur twice, and the source, file and row of each case of the first of them."""
        import numpy as np
        import pyarrow.compute as pc

        ids = np.sort(np.frombuffer(self.record_ids, dtype=np.uint64))
        if not (ids[1:] == ids[:-1]).any():
            return 0, []
        ids = np.frombuffer(self.record_ids, dtype=np.uint64)  # in the order of reading
        values, first, counts = np.unique(ids, return_index=True, return_counts=True)
        earliest = f"{values[counts > 1][first[counts > 1].argmin()]:016x}"
        places: list[tuple[str, str, str]] = []
        for table in self.tables():
            same = table.filter(pc.ends_with(table["record_id"], pattern=earliest))
            places += zip(*(same[name].to_pylist() for name in ("source", "file", "row")), strict=True)
        return int((counts > 1).sum()), sorted(places, key=lambda place: (place[1], len(place[2]), place[2]))

    def _spill(self) -> None:
        """Append the cases held to the Arrow file, as one batch for each part."""
        import pyarrow as pa

        if self._writer is None:
            self._writer = pa.ipc.new_file(self.path, _columns())
        self._cases.sort(key=_part)
        together = pa.RecordBatch.from_pylist(self._cases, _columns())
        start = 0
        for part, cases in groupby(self._cases, key=_part):
            batch = together.slice(start, sum(1 for _ in cases))
            start += len(batch)
            self._batches.setdefault(part, []).append(self._writer.stats.num_record_batches)
            self._writer.write_batch(batch)
            self._sizes[part] += batch.nbytes
        self._cases, self._held = [], 0
        if large := [part for part, size in self._sizes.items() if size > LARGEST_PART]:
            raise StageError(
                f"{large[0].rpartition('-')[0]}: records of a few patients take more than {LARGEST_PART:,} bytes; "
                "map patient_id to what is one patient's own, or to nothing"
            )


@contextmanager
def spool(beside: Path) -> Iterator[Spool]:
    """Yield a spool in a file beside an output, and remove the file in the end.

    Patients' texts stay in the workspace; the runner clears partial outputs of killed runs, whatever their number.
    """
    path = beside.with_name(f".partial-0-{beside.name.rpartition('-')[2]}")
    try:
        yield Spool(path)
    finally:
        path.unlink(missing_ok=True)


def _part(case: Case) -> str:
    patient: str = case["patient_id"]
    return patient[:-DIGITS]


def _sorted(batches: list[pa.RecordBatch]) -> pa.Table:
    import pyarrow as pa

    return pa.Table.from_batches(batches).sort_by([("patient_id", "ascending"), ("record_id", "ascending")])


def _columns() -> pa.Schema:
    """Return a record's columns, and where it came from."""
    import pyarrow as pa

    return pa.schema([*schema(), ("file", pa.string()), ("row", pa.string())])
