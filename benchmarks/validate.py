"""Print how fast, and in how much memory, `validate` judges records: `python -m benchmarks.validate --rows 1000000`.

Beside it: pandas reading the same file, which looks at nothing; the derived columns alone; and, of these, the search
for PHI as the stage does it and by the same patterns without their gate (on the first rows only, for it is slow). Each
runs in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import re
import resource
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from random import Random

import yaml

from stages.lib.pool import worker_count
from stages.lib.stage import In, Out
from stages.validate import Params, validate

PART = 50_000  # rows held while the file is made
UNGATED = 20_000  # rows
DIAGNOSES = 200
SENTENCES = (
    "was seen on [DATE_TIME_1] by [PERSON_2] with {} and {} of the {}, and there was {} at rest; BP {}/80. ",
    "She has had {} since [DATE_TIME_2], which is worse at night, but not {}; the {} were {} to {} mg. ",
    "On examination {} was not present; her {} is {} and the {} from [LOCATION_1] had {} of {}. ",
)
TERMS = "hypertelorism,ptosis,proteinuria,fatigue,livedo,angiokeratoma,scoliosis,cramps,deafness,fever,rash,12,7.5,120"
LETTERS = str.maketrans("0123456789", "ghijklmnop")  # long runs of digits are rare in scrubbed texts
ONTOLOGY = {"hp.obo": "name: Ptosis\n", "phenotype.hpoa": "OMIM:1\tptosis of the lid\t\n"}


def write_file(folder: Path, count: int, *, seed: int) -> None:
    """Write `count` made-up records, four of each patient, that pass."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from stages.lib.records import schema

    random, terms, columns = Random(seed), TERMS.split(","), schema(phi=False)
    sentences = [
        sentence.format(*(random.choice(terms) for _ in range(sentence.count("{}"))))
        for _ in range(2000)
        for sentence in SENTENCES
    ]
    for name, content in ONTOLOGY.items():
        (folder / name).write_text(content)
    (folder / "accepted.json").write_text("{}")
    with pq.ParquetWriter(folder / "scrubbed.parquet", columns) as writer:
        for start in range(0, count, PART):
            rows = [
                {
                    "record_id": f"files-{number:016x}",
                    "patient_id": f"patient-{number // 4:016x}",
                    "groups": [f"PMID:{number // 8}"],
                    "text": f"Note {number:x}: ".translate(LETTERS) + "".join(random.choices(sentences, k=6)),
                    "diagnosis": f"Zellig type {number % DIAGNOSES} disease",
                    "age": 40.0,
                    "sex": "female",
                    "date": "2020",
                    "source": "files",
                    "phenotypes": [f"HP:{random.randrange(9999):07}" for _ in range(5)],
                    "excluded_phenotypes": ["HP:9999999"],
                }
                for number in range(start, min(start + PART, count))
            ]
            writer.write_table(pa.Table.from_pylist(rows, schema=columns))


def by_stage(folder: Path) -> None:
    """Validate the file by the bounds of params.yaml."""
    given = yaml.safe_load(Path("params.yaml").read_text())
    validate(
        Params.model_validate({"validate": given["validate"], "scrub": {"policy": given["scrub"]["policy"]}}),
        scrubbed=In(folder / "scrubbed.parquet"),
        ontology=In(folder),
        accepted=In(folder / "accepted.json"),
        data_docs=Out(folder / "data_docs"),
        data_quality=Out(folder / "data_quality.json"),
    )


def by_columns(folder: Path) -> None:
    """Derive the columns that the expectations are about."""
    from stages.lib.labels import read_terminology
    from stages.lib.observations import observe

    terminology = read_terminology(folder)
    observe(folder / "scrubbed.parquet", accepted=[], terminology=terminology, workers=worker_count())


def by_pandas(folder: Path) -> None:
    """Read the file."""
    import pandas as pd

    pd.read_parquet(folder / "scrubbed.parquet")


def by_phi_search(folder: Path) -> None:
    """Look for PHI in all texts."""
    import pyarrow.parquet as pq

    from stages.lib.phi.hits import hits_by_text

    for batch in pq.ParquetFile(folder / "scrubbed.parquet").iter_batches(columns=["text"]):
        hits_by_text(batch.column("text"))


def by_ungated_phi_search(folder: Path) -> None:
    """Look for PHI in the first texts, by the patterns alone."""
    import pyarrow.parquet as pq

    from stages.lib.phi.hits import compiled, count_hits

    patterns = compiled()
    for text in next(pq.ParquetFile(folder / "scrubbed.parquet").iter_batches(UNGATED, columns=["text"]))["text"]:
        count_hits(text.as_py(), patterns)


WORKS = (by_stage, by_columns, by_pandas, by_phi_search, by_ungated_phi_search)


def measured(work: Callable[[Path], None], folder: Path) -> tuple[float, float, float]:
    """Return the seconds that `work` takes, and with its workers those of the processor and the peak memory in MiB.

    Memory is at most that: what workers share with the process that they come from counts once for each.
    """
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    started = time.perf_counter()
    work(folder)
    workers, times = resource.getrusage(resource.RUSAGE_CHILDREN), os.times()
    seconds, processor = time.perf_counter() - started, time.process_time() + times[2] + times[3]
    peak = re.search(
        r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text()
    )  # ru_maxrss is the parent's, if higher
    kibibytes = int(peak[1]) + worker_count() * workers.ru_maxrss if peak else float("nan")
    return seconds, processor, kibibytes / 1024


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    arguments = parser.parse_args()
    found, spawn = [], multiprocessing.get_context("spawn")  # a fork would begin with this process's memory
    with tempfile.TemporaryDirectory(dir="data", prefix=".partial-benchmark-") as name:
        folder = Path(name)
        write_file(folder, arguments.rows, seed=1)
        for work in WORKS:
            with ProcessPoolExecutor(1, mp_context=spawn) as process:
                seconds, processor, memory = process.submit(measured, work, folder).result()
            rows = min(UNGATED, arguments.rows) if work is by_ungated_phi_search else arguments.rows
            found.append(
                {
                    "what": work.__name__.removeprefix("by_").replace("_", " "),
                    "rows": rows,
                    "seconds": round(seconds, 1),
                    "processor_seconds": round(processor, 1),
                    "rows_per_second": round(rows / seconds),
                    "peak_memory_mib": round(memory),
                }
            )
    if arguments.json:
        print(json.dumps(found))
        return
    print("| " + " | ".join(name.replace("_", " ") for name in found[0]) + " |\n|" + " --- |" * len(found[0]))
    for row in found:
        cells = [f"{value:,}" if isinstance(value, int) else str(value) for value in row.values()]
        print(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
