"""Read a user's own files from data/incoming: CSV, TSV, JSON, JSON Lines or Parquet, by a mapping of columns."""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator

from stages.lib.stage import StageError, Strict, progress
from stages.sources.batch import Batch, Rejected, rejected_table
from stages.sources.cells import UnreadableError, as_age, as_date, as_sex, as_spans, as_text
from stages.sources.incoming import RelativeFile, find
from stages.sources.tables import FORMATS, Row, read_rows, shown


def _known_format(name: str) -> str:
    if Path(name).suffix.lower() not in FORMATS:
        raise ValueError(f"its suffix must be one of {', '.join(FORMATS)}")
    return name


def _known_encoding(name: str) -> str:
    try:
        return codecs.lookup(name).name
    except LookupError:
        raise ValueError("no such encoding; choose one that Python knows, such as utf-8, cp1252, utf-16") from None


class Columns(Strict):
    """Which column of the file holds what."""

    text: str
    """The clinical text."""
    diagnosis: str
    """The diagnosis, spelt the same in every case."""
    record_id: str | None = None
    """Unique id of the record; without it, the row's number."""
    patient_id: str | None = None
    """The patient; without it, each record is a patient of its own."""
    group: str | list[str] | None = None
    """Whatever else must not cross splits: family, near-duplicate, site."""
    diagnosis_code: str | None = None
    """Code of the diagnosis, such as ORPHA:558."""
    age: str | None = None
    """Age in years."""
    sex: str | None = None
    """Sex: female, male, other or unknown; F and M, too."""
    date: str | None = None
    """Date of the text, ISO 8601."""
    phi: str | None = None
    """Gold spans of PHI, a list of {start, end, entity or type}; not in CSV and TSV."""

    def groups(self) -> list[str]:
        """Return the group columns."""
        return [self.group] if isinstance(self.group, str) else self.group or []

    def names(self) -> dict[str, str]:
        """Return the mapped columns by parameter."""
        single = {key: value for key, value in self.model_dump(exclude={"group"}).items() if value is not None}
        return single | {f"group[{position}]": name for position, name in enumerate(self.groups())}


class FileParams(Strict):
    """A file of cases."""

    file: Annotated[RelativeFile, AfterValidator(_known_format)]
    """Path inside data/incoming; its suffix says the format."""
    columns: Columns
    """Names of the columns."""
    encoding: Annotated[str, AfterValidator(_known_encoding)] = "utf-8"
    """Encoding of CSV, TSV and JSON; a byte order mark is dropped."""


def read(params: list[FileParams], *, incoming: Path, ontology: Path, seed: int) -> Batch:
    """Return the cases of all files; record ids are unique, and patient ids shared, across them.

    Rows without a text, a diagnosis or a mapped id are rejected, and so are those with unreadable values. Raises
    StageError where a file is missing, empty, broken or lacks a mapped column.
    """
    import pandas as pd

    cases: list[dict[str, Any]] = []
    rejected: list[Rejected] = []
    for position, item in enumerate(params):
        key = f"acquire.files[{position}]"
        path = find(incoming, item.file, key=f"{key}.file")
        rows = list(read_rows(path, encoding=item.encoding, key=key))
        _require_columns(rows, item.columns, path=path, key=key)
        for row, values in progress(rows, description=f"reading {item.file}"):
            try:
                if isinstance(values, str):
                    raise UnreadableError(values)
                cases.append(_case(values, file=item.file, row=row, columns=item.columns))
            except UnreadableError as error:
                rejected.append(Rejected(item.file, row, str(error)))
    return Batch(pd.DataFrame(cases), rejected_table(rejected))


def _require_columns(rows: list[Row], columns: Columns, *, path: Path, key: str) -> None:
    there = dict.fromkeys(name for _, values in rows if isinstance(values, dict) for name in values)
    missing = [f"{part}: '{name}'" for part, name in columns.names().items() if name not in there]
    if there and missing:
        raise StageError(
            f"params.yaml: {key}.columns: {path} has no column for {', '.join(missing)}; it has {shown(there)}"
        )


def _case(values: Mapping[str, Any], *, file: str, row: str, columns: Columns) -> dict[str, Any]:
    """Return a record with local ids; raise UnreadableError where the row can't be used."""
    cells = {part: as_text(values.get(name)) for part, name in columns.names().items() if part != "phi"}
    if absent := [part for part in ("text", "diagnosis", "record_id", "patient_id") if cells.get(part) == ""]:
        raise UnreadableError(f"no {absent[0]}")
    if not isinstance(text := values[columns.text], str):
        raise UnreadableError("text is not a string")
    record = f"id {cells['record_id']}" if columns.record_id else f"row {row} of {file}"
    case = {
        "record_id": record,
        "patient_id": f"id {cells['patient_id']}" if columns.patient_id else f"record {record}",
        "groups": [f"{name}={value}" for name in columns.groups() if (value := as_text(values.get(name)))],
        "text": text,
        "diagnosis": " ".join(cells["diagnosis"].split()),
        "diagnosis_code": cells.get("diagnosis_code") or None,
        "age": as_age(cells.get("age", "")),
        "sex": as_sex(cells.get("sex", "")),
        "date": as_date(cells.get("date", "")),
        "file": file,
        "row": row,
    }
    return case | ({"phi": as_spans(values.get(columns.phi), length=len(text))} if columns.phi else {})
