"""Read rows from CSV, TSV, JSON, JSON Lines and Parquet, and say precisely what is wrong with a file."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from stages.lib.stage import StageError

FORMATS = (".csv", ".tsv", ".jsonl", ".json", ".parquet")

Row = tuple[str, dict[str, Any] | str]


def read_rows(path: Path, *, encoding: str, key: str) -> Iterator[Row]:
    """Yield each row's number and its values by column, or the reason why it has none.

    Numbers count as a spreadsheet does (a header is row 1), in JSON Lines by line, else from 1. Raises StageError,
    naming `key` of params.yaml where that would help, for an empty, binary, truncated or wrongly encoded file.
    """
    if not path.is_file():
        raise StageError(f"params.yaml: {key}.file: {path} is a folder; name a file in it")
    if not path.stat().st_size:
        raise StageError(f"{path}: is empty")
    if path.suffix.lower() == ".parquet":
        yield from _parquet(path)
        return
    text = _decoded(path, encoding=encoding, key=key)
    if not text.strip():
        raise StageError(f"{path}: is empty")
    readers = {".csv": _delimited, ".tsv": _delimited, ".jsonl": _json_lines, ".json": _json}
    yield from readers[path.suffix.lower()](text, path)


def shown(names: Iterable[str]) -> str:
    """Return column names for a message; a long one is likely a record's text in a file without a header."""
    return ", ".join(name if len(name) <= 60 else f"(a name of {len(name)} characters)" for name in names)


def _decoded(path: Path, *, encoding: str, key: str) -> str:
    content = path.read_bytes()
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise StageError(
            f"{path}: byte {error.start} is not {encoding}; set params.yaml: {key}.encoding to the file's encoding"
        ) from None
    if "\0" in text:
        raise StageError(
            f"{path}: holds null characters, so it is binary or not {encoding}; see params.yaml: {key}.encoding"
        )
    return text.removeprefix("\ufeff")


def _delimited(text: str, path: Path) -> Iterator[Row]:
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    number = 0
    try:
        header = next(reader)
        number = 1
        if repeated := sorted({name for name in header if header.count(name) > 1}):
            raise StageError(f"{path}: has columns of the same name: {shown(repeated)}; rename one")
        for cells in reader:
            number += 1
            if not cells:  # a blank line
                continue
            if len(cells) == len(header):
                yield str(number), dict(zip(header, cells, strict=True))
            else:
                yield str(number), f"{'fewer' if len(cells) < len(header) else 'more'} fields than the header"
    except csv.Error as error:
        raise StageError(f"{path}: row {number + 1} is broken or the file is truncated: {error}") from None
    if number < 2:
        raise StageError(f"{path}: has a header and no rows")


def _json_lines(text: str, path: Path) -> Iterator[Row]:
    # Not str.splitlines, which also breaks at characters that JSON allows inside a string.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            values = json.loads(line)
        except (ValueError, RecursionError):
            yield str(number), "not JSON"
            continue
        yield str(number), values if isinstance(values, dict) else "not a JSON object"


def _json(text: str, path: Path) -> Iterator[Row]:
    try:
        values = json.loads(text)
    except RecursionError:
        raise StageError(f"{path}: is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise StageError(f"{path}: is not JSON or is truncated: {error.msg} in line {error.lineno}") from None
    if not isinstance(values, list) or not values:
        raise StageError(f"{path}: must be a list of objects, one per case")
    for number, item in enumerate(values, start=1):
        yield str(number), item if isinstance(item, dict) else "not a JSON object"


def _parquet(path: Path) -> Iterator[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise StageError(f"{path}: is not Parquet or is truncated: {str(error).splitlines()[0]}") from None
    if not table.num_rows:
        raise StageError(f"{path}: has no rows")
    for number, values in enumerate(table.to_pylist(), start=1):
        yield str(number), values
