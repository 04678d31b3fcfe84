"""Read published tables that `fetch` brought, of the Hugging Face hub or from an address, by a mapping of columns."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import Field

from stages.lib.stage import StageError, Strict
from stages.sources.cases import Case, Inputs, Rejected
from stages.sources.files import Columns, FileParams, Split, read_table
from stages.sources.tables import FORMATS, format_of


class HubParams(Strict):
    """A table of cases."""

    data: str = Field(min_length=1)
    """Its name in `fetch.data`."""
    columns: Columns
    """Names of the columns."""
    split: Split | None = None
    """Split of the rows without one of their own; a data set's splits are fetched one by one."""


def read(params: list[HubParams], inputs: Inputs) -> Iterator[Case | Rejected]:
    """Yield the cases of all tables, as `files` does; raise StageError where one was not fetched or is no table."""
    for position, item in enumerate(params):
        key = f"acquire.hub[{position}]"
        name = _find(inputs.fetched, item.data, key=key)
        table = FileParams(file=name, columns=item.columns, split=item.split)
        yield from read_table(inputs.fetched / name, table, key=key)


def _find(fetched: Path, data: str, *, key: str) -> str:
    """Return the name of the file that holds `data`."""
    there = {path.name.partition(".")[0]: path.name for path in sorted(fetched.iterdir())}
    if data not in there:
        known = f"choose from {', '.join(there)}" if there else "pin it there; nothing is"
        raise StageError(f"params.yaml: {key}.data: '{data}' is not in fetch.data; {known}")
    if format_of(there[data]) not in FORMATS:
        raise StageError(
            f"params.yaml: {key}.data: '{data}' is {there[data]}, which is no table ({', '.join(FORMATS)})"
        )
    return there[data]
