"""What a source is given, and what it hands to `acquire`: usable cases with source-local ids, and rows it rejects."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

Case = dict[str, Any]
"""Columns of the record schema, with the source's own record_id, patient_id and groups; `file` and `row` say where it
came from, if the source has files. Publications in `groups` are named as PMID:123 and stay readable; all other groups
become pseudonyms."""


class Rejected(NamedTuple):
    """A row that can't be used: where it stands and why; never what it says."""

    file: str
    row: str
    reason: str


@dataclass(frozen=True)
class Inputs:
    """What a source may read, besides its own parameters.

    `incoming` is the user's folder and `fetched` what `fetch.data` brought. `diagnoses` (name by code) and
    `publications` are those of the sources read before; simulated patients come last.
    """

    incoming: Path
    fetched: Path
    ontology: Path
    seed: int
    diagnoses: Mapping[str, str] = field(default_factory=dict)
    publications: Collection[str] = ()
