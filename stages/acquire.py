"""Acquire cases: every source in, one table of records under keyed pseudonyms out, with the rows it had to reject."""

from __future__ import annotations

import json
from collections.abc import Iterator
from hmac import HMAC
from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from stages.lib.records import schema, write_patients
from stages.lib.stage import In, Out, StageError, Strict, log, progress, run
from stages.sources import feedback, fhir, files, hpo, hub, phenopackets
from stages.sources.cases import Case, Inputs, Rejected
from stages.sources.cells import fit
from stages.sources.feedback import FeedbackParams
from stages.sources.fhir import FhirParams
from stages.sources.files import FileParams
from stages.sources.hpo import HpoParams
from stages.sources.hub import HubParams
from stages.sources.incoming import shown
from stages.sources.phenopackets import PhenopacketsParams
from stages.sources.pseudonyms import OWN_IDS, pseudonymised, read_key
from stages.sources.spool import Spool, spool
from stages.sources.tally import Rejections, Tally, summary

# A source is a module with a function `read` and a parameter of its name.
SOURCES = {"feedback": feedback, "fhir": fhir, "files": files, "hpo": hpo, "hub": hub, "phenopackets": phenopackets}


def _known(name: str) -> str:
    if name not in SOURCES:
        raise ValueError(f"choose from {', '.join(SOURCES)}")
    return name


class AcquireParams(Strict):
    """Where cases come from."""

    sources: list[Annotated[str, AfterValidator(_known)]] = Field(min_length=1)
    """Names of the sources to read."""
    key_fingerprint: Annotated[str, Field(pattern="^[0-9a-f]{16}$")] | None
    """First 16 hexadecimal digits of the SHA-256 of the pseudonyms' key, which is the environment's DIFFERENTIAL_KEY;
    null takes a fixed public key, fit for simulated and published cases only."""
    max_rejected: float = Field(ge=0, le=1)
    """Largest share of rows that may be rejected."""
    hpo: HpoParams
    """Simulated patients."""
    phenopackets: PhenopacketsParams
    """Published patients."""
    files: list[FileParams]
    """A user's own files."""
    hub: list[HubParams]
    """Published tables that `fetch` brings."""
    fhir: FhirParams | None
    """A bulk export of FHIR resources; null where 'fhir' is no source."""
    feedback: FeedbackParams | None
    """Adjudicated cases; null where 'feedback' is no source."""

    @field_validator("sources")
    @classmethod
    def _once(cls, sources: list[str]) -> list[str]:
        if len(set(sources)) < len(sources):
            raise ValueError("name each source once")
        return sources

    @field_validator("files", "hub")
    @classmethod
    def _some(cls, items: list[Any], info: ValidationInfo) -> list[Any]:
        if not items and info.field_name in info.data.get("sources", []):
            raise ValueError(f"list at least one file, or take '{info.field_name}' out of acquire.sources")
        return items

    @field_validator("fhir", "feedback")
    @classmethod
    def _given(cls, section: Any, info: ValidationInfo) -> Any:
        if section is None and info.field_name in info.data.get("sources", []):
            raise ValueError(f"say where its data are, or take '{info.field_name}' out of acquire.sources")
        return section


class Params(Strict):
    """What `acquire` depends on."""

    seed: int = Field(ge=0)
    """Seed of simulation and of choosing patients."""
    acquire: AcquireParams
    """Where cases come from."""


def acquire(params: Params, incoming: In, fetched: In, ontology: In, raw: Out, rejected: Out, acquisition: Out) -> None:
    """Read cases from every source into one schema, under keyed pseudonyms, sorted by patient."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    key = read_key(params.acquire.key_fingerprint, warn=any(name in OWN_IDS for name in params.acquire.sources))
    tally = Tally()
    inputs = Inputs(
        incoming, fetched, ontology, params.seed, diagnoses=tally.names, publications=tally.publications.keys()
    )
    columns = pa.schema([(name, pa.string()) for name in ("source", "file", "row", "reason")])
    with spool(beside=raw) as cases, pq.ParquetWriter(rejected, columns) as writer:
        rejections = Rejections(writer)
        for case in read_cases(params.acquire, inputs, key=key, rejections=rejections):
            tally.add(case)
            cases.add(case)
        rejections.write()
        require_unique(cases)
        require_usable(tally, rejections, most=params.acquire.max_rejected)
        patients = write_patients(
            progress(cases.tables(), description="sorting by patient"), raw, columns=schema(phi=tally.phi)
        )
    counts = summary(tally, rejections.reasons, patients=patients)
    acquisition.write_text(json.dumps(counts, indent=2) + "\n", encoding="utf-8")


def read_cases(params: AcquireParams, inputs: Inputs, *, key: HMAC, rejections: Rejections) -> Iterator[Case]:
    """Yield the cases of all sources under pseudonyms, simulated patients last; hand over what is rejected."""
    for source in sorted(params.sources, key=lambda name: name == "hpo"):
        read, refused = 0, rejections.reasons.total()
        for item in SOURCES[source].read(getattr(params, source), inputs):
            checked = item if isinstance(item, Rejected) else fit(item)
            if isinstance(checked, Rejected):
                rejections.add(checked, source=source)
            else:
                read += 1
                yield pseudonymised(checked, source=source, key=key)
        refused = rejections.reasons.total() - refused
        log.info("%s: %s records, %s rows rejected", source, f"{read:,}", f"{refused:,}")


def require_unique(cases: Spool) -> None:
    """Raise StageError, naming rows and not the id, where a record id occurs twice in a source."""
    count, places = cases.duplicates()
    if not count:
        return
    (source, file, row), (_, other, another) = (tuple(map(shown, place)) for place in places[:2])
    where = f"rows {row} and {another} of {file}" if file == other else f"row {row} of {file} and {another} of {other}"
    raise StageError(f"{source}: duplicate id in {where} ({count:,} such ids); ids must be unique in a source")


def require_usable(tally: Tally, rejections: Rejections, *, most: float) -> None:
    """Raise StageError where too many rows are rejected, none is left, or all have one diagnosis."""
    refused, told = rejections.reasons.total(), rejections.told()
    total = tally.records + refused
    if refused > most * total:
        raise StageError(
            f"acquire: {refused:,} of {total:,} rows can't be used; acquire.max_rejected is {most}: {told}"
        )
    if not tally.records:
        raise StageError(f"acquire: no usable row{told and ': ' + told}; see the parameters of the sources")
    if len(tally.diagnoses) < 2:
        raise StageError("acquire: all rows have the same diagnosis; a model needs at least 2 to choose from")


if __name__ == "__main__":
    run(acquire)
