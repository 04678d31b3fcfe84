"""Print how fast, and in how much memory, `acquire` reads a large file: `python -m benchmarks.acquire --rows 1000000`.

The reference, in the same run, is pandas: it reads the file, sorts it by patient and writes Parquet, all in memory,
without pseudonyms and checks. Each runs in a process of its own.
"""

from __future__ import annotations

import argparse
import csv
import json
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path
from random import Random

from stages.acquire import AcquireParams, Params, acquire
from stages.lib.stage import In, Out
from stages.sources.files import FileParams

COLUMNS = ["record", "patient", "note", "diagnosis", "age", "sex", "date"]
MAPPING = {"record_id": "record", "patient_id": "patient", "text": "note"}
SENTENCE = 75  # characters
SENTENCES = 8
ROWS_PER_PATIENT = 4
PART = 50_000  # rows held while the files are made


def rows(count: int, *, seed: int) -> Iterator[tuple[str, str, str, str, int, str, str]]:
    """Yield made-up records whose patients come in no order."""
    random = Random(seed)
    words = ["".join(random.choices("aeinorst", k=random.randint(2, 9))) for _ in range(2000)]
    sentences = [" ".join(random.choices(words, k=20))[:SENTENCE] + ". " for _ in range(5000)]
    for number in range(count):
        note = f"Note {number}: " + "".join(random.choices(sentences, k=SENTENCES))
        diagnosis = f"Disease {random.randrange(200)}"
        patient = f"P{random.randrange(count // ROWS_PER_PATIENT + 1)}"
        yield f"R{number}", patient, note, diagnosis, random.randrange(90), random.choice("FM"), "2025-01-16"


def write_csv(path: Path, count: int, *, seed: int) -> None:
    """Write `count` records."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(rows(count, seed=seed))


def write_parquet(path: Path, count: int, *, seed: int) -> None:
    """Write the same records, in row groups of PART rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    made = rows(count, seed=seed)
    columns = pa.schema([(name, pa.int64() if name == "age" else pa.string()) for name in COLUMNS])
    with pq.ParquetWriter(path, columns) as writer:
        while part := list(islice(made, PART)):
            records = [dict(zip(COLUMNS, row, strict=True)) for row in part]
            writer.write_table(pa.Table.from_pylist(records, schema=columns))


def by_stage(path: Path) -> None:
    """Acquire the file."""
    columns = MAPPING | {name: name for name in COLUMNS[3:]}
    section = AcquireParams.model_construct(  # what other sources need is not looked at
        sources=["files"],
        key_fingerprint=None,
        max_rejected=0.0,
        files=[FileParams.model_validate({"file": path.name, "columns": columns})],
    )
    acquire(
        Params.model_construct(seed=1, acquire=section),
        incoming=In(path.parent),
        fetched=In(path.parent),
        ontology=In(path.parent),
        raw=Out(path.with_name("raw.parquet")),
        rejected=Out(path.with_name("rejected.parquet")),
        acquisition=Out(path.with_name("acquisition.json")),
    )


def by_pandas(path: Path) -> None:
    """Read, sort and write the file."""
    import pandas as pd

    table = pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)
    table.sort_values(["patient", "record"]).to_parquet(path.with_name("sorted.parquet"), index=False)


def measure(count: int, folder: Path) -> Iterator[dict[str, str | int]]:
    """Yield what each reader does with each format."""
    for suffix, write in (("csv", write_csv), ("parquet", write_parquet)):
        path = folder / f"cases.{suffix}"
        apart(partial(write, count=count, seed=1), path)
        for reader, work in (("acquire", by_stage), ("pandas", by_pandas)):
            seconds, memory = apart(work, path)
            yield {
                "format": suffix,
                "reader": reader,
                "rows": count,
                "rows/s": round(count / seconds),
                "peak memory (MiB)": round(memory),
                "file (MiB)": round(path.stat().st_size / 2**20),
            }
        path.unlink()


def apart(work: Callable[[Path], None], path: Path) -> tuple[float, float]:
    """Return what `measured` does, from a process of its own that begins without this one's memory."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        return process.submit(measured, work, path).result()


def measured(work: Callable[[Path], None], path: Path) -> tuple[float, float]:
    """Return the seconds that `work` takes, and the process's peak memory in MiB."""
    started = time.perf_counter()
    work(path)
    return time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir="data", prefix=".partial-benchmark-") as folder:
        found = list(measure(options.rows, Path(folder)))
    if options.json:
        print(json.dumps(found))
        return
    print(f"| {' | '.join(found[0])} |\n|{' --- |' * len(found[0])}")
    for row in found:
        print(f"| {' | '.join(f'{value:,}' if isinstance(value, int) else value for value in row.values())} |")


if __name__ == "__main__":
    main()
