"""Count what `acquire` reads, and write the rows it rejects, in memory that does not grow with the rows."""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from stages.lib.stage import StageError
from stages.sources.cases import Case, Rejected
from stages.sources.incoming import shown

if TYPE_CHECKING:
    import pyarrow.parquet as pq

MOST_DIAGNOSES = 100_000  # ICD-10-CM has about 74,000 codes
ROWS_PER_GROUP = 2**16


@dataclass
class Tally:
    """Counts of cases under pseudonyms; `names` are of diagnoses by code, `phi` says if any case has gold spans."""

    records: int = 0
    diagnoses: Counter[str] = field(default_factory=Counter)
    sources: Counter[str] = field(default_factory=Counter)
    voices: Counter[str] = field(default_factory=Counter)
    names: dict[str, str] = field(default_factory=dict)
    publications: dict[str, None] = field(default_factory=dict)
    phi: bool = False
    _groups: array[int] = field(default_factory=lambda: array("Q"))
    _distinct: int = 0

    def add(self, case: Case) -> None:
        """Count a case; raise StageError where diagnoses are as many as if they were no diagnoses."""
        self.records += 1
        self.diagnoses[case["diagnosis"]] += 1
        self.sources[case["source"]] += 1
        if voice := case.get("voice"):
            self.voices[voice] += 1
        if code := case.get("diagnosis_code"):
            self.names.setdefault(code, case["diagnosis"])
        self.phi |= "phi" in case
        for group in case["groups"]:
            if group.startswith("PMID:"):
                self.publications[group] = None
            else:
                self._groups.append(int(group[-16:], 16))
        if max(len(self.diagnoses), len(self.names)) > MOST_DIAGNOSES:
            raise StageError(
                f"{case['source']}: has more than {MOST_DIAGNOSES:,} diagnoses or codes of them; "
                "map `diagnosis` and `diagnosis_code` to what repeats from patient to patient"
            )
        if len(self._groups) > 2 * self._distinct + ROWS_PER_GROUP:
            self.groups()

    def groups(self) -> int:
        """Return the number of groups, publications included; forget which of them occurred twice."""
        import numpy as np

        distinct = np.unique(np.frombuffer(self._groups, dtype=np.uint64))
        self._groups, self._distinct = array("Q", distinct.tobytes()), len(distinct)
        return len(distinct) + len(self.publications)


@dataclass
class Rejections:
    """The table of rejected rows: source, file, row and reason."""

    writer: pq.ParquetWriter
    reasons: Counter[str] = field(default_factory=Counter)
    _first: dict[str, Rejected] = field(default_factory=dict)
    _rows: list[dict[str, str]] = field(default_factory=list)

    def add(self, row: Rejected, *, source: str) -> None:
        """Take a rejected row."""
        self.reasons[row.reason] += 1
        self._first.setdefault(row.reason, row)
        self._rows.append({"source": source} | row._asdict())
        if len(self._rows) == ROWS_PER_GROUP:
            self.write()

    def write(self) -> None:
        """Write the rows held."""
        import pyarrow as pa

        self.writer.write_table(pa.Table.from_pylist(self._rows, schema=self.writer.schema))
        self._rows = []

    def told(self) -> str:
        """Return each reason with its count and first row."""
        return "; ".join(
            f"{reason}: {self.reasons[reason]:,} (first: row {shown(row.row)} of {shown(row.file)})"
            for reason, row in sorted(self._first.items())
        )


def summary(tally: Tally, reasons: Counter[str], *, patients: int) -> dict[str, Any]:
    """Return counts for a metric diff."""
    return {
        "records": tally.records,
        "patients": patients,
        "groups": tally.groups(),
        "diagnoses": len(tally.diagnoses),
        "min_cases_per_diagnosis": min(tally.diagnoses.values()),
        "max_cases_per_diagnosis": max(tally.diagnoses.values()),
        "records_by_source": dict(sorted(tally.sources.items())),
        "records_by_voice": dict(sorted(tally.voices.items())),
        "rejected": reasons.total(),
        "rejected_by_reason": dict(sorted(reasons.items())),
    }
