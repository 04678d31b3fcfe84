"""Where a data set comes from: what is published about its sources, and what this run took from them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from pyarrow import Schema


class Reference(NamedTuple):
    """A data set of others that a source draws on."""

    title: str
    home: str
    licence: str
    citation: str


# By source, beyond what its parameters say. The README's table of sources holds the same rows.
REFERENCES = {
    "hpo": (
        Reference(
            "Human Phenotype Ontology",
            "https://hpo.jax.org",
            "HPO, https://hpo.jax.org/app/license",
            "Gargano et al. 2024, Nucleic Acids Research 52:D1333",
        ),
        Reference(
            "Orphanet annotations",
            "https://www.orphadata.com",
            "CC-BY-4.0",
            "Orphadata Science, INSERM 1999, https://www.orphadata.com",
        ),
    ),
    "phenopackets": (
        Reference(
            "phenopacket-store",
            "https://github.com/monarch-initiative/phenopacket-store",
            "BSD-3-Clause",
            "Danis et al. 2025, HGG Advances 6:100371",
        ),
    ),
}
COLLECTION = {
    "hpo": "Simulated: findings are drawn by their annotated frequency in each disease, and a note is written about "
    "each patient with invented identifiers; no person stands behind a record.",
    "phenopackets": "Patients as GA4GH phenopackets tell them, mostly out of published case reports; `groups` names "
    "the publication.",
    "hub": "A table of the Hugging Face hub, at the commit named above, by a mapping of columns.",
    "fhir": "Documents of a FHIR R4 bulk export, each with the condition that its patient was diagnosed with.",
    "feedback": "Cases that clinicians adjudicated; the latest adjudication of a record counts.",
    "files": "A table of the user's, by a mapping of columns.",
}


class Origin(NamedTuple):
    """A file, archive or repository that a source read."""

    name: str
    version: str
    licence: str | None
    checksum: str


@dataclass(frozen=True)
class Source:
    """A source, where it read and what became of it: records by split, patients and diagnoses in all splits."""

    name: str
    origins: tuple[Origin, ...]
    records: Mapping[str, int]
    patients: int
    diagnoses: int
    rejected: int

    def licences(self) -> list[str]:
        """Return the licence of every origin and of what is known to be in it; the unknown ones say so."""
        own = [origin.licence or f"unknown licence of {origin.name} ({self.name})" for origin in self.origins]
        return own + [reference.licence for reference in self.references()]

    def references(self) -> tuple[Reference, ...]:
        """Return what this source is known to draw on; a user's own phenopackets are not phenopacket-store."""
        known = {origin.licence for origin in self.origins}
        return tuple(
            item for item in REFERENCES.get(self.name, ()) if self.name != "phenopackets" or item.licence in known
        )


class Split(NamedTuple):
    """A split's file, without its folder, and its size."""

    name: str
    file: str
    sha256: str
    bytes: int
    records: int
    independent_groups: int


@dataclass(frozen=True)
class Provenance:
    """All that is told about a data set; none of it is a value of a record.

    `filled` counts the records that have each column of `columns`; the metrics are those of `acquire` and `scrub`.
    """

    sources: tuple[Source, ...]
    splits: tuple[Split, ...]
    columns: Schema
    filled: Mapping[str, int]
    acquisition: Mapping[str, Any]
    scrubbing: Mapping[str, Any]
    ner: tuple[str, ...]

    def version(self) -> str:
        """Return an unreleased semantic version that changes with any byte of a split."""
        hashes = "".join(split.sha256 for split in self.splits)
        return f"0.0.0+{hashlib.sha256(hashes.encode()).hexdigest()[:16]}"

    def name(self) -> str:
        """Return a name made of the sources'."""
        return f"differential-{'-'.join(source.name for source in self.sources)}"

    def simulated(self) -> bool:
        """Tell whether no record is of a person."""
        return [source.name for source in self.sources] == ["hpo"]

    def licences(self) -> list[str]:
        """Return every source's licences, each once."""
        return list(dict.fromkeys(licence for source in self.sources for licence in source.licences()))

    def citations(self) -> list[str]:
        """Return what to cite, and say for which source nothing is known."""
        return [
            text
            for source in self.sources
            for text in (
                [f"{item.title}: {item.citation}" for item in source.references()]
                or [f"{source.name}: the citation is the owner's to give"]
            )
        ]

    def phi_left(self) -> str:
        """Say how much PHI is left after `scrub`, where its gold spans are known."""
        documents, gold = self.scrubbing["documents"], self.scrubbing.get("gold_documents", 0)
        if not gold:
            return f"How much PHI is left in the {documents:,} texts was not measured: no source marks where it stood."
        left, low, high = (100 * self.scrubbing[key] for key in ("leak", "leak_low", "leak_high"))
        return (
            f"Of the {gold:,} texts whose PHI is known (of {documents:,}), {left:.3f} % of the PHI's characters are "
            f"left (95 % interval {low:.3f} to {high:.3f} %)."
        )


def ontology_release(folder: Path) -> str:
    """Return the release that the ontology's files state in their headers."""
    found = []
    for name, mark in (("hp.obo", "data-version:"), ("phenotype.hpoa", "#version:")):
        with (folder / name).open(encoding="utf-8") as file:
            head = [line for _, line in zip(range(50), file, strict=False) if line.startswith(mark)]
        found += [f"{name} {head[0].removeprefix(mark).strip().rpartition('/')[2]}" if head else f"{name} without one"]
    return ", ".join(found)
