"""Accept the scrubbed data as what later data of their sources are compared with: `python -m tools.accept`.

Prints what changes against the data accepted before: diagnoses that come and go, and how far the rest has drifted.
Commit data/accepted.json, so that the change is reviewed.
"""

from __future__ import annotations

import sys
from pathlib import Path

from stages.lib.accepted import Accepted, measure, read_accepted, sources_of, write_accepted
from stages.lib.launcher import error_lines
from stages.lib.params import read_document
from stages.lib.stage import StageError


def accept() -> list[str]:
    """Write the statistics of the data that `validate` reads to where it looks for them; return what to tell."""
    deps = map(Path, read_document("dvc.yaml")["stages"]["validate"]["deps"])
    paths = {path.stem: path for path in deps if path.parts[0] != "stages"}
    if not paths["scrubbed"].exists():
        raise StageError(f"{paths['scrubbed']}: missing; run `dvc repro scrub`, which makes it")
    accepted, sources, now = read_accepted(paths["accepted"]), sources_of(paths["scrubbed"]), measure(paths["scrubbed"])
    write_accepted(accepted | {sources: now}, paths["accepted"])
    records, diagnoses = sum(now.diagnoses.values()), len(now.diagnoses)
    written = (
        f"{paths['accepted']}: {records:,} records of {diagnoses:,} diagnoses are accepted for {sources}; commit it"
    )
    return [*changes(accepted.get(sources, Accepted()), now), written]


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
