"""Read adjudicated cases that a service or a clinician appends to a JSON Lines file, one adjudication per line."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Annotated

from pydantic import AfterValidator

from stages.lib.stage import StageError, Strict, log, progress
from stages.sources.adjudication import LONGEST, Adjudication, read_adjudication, read_record_id
from stages.sources.cases import Case, Inputs, Rejected
from stages.sources.incoming import RelativeFile, find


def _json_lines(name: str) -> str:
    if not name.endswith(".jsonl"):
        raise ValueError("its suffix must be .jsonl")
    return name


class FeedbackParams(Strict):
    """Adjudicated cases."""

    file: Annotated[RelativeFile, AfterValidator(_json_lines)]
    """JSON Lines file in data/incoming; stages/sources/adjudication.py says what a line holds."""


@dataclass
class Verdicts:
    """What has been said of each record, by a hash of its id: the time, line and status that count, and bars."""

    latest: dict[bytes, tuple[str, int, str]] = field(default_factory=dict)
    barred: dict[bytes, str] = field(default_factory=dict)
    superseded: int = 0

    def add(self, line: int, adjudication: Adjudication) -> None:
        """Take an adjudication; lines come in order."""
        key, time = _hash(adjudication.record_id), adjudication.adjudicated_at
        if adjudication.status == "withdrawn":
            self.barred[key] = "withdrawn"
        self.superseded += key in self.latest
        if key not in self.latest or time >= self.latest[key][0]:
            self.latest[key] = (time, line, adjudication.status)

    def bar(self, record_id: str) -> None:
        """Take out a record of which a line can't be read: that line may withdraw or correct it."""
        self.barred.setdefault(_hash(record_id), "withheld for an unreadable line")

    def lines(self) -> dict[int, None]:
        """Return the lines that make cases."""
        certain = {key: item for key, item in self.latest.items() if key not in self.barred}
        return {line: None for _, line, status in certain.values() if status != "inconclusive"}

    def told(self) -> str:
        """Return counts."""
        bars = Counter(self.barred.values())
        bars["inconclusive"] = len(self.latest.keys() - self.barred.keys()) - len(self.lines())
        parts = [f"{len(self.lines()):,} cases", f"{self.superseded:,} adjudications superseded"]
        return ", ".join([*parts, *(f"records {reason}: {count:,}" for reason, count in sorted(bars.items()) if count)])


def read(params: FeedbackParams | None, inputs: Inputs) -> Iterator[Case | Rejected]:
    """Yield a case for each record of which a diagnosis is certain; lines that can't be read are rejected.

    The file is read twice, and nothing but a hash and a time per record is held. Raises StageError where it is missing
    or holds no line.
    """
    if params is None:
        raise StageError("params.yaml: acquire.feedback: null: name its file, or take it out of acquire.sources")
    path = find(inputs.incoming, params.file, key="acquire.feedback.file")
    if not path.is_file():
        raise StageError(f"params.yaml: acquire.feedback.file: {path} is not a file; name a JSON Lines file")
    verdicts, empty = Verdicts(), True
    with path.open("rb") as file:
        for number, line in progress(_lines(file), description=f"reading {params.file}"):
            adjudication, empty = read_adjudication(line), False
            if isinstance(adjudication, Adjudication):
                verdicts.add(number, adjudication)
            else:
                yield Rejected(params.file, str(number), adjudication)
                if record_id := read_record_id(line):
                    verdicts.bar(record_id)
        if empty:
            raise StageError(f"{path}: is empty")
        log.info("%s: %s", params.file, verdicts.told())
        chosen = verdicts.lines()
        file.seek(0)
        for number, line in _lines(file):
            if number in chosen and isinstance(adjudication := read_adjudication(line), Adjudication):
                yield _case(adjudication) | {"file": params.file, "row": str(number)}


def _lines(file: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield each line that is not blank, and its number; one longer than LONGEST is cut and never held whole."""
    number = 0
    while line := file.readline(LONGEST + 1):
        number += 1
        rest = line
        while len(rest) == LONGEST + 1 and not rest.endswith(b"\n"):
            rest = file.readline(LONGEST + 1)
        if line.strip():
            yield number, line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line


def _case(adjudication: Adjudication) -> Case:
    record = f"id {adjudication.record_id}"
    return {
        "record_id": record,
        "patient_id": f"id {adjudication.patient_id}" if adjudication.patient_id else f"record {record}",
        "groups": [],
        "text": adjudication.text,
        "diagnosis": adjudication.diagnosis,
        "diagnosis_code": adjudication.diagnosis_code,
        "age": adjudication.age,
        "sex": None if adjudication.sex == "unknown" else adjudication.sex,
        "date": adjudication.date,
    }


def _hash(record_id: str) -> bytes:
    return hashlib.blake2b(record_id.encode(), digest_size=16).digest()
