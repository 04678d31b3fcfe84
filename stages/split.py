"""Split: scrubbed and validated records in, four disjoint splits out."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from pydantic import Field, model_validator

from stages.lib.records import independent_groups, read_records, write_records
from stages.lib.stage import In, Out, StageError, Strict, run

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


class Fractions(Strict):
    """Share of each diagnosis's records per split; approximate, because groups stay whole."""

    train: float = Field(gt=0, lt=1)
    """What models are fitted on."""
    validation: float = Field(gt=0, lt=1)
    """What an epoch, or a sweep's point, is chosen by."""
    calibration: float = Field(gt=0, lt=1)
    """What temperatures are fitted on."""
    test: float = Field(gt=0, lt=1)
    """What is reported."""

    @model_validator(mode="after")
    def _sum_to_one(self) -> Fractions:
        if abs(sum(self.model_dump().values()) - 1) > 1e-6:
            raise ValueError("the four fractions must sum to 1")
        return self


class SplitParams(Strict):
    """How records are split."""

    fractions: Fractions
    """Shares of the splits."""


class Params(Strict):
    """Parameters of the stage."""

    seed: int = Field(ge=0)
    """Seed of the order in which groups of equal size are dealt."""
    split: SplitParams
    """The split."""


def split(
    params: Params,
    scrubbed: In,
    data_quality: In,
    train: Out,
    validation: Out,
    calibration: Out,
    test: Out,
    splits: Out,
) -> None:
    """Deal whole groups of records to the splits, stratified by diagnosis."""
    records = read_records(scrubbed)
    component = independent_groups(records)
    assigned = assign(records, component, fractions=params.split.fractions.model_dump(), seed=params.seed)
    for name, path in {"train": train, "validation": validation, "calibration": calibration, "test": test}.items():
        write_records(records[assigned == name], path)
    splits.write_text(json.dumps(proof(records, component, assigned), indent=2) + "\n")


def assign(records: pd.DataFrame, component: np.ndarray, *, fractions: dict[str, float], seed: int) -> pd.Series:
    """Return the split of each record: each component goes where its diagnoses are furthest below their share.

    Large components are dealt first, since small ones can even out what they leave; ties by a keyed hash.
    A diagnosis's last components are kept for the splits that have none of it yet.
    Raise StageError where a diagnosis has fewer components than there are splits, or misses in one.
    """
    import numpy as np
    import pandas as pd

    counts = pd.crosstab(component, records["diagnosis"])
    if (few := (counts > 0).sum()[lambda groups: groups < len(fractions)]).any():
        listed = ", ".join(f"'{diagnosis}' ({groups})" for diagnosis, groups in few.items())
        raise StageError(
            f"split: {len(fractions)} splits need {len(fractions)} independent groups of each diagnosis; "
            f"too few in {listed}; add cases or leave these diagnoses out"
        )
    first = records["record_id"].groupby(component).min()
    order = sorted(counts.index, key=lambda group: (-counts.loc[group].sum(), _hash(seed, first[group])))
    target = np.outer(list(fractions.values()), counts.sum())
    dealt, waiting = np.zeros_like(target), (counts > 0).sum().to_numpy(copy=True)
    chosen = {}
    for group in order:
        row = counts.loc[group].to_numpy()
        has = row > 0
        empty = dealt[:, has] == 0
        last_chance = empty & (waiting[has] <= empty.sum(axis=0))
        shortfall = (target - dealt)[:, has].min(axis=1)
        best = int(np.where(last_chance.any(axis=1) | ~last_chance.any(), shortfall, -np.inf).argmax())
        dealt[best] += row
        waiting -= has
        chosen[group] = list(fractions)[best]
    missing = [
        f"'{counts.columns[diagnosis]}' in {list(fractions)[position]}"
        for position, diagnosis in np.argwhere(dealt == 0)
    ]
    if missing:
        raise StageError(
            f"split: groups span too many diagnoses to give every split each: none of {', '.join(missing)}"
        )
    return pd.Series([chosen[group] for group in component], index=records.index)


def proof(records: pd.DataFrame, component: np.ndarray, assigned: pd.Series) -> dict[str, object]:
    """Return sizes, what splits share (all 0) and the hash of the assignment."""
    keys = {
        "patients": records["patient_id"].groupby(assigned).unique(),
        "groups": records["groups"].groupby(assigned).apply(lambda column: column.explode().dropna().unique()),
    }
    pairs = sorted(zip(records["record_id"], assigned, strict=True))
    return {
        "records": assigned.value_counts().sort_index().to_dict(),
        "independent_groups": records.assign(component=component).groupby(assigned)["component"].nunique().to_dict(),
        "fewest_cases_per_diagnosis": records.groupby(assigned)["diagnosis"]
        .apply(lambda d: d.value_counts().min())
        .to_dict(),
        **{f"shared_{name}": sum(map(len, unique)) - len(set().union(*unique)) for name, unique in keys.items()},
        "assignment_sha256": hashlib.sha256(repr(pairs).encode()).hexdigest()[:16],
    }


def _hash(seed: int, record_id: str) -> str:
    return hashlib.sha256(f"{seed} {record_id}".encode()).hexdigest()


if __name__ == "__main__":
    run(split)
