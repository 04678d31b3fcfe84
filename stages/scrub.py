"""Replace PHI: raw records and NER models in; records with placeholders and what was measured on the way out."""

from __future__ import annotations

import json
import os
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import Field

from stages.lib.isolation import die_with_parent
from stages.lib.phi.leak import Leak
from stages.lib.phi.spans import Span
from stages.lib.records import schema
from stages.lib.stage import In, Out, StageError, Strict, progress, run

DOCUMENTS_PER_TASK = 64
ROWS_PER_GROUP = 8192
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
    """What counts as PHI."""

    score_threshold: float = Field(ge=0, le=1)
    """Presidio score, 0 to 1, from which a span is replaced; lower removes more, PHI and clinical words alike."""
    kept_entities: tuple[Entity, ...] = ()
    """Entities that stay in the text; NRP (nationality, religion) is no Safe Harbor identifier and can be clinical."""


class Params(Strict):
    """Parameters of `scrub`."""

    scrub: ScrubParams
    """What counts as PHI."""


class Task(NamedTuple):
    """The texts of whole patients, and what finds PHI in them."""

    ner: Path
    ontology: Path
    score_threshold: float
    kept: tuple[str, ...]
    patients: list[list[str]]


Scrubbed = list[list[tuple[str, list[Span]]]]


def scrub(params: Params, raw: In, ner: In, ontology: In, scrubbed: Out, scrubbing: Out) -> None:
    """Write `raw` without PHI, and counts of what was replaced (never a value).

    PHI in a text becomes `[ENTITY_n]`, numbered per patient in the order of first use: one value, one placeholder, in
    all texts of the patient. `date` keeps its year, `age` becomes 90 where it is above 89, `phi` is dropped. Raises
    StageError where there is no NER model or no ontology.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    from stages.lib.phi.engine import load_finder

    if not any(Path(ner).glob("*/config.cfg")):
        raise StageError(f"{ner}: holds no spaCy model (<name>/config.cfg); names need one: run `dvc repro fetch`")
    workers = _workers()
    kept = tuple(sorted(params.scrub.kept_entities))
    settings = Task(ner, ontology, params.scrub.score_threshold, kept, [])
    load_finder(*settings[:-1])  # before the fork, so that workers share it
    columns = schema().remove(schema().get_field_index("phi"))
    file = pq.ParquetFile(raw)
    chunks = progress(_whole_patients(file), description="scrub")
    counts, leak, rows = Counter[str](), Leak(), list[Record]()
    with pq.ParquetWriter(scrubbed, columns) as writer:
        for patients, texts in _scrub_all(chunks, workers, settings):
            for records, results in zip(patients, texts, strict=True):
                for record, (text, spans) in zip(records, results, strict=True):
                    _count(record, spans, counts=counts, leak=leak)
                    rows.append(_without_phi(record, text))
            if len(rows) >= ROWS_PER_GROUP:
                writer.write_table(pa.Table.from_pylist(rows, schema=columns))
                rows = []
        writer.write_table(pa.Table.from_pylist(rows, schema=columns))
    spans_by_entity = {name.removeprefix("spans."): count for name, count in sorted(counts.items()) if "." in name}
    metrics = {"documents": counts["documents"], "documents_changed": counts["changed"], "spans": spans_by_entity}
    Path(scrubbing).write_text(json.dumps(metrics | leak.metrics(), indent=2) + "\n", encoding="utf-8")


def scrub_task(task: Task) -> Scrubbed:
    """Scrub the patients of a task; a process loads the models once."""
    from stages.lib.phi.engine import load_finder
    from stages.lib.phi.redaction import redact

    finder = load_finder(*task[:-1])
    return redact(task.patients, finder.find, finder.lexicon)


def _scrub_all(
    chunks: Iterable[list[list[Record]]], workers: int, settings: Task
) -> Iterator[tuple[list[list[Record]], Scrubbed]]:
    """Yield each chunk with its scrubbed texts, in order; a few chunks ahead are in work, no more are held."""

    def task(chunk: list[list[Record]]) -> Task:
        return settings._replace(patients=[[record["text"] or "" for record in patient] for patient in chunk])

    if workers == 1:
        yield from ((chunk, scrub_task(task(chunk))) for chunk in chunks)
        return
    import multiprocessing

    ahead: deque[tuple[list[list[Record]], Future[Scrubbed]]] = deque()
    fork = multiprocessing.get_context("fork")
    try:
        with ProcessPoolExecutor(workers, mp_context=fork, initializer=die_with_parent) as pool:
            for chunk in chunks:
                ahead.append((chunk, pool.submit(scrub_task, task(chunk))))
                if len(ahead) > 2 * workers:
                    first, future = ahead.popleft()
                    yield first, future.result()
            while ahead:
                first, future = ahead.popleft()
                yield first, future.result()
    except BrokenProcessPool:
        raise StageError("scrub: a worker was killed, likely for memory; lower DIFFERENTIAL_WORKERS") from None


def _whole_patients(file: Any) -> Iterator[list[list[Record]]]:
    """Yield the patients of a Parquet file of records sorted by patient, about DOCUMENTS_PER_TASK records at a time."""
    chunk: list[list[Record]] = []
    for batch in file.iter_batches(batch_size=1024):
        for record in batch.to_pylist():
            if not chunk or chunk[-1][0]["patient_id"] != record["patient_id"]:
                if sum(map(len, chunk)) >= DOCUMENTS_PER_TASK:
                    yield chunk
                    chunk = []
                chunk.append([])
            chunk[-1].append(record)
    if chunk:
        yield chunk


def _count(record: Record, spans: list[Span], *, counts: Counter[str], leak: Leak) -> None:
    counts["documents"] += 1
    counts["changed"] += bool(spans)
    counts.update(f"spans.{span.entity}" for span in spans)
    if gold := record.get("phi"):
        leak.add(record["text"] or "", gold=[Span(**span) for span in gold], found=spans)


def _without_phi(record: Record, text: str) -> Record:
    """Return the record with its scrubbed text, the year of its date, and an age of at most 90."""
    date, age = record.get("date"), record.get("age")
    year = date[:4] if date and date[:4].isdigit() else None
    return record | {"text": text, "date": year, "age": 90.0 if age is not None and age > 89 else age}


def _workers() -> int:
    value = os.environ.get("DIFFERENTIAL_WORKERS") or str(os.cpu_count() or 1)
    if not value.isdigit() or int(value) < 1:
        raise StageError(f"DIFFERENTIAL_WORKERS: {value!r}: must be a whole number of processes from 1")
    return int(value)


if __name__ == "__main__":
    run(scrub)
