"""Accept the scrubbed data as what later data of their sources are compared with: `python -m tools.accept`.

With them it accepts which groups `split` lends by params.yaml, for later splits to lend them too.
Prints what changes against the data accepted before: diagnoses that come and go, and how far the rest has drifted.
Commit data/accepted.json, so that the change is reviewed.
"""

from __future__ import annotations

import sys
from pathlib import Path

from stages.lib.accepted import Accepted, Loans, read_accepted, sources_of, write_accepted
from stages.lib.assignment import deciding_keys
from stages.lib.launcher import error_lines
from stages.lib.near_duplicates import with_near_duplicates
from stages.lib.params import read_document, read_params
from stages.lib.records import read_records
from stages.lib.stage import StageError
from stages.split import Params, assign


def accept() -> list[str]:
    """Write the statistics of the data that `validate` reads to where it looks for them; return what to tell.

    Raise StageError where the data are missing, or cannot be split by params.yaml.
    """
    stages = read_document("dvc.yaml")["stages"]
    deps = map(Path, stages["validate"]["deps"])
    paths = {path.stem: path for path in deps if path.parts[0] != "stages"}
    if not paths["scrubbed"].exists():
        raise StageError(f"{paths['scrubbed']}: missing; run `dvc repro scrub`, which makes it")
    accepted, sources, now = read_accepted(paths["accepted"]), sources_of(paths["scrubbed"]), measure(paths["scrubbed"])
    before, params = accepted.get(sources, Accepted()), read_params(Params, stages["split"]["params"])
    loans = lent(paths["scrubbed"], params, before=before)
    write_accepted(accepted | {sources: now.model_copy(update={"loans": loans})}, paths["accepted"])
    records, diagnoses = sum(now.diagnoses.values()), len(now.diagnoses)
    written = (
        f"{paths['accepted']}: {records:,} records of {diagnoses:,} diagnoses are accepted for {sources}; commit it"
    )
    return [*changes(before, now), written]


def measure(scrubbed: Path) -> Accepted:
    """Return the statistics of scrubbed records, by diagnosis in alphabetical order."""
    import numpy as np
    import pandas as pd
    import pyarrow.parquet as pq

    from stages.lib.labels import tokens
    from stages.lib.observations import LENGTHS, ROWS, length_of

    diagnoses, lengths = pd.Series(dtype="int64"), np.zeros(len(LENGTHS) + 1, dtype="int64")
    for batch in pq.ParquetFile(scrubbed).iter_batches(batch_size=ROWS, columns=["text", "diagnosis"]):
        table = batch.to_pandas()
        names = table["diagnosis"].dropna().str.strip()
        diagnoses = diagnoses.add(names[names.ne("")].value_counts(), fill_value=0)
        words = np.array([len(tokens(text)) for text in table["text"].fillna("")])
        lengths += np.bincount(length_of(words), minlength=len(lengths))
    counts = {str(name): int(count) for name, count in diagnoses.sort_index().items()}
    return Accepted(diagnoses=counts, lengths=lengths.tolist())


def lent(scrubbed: Path, params: Params, *, before: Accepted) -> Loans:
    """Return what `split` would lend of scrubbed records, and what was accepted `before` of other seeds and shares."""
    records = read_records(scrubbed)
    joined = with_near_duplicates(records, params.split.near_duplicates)
    *_, loans = assign(joined, deciding_keys(records), params.split, seed=params.seed, accepted=before)
    return {scheme: dict(sorted(groups.items())) for scheme, groups in sorted((before.loans | loans).items())}


def changes(before: Accepted, now: Accepted) -> list[str]:
    """Say what differs between two statistics, in lines."""
    from stages.lib.expectations.drift import divergence

    if not before.diagnoses:
        return []
    new, lost = (sorted(one.diagnoses.keys() - other.diagnoses.keys()) for one, other in ((now, before), (before, now)))
    lines = [f"{word}: {', '.join(names)}" for word, names in (("new", new), ("lost", lost)) if names]
    numbers = {name: number for number, name in enumerate({**before.diagnoses, **now.diagnoses})}
    old, fresh = ({numbers[name]: count for name, count in one.diagnoses.items()} for one in (before, now))
    labels, lengths = divergence(fresh, old), divergence(*(dict(enumerate(one.lengths)) for one in (now, before)))
    return [*lines, f"divergence of diagnoses {labels}, of text lengths {lengths} (0 is none, 1 is all)"]


if __name__ == "__main__":
    try:
        print("\n".join(accept()))
    except StageError as error:
        sys.exit(error_lines(error))
