"""Read the lines of a FHIR R4 bulk export (NDJSON) as resources, and validate those that a case is made from."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stages.lib.stage import StageError
from stages.sources.cells import UnreadableError
from stages.sources.incoming import find

LONGEST = 16 * 2**20  # bytes of a line: an export's documents are inline, so that a line can be a whole letter
SUFFIXES = (".ndjson", ".ndjson.gz")

Resource = dict[str, Any]


def export_files(incoming: Path, folder: str) -> dict[str, Path]:
    """Return the export's files by their name in `incoming`, in order; servers name and shard them as they like.

    Raises StageError where there is none, or where a link leads out of `incoming`.
    """
    key = "acquire.fhir.folder"
    root = find(incoming, folder, key=key)
    names = [path.relative_to(incoming).as_posix() for path in root.rglob("*") if path.name.endswith(SUFFIXES)]
    files = {name: find(incoming, name, key=key) for name in sorted(names)}
    if not any(path.is_file() for path in files.values()):
        raise StageError(f"params.yaml: {key}: {root} is no folder that holds {' or '.join(SUFFIXES)} files")
    return {name: path for name, path in files.items() if path.is_file()}


def read_resources(path: Path) -> Iterator[tuple[str, Resource | str]]:
    """Yield each line's number and its resource, or the reason why it has none; blank lines are left out."""
    from pydantic_core import from_json

    for number, line in enumerate(_lines(path), start=1):
        if line is None:
            yield str(number), f"line is longer than {LONGEST:,} bytes"
        elif line.strip():
            try:
                content = from_json(line.removeprefix(b"\xef\xbb\xbf"), allow_inf_nan=False)
            except ValueError:
                yield str(number), "not JSON"
                continue
            typed = isinstance(content, dict) and isinstance(content.get("resourceType"), str)
            yield str(number), content if typed else "not a FHIR resource"


def validated(resource: Resource) -> Any:
    """Return a Patient, Condition, Observation or DocumentReference as its model of fhir.resources.

    Raises UnreadableError, with the path of the first element that is wrong and the kind of error.
    """
    from fhir.resources.R4B.condition import Condition
    from fhir.resources.R4B.documentreference import DocumentReference
    from fhir.resources.R4B.observation import Observation
    from fhir.resources.R4B.patient import Patient
    from pydantic import ValidationError

    # The library has R4B and no R4. Elements, cardinalities and types of these four resources, and of the data types
    # that are read from them, are the same in both (4.0.1, 4.3.0); among extensions, R4 alone allows a valueMeta.
    models = {model.__name__: model for model in (Condition, DocumentReference, Observation, Patient)}
    kind = resource["resourceType"]
    # Contained resources are never read, and the library raises KeyError for those that it does not know.
    content = {name: value for name, value in resource.items() if name != "contained"}
    try:
        return models[kind].model_validate(content)
    except ValidationError as error:
        problem = error.errors(include_input=False, include_context=False, include_url=False)[0]
        known = problem["loc"][:-1] if problem["type"] == "extra_forbidden" else problem["loc"]
        path = ".".join([kind, *(part for part in known if isinstance(part, str))])
        raise UnreadableError(f"not valid FHIR: {path}: {problem['type']}") from None
    except RecursionError:
        raise UnreadableError("nested too deeply") from None


def _lines(path: Path) -> Iterator[bytes | None]:
    """Yield each line, or None in place of one that is too long, which is never held whole."""
    number = 1
    try:
        with gzip.open(path, "rb") if path.name.endswith(".gz") else path.open("rb") as file:
            while line := file.readline(LONGEST):
                whole = line.endswith(b"\n") or len(line) < LONGEST
                yield line if whole else None
                while not whole:
                    line = file.readline(2**16)
                    whole = line.endswith(b"\n") or not line
                number += 1
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise StageError(f"{path}: is not gzip, or is damaged or truncated in line {number}; copy it again") from None
