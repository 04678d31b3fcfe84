"""What a source hands to `acquire`: usable cases with source-local ids, and what it had to reject."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import pandas as pd


class Rejected(NamedTuple):
    """A row that can't be used: where it stands and why; never what it says."""

    file: str
    row: str
    reason: str


@dataclass(frozen=True)
class Batch:
    """The cases of one source.

    `records` has columns of the record schema, with the source's own record_id, patient_id and groups; `file` and `row`
    say where each came from, if the source has files. `published` says that groups are publications, which may stay
    readable; other groups become pseudonyms.
    """

    records: pd.DataFrame
    rejected: pd.DataFrame
    published: bool = False


def rejected_table(rows: Iterable[Rejected] = ()) -> pd.DataFrame:
    """Return rejected rows as a table of strings."""
    import pandas as pd

    return pd.DataFrame(list(rows), columns=list(Rejected._fields), dtype="str")
