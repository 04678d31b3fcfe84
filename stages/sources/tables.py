"""Read rows from CSV, TSV, JSON Lines, JSON and Parquet as a stream, and say precisely what is wrong with a file."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from stages.lib.stage import StageError
from stages.sources.decoding import TextFile

FORMATS = (".csv", ".tsv", ".jsonl", ".json", ".parquet")
LONGEST_CELL = 32 * 2**20  # characters in CSV; a quote that is never closed makes one cell of the whole file
LONGEST_LINE = 64 * 2**20  # characters in CSV
LONGEST_OBJECT = 16 * 2**20  # characters of a line of JSON Lines
LARGEST_JSON = 32 * 2**20  # characters of a JSON file, which is read as a whole
ROWS_PER_BATCH = 128  # of Parquet: texts may be long
BUFFER = 2**20  # bytes of a column of Parquet that are read ahead

Row = tuple[str, dict[str, Any] | str]


def format_of(name: str) -> str:
    """Return a file's format by its suffix, that before .gz if it is a text format."""
    path = Path(name.lower())
    return Path(path.stem).suffix.replace(".parquet", ".gz") if path.suffix == ".gz" else path.suffix


def read_rows(path: Path, *, columns: Mapping[str, str], encoding: str, key: str) -> Iterator[Row]:
    """Yield each row's number and its values by parameter, where `columns` has names, or the reason why it has none.

    Numbers count as a spreadsheet does (a header is row 1), in JSON Lines by line, else from 1. Raises StageError,
    naming `key` of params.yaml where that would help, for a file that is empty, binary, truncated, wrongly encoded or
    without a column; for JSON, where every object has columns of its own, at the end.
    """
    if not path.is_file():
        raise StageError(f"params.yaml: {key}.file: {path} is a folder; name a file in it")
    if not path.stat().st_size:
        raise StageError(f"{path}: is empty")
    file = TextFile(path, encoding, key)
    match format_of(path.name):
        case ".csv":
            return _delimited(file, columns, delimiter=",")
        case ".tsv":
            return _delimited(file, columns, delimiter="\t")
        case ".jsonl":
            return _picked(_json_lines(file), columns, path=path, key=key)
        case ".json":
            return _picked(_json(file), columns, path=path, key=key)
        case _:
            return _parquet(path, columns, key=key)


def _require_columns(there: Sequence[str], columns: Mapping[str, str], *, path: Path, key: str) -> None:
    names = dict.fromkeys(there)
    if missing := [f"{part}: '{name}'" for part, name in columns.items() if name not in names]:
        raise StageError(
            f"params.yaml: {key}.columns: {path} has no column for {', '.join(missing)}; it has {_shown(list(names))}"
        )
    if repeated := [name for name in dict.fromkeys(columns.values()) if there.count(name) > 1]:
        raise StageError(f"{path}: has columns of the same name: {_shown(repeated)}; rename one")


def _shown(names: Sequence[str], most: int = 20) -> str:
    """Return names for a message; an odd one is likely a record's text in a file without a header."""
    shown = [
        name if len(name) <= 60 and name.isprintable() else f"(a name of {len(name)} characters)"
        for name in names[:most]
    ]
    return ", ".join(shown) + (f" and {len(names) - most:,} more" if len(names) > most else "")


def _delimited(file: TextFile, columns: Mapping[str, str], *, delimiter: str) -> Iterator[Row]:
    csv.field_size_limit(LONGEST_CELL)
    rows = enumerate(csv.reader(_lines(file), delimiter=delimiter, strict=True), start=1)
    number = 0
    try:
        number, header = next((row for row in rows if any(map(str.strip, row[1]))), (0, []))
        if not header:
            raise StageError(f"{file.path}: is empty")
        _require_columns(header, columns, path=file.path, key=file.key)
        positions, first = [(part, header.index(name)) for part, name in columns.items()], number
        for number, cells in rows:
            if len(cells) == len(header):
                yield str(number), {part: cells[position] for part, position in positions}
            elif cells:  # else a blank line
                yield str(number), f"{'fewer' if len(cells) < len(header) else 'more'} fields than the header"
    except csv.Error as error:
        raise StageError(f"{file.path}: row {number + 1} is broken or the file is truncated: {error}") from None
    if number == first:
        raise StageError(f"{file.path}: has a header and no rows")


def _lines(file: TextFile) -> Iterator[str]:
    for number, line in enumerate(file.pieces(LONGEST_LINE, newline=""), start=1):
        if len(line) == LONGEST_LINE:
            raise StageError(f"{file.path}: line {number} has {LONGEST_LINE:,} characters or more; is it a table?")
        yield line


def _json_lines(file: TextFile) -> Iterator[Row]:
    pieces = file.pieces(LONGEST_OBJECT, newline="\n")  # JSON allows all other line ends inside a string
    number, blank = 0, True
    for number, line in enumerate(pieces, start=1):
        if len(line) == LONGEST_OBJECT and not line.endswith("\n"):
            next((piece for piece in pieces if piece.endswith("\n")), None)  # skip the rest of the line
            yield str(number), f"a line of more than {LONGEST_OBJECT:,} characters"
        elif line.strip():
            yield str(number), _object(line)
        else:
            continue
        blank = False
    if blank:
        raise StageError(f"{file.path}: is empty")


def _object(line: str) -> dict[str, Any] | str:
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        return "not JSON"
    return values if isinstance(values, dict) else "not a JSON object"


def _json(file: TextFile) -> Iterator[Row]:
    text = file.whole(LARGEST_JSON + 1)
    if len(text) > LARGEST_JSON:
        raise StageError(
            f"{file.path}: is longer than {LARGEST_JSON:,} characters; use JSON Lines, which is read in parts"
        )
    if not text.strip():
        raise StageError(f"{file.path}: is empty")
    try:
        values = json.loads(text)
    except RecursionError:
        raise StageError(f"{file.path}: is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise StageError(f"{file.path}: is not JSON or is truncated: {error.msg} in line {error.lineno}") from None
    if not isinstance(values, list) or not values:
        raise StageError(f"{file.path}: must be a list of objects, one per case")
    for number, item in enumerate(values, start=1):
        yield str(number), item if isinstance(item, dict) else "not a JSON object"


def _picked(rows: Iterator[Row], columns: Mapping[str, str], *, path: Path, key: str) -> Iterator[Row]:
    """Yield rows with the mapped columns alone; raise StageError in the end if no object had one of them."""
    seen: dict[str, None] = {}
    missing = dict.fromkeys(columns.values())
    for number, values in rows:
        if isinstance(values, str):
            yield number, values
            continue
        if missing:
            seen |= dict.fromkeys(islice(values, 100)) if len(seen) < 1000 else {}
            missing = dict.fromkeys(name for name in missing if name not in values)
        yield number, {part: values.get(name) for part, name in columns.items()}
    if seen and missing:
        there = [*seen, *(name for name in columns.values() if name not in seen and name not in missing)]
        _require_columns(there, columns, path=path, key=key)


def _parquet(path: Path, columns: Mapping[str, str], *, key: str) -> Iterator[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    try:
        with pq.ParquetFile(path, pre_buffer=False, buffer_size=BUFFER) as file:  # else all that was read is kept
            _require_columns(file.schema_arrow.names, columns, path=path, key=key)
            for batch in file.iter_batches(ROWS_PER_BATCH, columns=list(dict.fromkeys(columns.values()))):
                for values in batch.to_pylist():
                    number += 1
                    yield str(number), {part: values[name] for part, name in columns.items()}
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        raise StageError(f"{path}: is not Parquet or is truncated: {str(error).partition(chr(10))[0]}") from None
    if not number:
        raise StageError(f"{path}: has no rows")
