"""Acquire cases: every source in, one table of records under keyed pseudonyms out, with the rows it had to reject."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from stages.lib.records import write_records
from stages.lib.stage import In, Out, StageError, Strict, log, run
from stages.sources import files, hpo, phenopackets
from stages.sources.batch import Batch
from stages.sources.files import FileParams
from stages.sources.hpo import HpoParams
from stages.sources.phenopackets import PhenopacketsParams
from stages.sources.pseudonyms import pseudonymised, read_key

if TYPE_CHECKING:
    import pandas as pd

# A source is a module with a function `read` and a parameter of its name.
SOURCES = {"files": files, "hpo": hpo, "phenopackets": phenopackets}


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

    @field_validator("sources")
    @classmethod
    def _once(cls, sources: list[str]) -> list[str]:
        if len(set(sources)) < len(sources):
            raise ValueError("name each source once")
        return sources

    @field_validator("files")
    @classmethod
    def _some(cls, items: list[FileParams], info: ValidationInfo) -> list[FileParams]:
        if not items and "files" in info.data.get("sources", []):
            raise ValueError("list at least one file, or take 'files' out of acquire.sources")
        return items


class Params(Strict):
    """What `acquire` depends on."""

    seed: int = Field(ge=0)
    """Seed of simulation and of choosing patients."""
    acquire: AcquireParams
    """Where cases come from."""


def acquire(params: Params, incoming: In, ontology: In, raw: Out, rejected: Out, acquisition: Out) -> None:
    """Read cases from every source into one schema, under keyed pseudonyms."""
    import pandas as pd

    key = read_key(params.acquire.key_fingerprint, warn="files" in params.acquire.sources)
    records, refused = [], []
    for source in params.acquire.sources:
        batch: Batch = SOURCES[source].read(
            getattr(params.acquire, source), incoming=incoming, ontology=ontology, seed=params.seed
        )
        log.info("%s: %s records, %s rows rejected", source, f"{len(batch.records):,}", f"{len(batch.rejected):,}")
        refused.append(batch.rejected.assign(source=source))
        if len(batch.records):
            require_unique(batch.records, source=source)
            records.append(pseudonymised(batch, source=source, key=key))
    table = pd.concat(refused, ignore_index=True)[["source", "file", "row", "reason"]]
    usable = pd.concat(records, ignore_index=True) if records else pd.DataFrame({"diagnosis": []})
    require_usable(usable, table, most=params.acquire.max_rejected)
    write_records(usable, raw)
    table.to_parquet(rejected, index=False)
    acquisition.write_text(json.dumps(summary(usable, table), indent=2) + "\n", encoding="utf-8")


def require_unique(records: pd.DataFrame, *, source: str) -> None:
    """Raise StageError, naming rows and not the id, where a record id occurs twice."""
    same = records[records["record_id"].duplicated(keep=False)]
    if same.empty:
        return
    first = same[same["record_id"] == same["record_id"].iloc[0]]
    (file, row), (other, another), *_ = zip(first["file"], first["row"], strict=True)
    where = f"rows {row} and {another} of {file}" if file == other else f"row {row} of {file} and {another} of {other}"
    raise StageError(
        f"{source}: duplicate id in {where} ({same['record_id'].nunique():,} such ids); ids must be unique in a source"
    )


def require_usable(usable: pd.DataFrame, rejected: pd.DataFrame, *, most: float) -> None:
    """Raise StageError where too many rows are rejected, none is left, or all have one diagnosis."""
    total = len(usable) + len(rejected)
    reasons = "; ".join(
        f"{reason}: {len(rows):,} (first: row {rows['row'].iloc[0]} of {rows['file'].iloc[0]})"
        for reason, rows in rejected.groupby("reason")
    )
    if len(rejected) > most * total:
        raise StageError(
            f"acquire: {len(rejected):,} of {total:,} rows can't be used; acquire.max_rejected is {most}: {reasons}"
        )
    if usable.empty:
        raise StageError(
            f"acquire: no usable row{f': {reasons}' if reasons else ''}; see the parameters of the sources"
        )
    if usable["diagnosis"].nunique() < 2:
        raise StageError("acquire: all rows have the same diagnosis; a model needs at least 2 to choose from")


def summary(usable: pd.DataFrame, rejected: pd.DataFrame) -> dict[str, Any]:
    """Return counts for a metric diff."""
    cases = usable["diagnosis"].value_counts()
    return {
        "records": len(usable),
        "patients": int(usable["patient_id"].nunique()),
        "groups": int(usable["groups"].explode().nunique()),
        "diagnoses": len(cases),
        "min_cases_per_diagnosis": int(cases.min()),
        "max_cases_per_diagnosis": int(cases.max()),
        "records_by_source": _counts(usable["source"]),
        "records_by_voice": _counts(usable["voice"]) if "voice" in usable else {},
        "rejected": len(rejected),
        "rejected_by_reason": _counts(rejected["reason"]),
    }


def _counts(values: pd.Series[str]) -> dict[str, int]:
    return {str(name): int(count) for name, count in values.value_counts().sort_index().items()}


if __name__ == "__main__":
    run(acquire)
