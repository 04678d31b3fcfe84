"""Replace PHI: raw records and NER models in; records without it, an audit and what was measured on the way out."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from stages.lib.phi.audit import Note, audit
from stages.lib.phi.canaries import Canary, canaries, survives
from stages.lib.phi.policies import Patient, Policy, read_policy, version
from stages.lib.phi.tally import Tally
from stages.lib.phi.work import Results, Scrubbed, Settings, scrub_patients
from stages.lib.pool import in_order, worker_count
from stages.lib.records import schema, write_patients
from stages.lib.stage import In, Out, StageError, Strict, progress, run

if TYPE_CHECKING:
    import pyarrow as pa

DOCUMENTS_PER_BATCH = 64
CHARACTERS_PER_BATCH = 2**20
Entity = Literal[
    "PERSON",
    "LOCATION",
    "ORGANIZATION",
    "DATE_TIME",
    "AGE",
    "PHONE_NUMBER",
    "EMAIL_ADDRESS",
    "URL",
    "IP_ADDRESS",
    "MEDICAL_RECORD_NUMBER",
    "HEALTH_PLAN_NUMBER",
    "ACCOUNT_NUMBER",
    "LICENSE_NUMBER",
    "VEHICLE_ID",
    "DEVICE_ID",
    "BIOMETRIC_ID",
    "PHOTO",
    "ID",
    "NRP",
]
Record = dict[str, Any]


class ScrubParams(Strict):
    """What counts as PHI, and what stands for it."""

    policy: Policy
    """What becomes of each entity, as stages/lib/phi/policies.yaml has it. `redact`: placeholders; `surrogate`: fakes
    of the same kind, dates shifted; `safe_harbor_strict`: placeholders, years, three digits of ZIP codes, 90+."""
    key_fingerprint: Annotated[str, Field(pattern="^[0-9a-f]{16}$")] | None
    """First 16 hexadecimal digits of the SHA-256 of the surrogates' key, which is the environment's DIFFERENTIAL_KEY:
    another key runs the stage again. `surrogate` needs one, even for simulated cases; the others read none."""
    score_threshold: float = Field(ge=0, le=1)
    """Presidio score, 0 to 1, from which a span is replaced; lower removes more, PHI and clinical words alike."""
    kept_entities: tuple[Entity, ...] = ()
    """Entities that stay in the text; NRP (nationality, religion) is no Safe Harbor identifier and can be clinical."""

    @field_validator("key_fingerprint")
    @classmethod
    def _keyed(cls, fingerprint: str | None, info: ValidationInfo) -> str | None:
        if fingerprint is None and info.data.get("policy") == "surrogate":
            raise ValueError("surrogate needs a secret key: who knows it can undo surrogates, so none is public")
        return fingerprint


class Params(Strict):
    """Parameters of `scrub`."""

    scrub: ScrubParams
    """See there."""


def scrub(params: Params, raw: In, ner: In, ontology: In, scrubbed: Out, scrub_audit: Out, scrubbing: Out) -> None:
    """Write `raw` without PHI, a row for every span that was replaced, and counts (never a value).

    `scrub.policy` says what stands for PHI; placeholders, `[ENTITY_n]`, are numbered per patient in the order of first
    use: one value, one placeholder, in all texts of the patient. `age` becomes 90 where it is above 89, `date` keeps
    its year, after it has moved as the dates of the texts do, `phi` is dropped. Raises StageError where there is no NER
    model or no ontology, where a canary survives, and where surrogates would hide from `validate` what looks like PHI.
    """
    import pyarrow.parquet as pq

    from stages.lib.phi.engine import load_finder

    if not any(Path(ner).glob("*/config.cfg")):
        raise StageError(f"{ner}: holds no spaCy model (<name>/config.cfg); names need one: run `dvc repro fetch`")
    workers, given, tally = worker_count(), params.scrub, Tally()
    kept = tuple(sorted(given.kept_entities))
    settings = Settings(ner, ontology, given.score_threshold, kept, given.policy, given.key_fingerprint)
    read_policy(given.policy)
    load_finder(*settings[:4])  # before the fork, so that workers share it
    with pq.ParquetFile(raw) as file, audit(scrub_audit, policy=given.policy, version=version()) as note:
        batches = _with_canaries(_whole_patients(file), canaries(kept), rows=file.metadata.num_rows)
        tasks = ((batch, _patients(batch)) for batch in progress(batches, description="scrub"))
        done = in_order(partial(scrub_patients, settings), tasks, workers=workers, stage="scrub")
        write_patients(_tables(done, tally, note), scrubbed, columns=schema(phi=False))
    if given.policy == "surrogate" and tally.suspects:
        raise StageError(
            f"scrub: {tally.counts['hits']:,} matches look like PHI that no recognizer found, in records "
            f"{', '.join(tally.suspects)}; add a recognizer (docs/deidentification.md), for surrogates would hide them"
        )
    metrics = {"policy": given.policy, "version": version(), "kept_entities": list(kept)} | tally.metrics()
    Path(scrubbing).write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")


def _whole_patients(file: Any) -> Iterator[list[list[Record]]]:
    """Yield whole patients of a Parquet file of records sorted by patient, a batch of them at a time."""
    batch: list[list[Record]] = []
    rows = characters = 0
    for table in file.iter_batches(batch_size=DOCUMENTS_PER_BATCH):
        for record in table.to_pylist():
            if not batch or batch[-1][0]["patient_id"] != record["patient_id"]:
                if rows >= DOCUMENTS_PER_BATCH or characters >= CHARACTERS_PER_BATCH:
                    yield batch
                    batch, rows, characters = [], 0, 0
                batch.append([])
            batch[-1].append(record)
            rows, characters = rows + 1, characters + len(record["text"] or "")
    if batch:
        yield batch


def _with_canaries(
    batches: Iterable[list[list[Record]]], flock: list[Canary], *, rows: int
) -> Iterator[list[list[Record]]]:
    """Yield the batches with canaries at their ends, evenly; a canary is a patient of one record."""
    left = deque(
        [{"patient_id": f"canary-{number}", "text": canary.text, "canary": canary}]
        for number, canary in enumerate(flock)
    )
    each = -(-len(flock) * DOCUMENTS_PER_BATCH // max(1, rows))
    for batch in batches:
        yield [*batch, *(left.popleft() for _ in range(min(each, len(left))))]
    if left:
        yield list(left)


def _patients(batch: list[list[Record]]) -> list[Patient]:
    return [
        Patient(
            records[0]["patient_id"],
            [record["text"] or "" for record in records],
            [record.get("date") for record in records],
        )
        for records in batch
    ]


def _tables(done: Iterable[tuple[list[list[Record]], Results]], tally: Tally, note: Note) -> Iterator[pa.Table]:
    """Yield the scrubbed records, counted and noted; raise StageError where a canary survived."""
    import pyarrow as pa

    for batch, results in done:
        rows: list[Record] = []
        for records, scrubbed in zip(batch, results, strict=True):
            if canary := records[0].get("canary"):
                _check(canary, scrubbed[0].text)
                tally.counts["canaries"] += 1
                continue
            new = [_without_phi(record, result) for record, result in zip(records, scrubbed, strict=True)]
            tally.add(records, scrubbed, new)
            rows += new
            for record, result in zip(records, scrubbed, strict=True):
                note(record["record_id"], result.spans)
        yield pa.Table.from_pylist(rows, schema=schema(phi=False))


def _check(canary: Canary, text: str) -> None:
    if survives(canary, text):
        raise StageError(
            f"scrub: canary {canary.form} of '{canary.safe_harbor}' survived: PHI of this class may be left; lower "
            "scrub.score_threshold, or repair its recognizer (stages/lib/phi/recognizers.yaml)"
        )


def _without_phi(record: Record, result: Scrubbed) -> Record:
    """Return the record with its scrubbed text and date, and an age of at most 90."""
    age = record.get("age")
    return record | {
        "text": result.text,
        "date": result.date,
        "age": 90.0 if age is not None and age > 89 else age,
    }


if __name__ == "__main__":
    run(scrub)
