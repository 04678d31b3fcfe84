"""Read a user's own files from data/incoming: CSV, TSV, JSON Lines, JSON or Parquet, by a mapping of columns."""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator

from stages.lib.stage import Strict, progress
from stages.sources.cases import Case, Inputs, Rejected
from stages.sources.cells import UnreadableError, as_age, as_date, as_sex, as_spans, as_split, as_text
from stages.sources.incoming import RelativeFile, find
from stages.sources.tables import FORMATS, format_of, read_rows


def _known_format(name: str) -> str:
    if format_of(name) not in FORMATS:
        raise ValueError(f"its suffix must be one of {', '.join(FORMATS)}; a text file may end with .gz, too")
    return name


def _known_encoding(name: str) -> str:
    try:
        codecs.getincrementaldecoder(name)
        " ".encode(name)
        return name
    except (LookupError, UnicodeError):
        raise ValueError("no such encoding; choose one that Python knows, such as utf-8, cp1252, utf-16") from None


Split = Literal["train", "validation", "calibration", "test"]


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
    split: str | None = None
    """Split that the publisher chose: train (training), validation (valid, val, dev), calibration or test."""
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
    split: Split | None = None
    """Split of the rows without one of their own, where each split is published as a file."""
    licence: str | None = None
    """Licence or terms under which the file may be used, for the datasheet."""


def read(params: list[FileParams], inputs: Inputs) -> Iterator[Case | Rejected]:
    """Yield the cases of all files; record ids are unique, and patient ids shared, across them.

    Rows without a text, a diagnosis or a mapped id are rejected, and so are those with unreadable values. Raises
    StageError where a file is missing, empty, broken or lacks a mapped column.
    """
    keys = [f"acquire.files[{position}]" for position in range(len(params))]
    paths = [find(inputs.incoming, item.file, key=f"{key}.file") for key, item in zip(keys, params, strict=True)]
    for key, path, item in zip(keys, paths, params, strict=True):
        yield from read_table(path, item, key=key)


def read_table(path: Path, item: FileParams, *, key: str) -> Iterator[Case | Rejected]:
    """Yield the cases of one table; `key` is its place in params.yaml."""
    columns = item.columns.names()
    rows = read_rows(path, columns=columns, encoding=item.encoding, key=key)
    for row, values in progress(rows, description=f"reading {item.file}"):
        try:
            if isinstance(values, str):
                raise UnreadableError(values)
            case = _case(values, columns=columns, file=item.file, row=row)
            yield case | {"split": case["split"] or item.split}
        except UnreadableError as error:
            yield Rejected(item.file, row, str(error))


def _case(values: Mapping[str, Any], *, columns: Mapping[str, str], file: str, row: str) -> Case:
    """Return a record with local ids; raise UnreadableError where the row can't be used."""
    text = values["text"]
    cells = {part: as_text(value) for part, value in values.items() if part not in {"text", "phi"}}
    if text is None or text != text or (isinstance(text, str) and not text.strip()):  # a NaN is not itself
        raise UnreadableError("no text")
    if not isinstance(text, str):
        raise UnreadableError("text is not a string")
    if absent := [part for part in ("diagnosis", "record_id", "patient_id") if cells.get(part) == ""]:
        raise UnreadableError(f"no {absent[0]}")
    record = f"id {cells['record_id']}" if "record_id" in cells else f"row {row} of {file}"
    case = {
        "record_id": record,
        "patient_id": f"id {cells['patient_id']}" if "patient_id" in cells else f"record {record}",
        "groups": [f"{columns[part]}={value}" for part, value in cells.items() if part.startswith("group[") and value],
        "text": text,
        "diagnosis": cells["diagnosis"],
        "diagnosis_code": cells.get("diagnosis_code") or None,
        "age": as_age(cells.get("age", "")),
        "sex": as_sex(cells.get("sex", "")),
        "date": as_date(cells.get("date", "")),
        "split": as_split(cells.get("split", "")),
        "file": file,
        "row": row,
    }
    return case | ({"phi": as_spans(values["phi"], length=len(text))} if "phi" in values else {})
