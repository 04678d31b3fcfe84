"""Small data to split: records from a few fields, drawn ones that are joined in many ways, and a call of `assign`."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import pandas as pd
from hypothesis import strategies as st

from stages.lib.accepted import Accepted, Loans
from stages.lib.assignment import deciding_keys
from stages.lib.near_duplicates import with_near_duplicates
from stages.split import SplitParams, assign

PARAMS: dict[str, Any] = {
    "strategy": "grouped",
    "test_from": None,
    "fractions": {"train": 0.5, "validation": 0.15, "calibration": 0.15, "test": 0.2},
    "folds": 5,
    "fold": None,
    "train_only": [],
    "near_duplicates": {"words": 3, "similarity": 0.7, "template_share": 0.01},
    "max_component": 0.2,
    "max_excluded": 0.05,
}
SPLITS = set(PARAMS["fractions"])


def cases(*rows: tuple[str, list[str], str]) -> pd.DataFrame:
    """Return records from (patient, groups, diagnosis), each of other words."""
    frame = pd.DataFrame(rows, columns=["patient_id", "groups", "diagnosis"])
    ids = [f"r{index:04}" for index in range(len(rows))]
    texts = [" ".join(f"w{index}x{word}" for word in range(6)) for index in range(len(rows))]
    return frame.assign(record_id=ids, text=texts, source="files", date="2020")


def singles(count: int, diagnoses: int = 3) -> pd.DataFrame:
    return cases(*((f"p{index}", [], f"d{index % diagnoses}") for index in range(count)))


def dealt(records: pd.DataFrame, seed: int = 1, **changes: Any) -> tuple[pd.Series, int]:
    """Return the split of each record by record_id, and the number of records lent, nothing having been accepted."""
    assigned, lent, _ = dealt_with(Accepted(), records, seed, **changes)
    return assigned, lent


def dealt_with(
    accepted: Accepted, records: pd.DataFrame, seed: int = 1, **changes: Any
) -> tuple[pd.Series, int, Loans]:
    """Return what `assign` does, the split of each record by record_id."""
    params = SplitParams.model_validate(PARAMS | changes)
    joined = with_near_duplicates(records, params.near_duplicates)
    assigned, lent, loans = assign(joined, deciding_keys(records), params, seed=seed, accepted=accepted)
    return assigned.set_axis(records["record_id"]), lent, loans


def accept(records: pd.DataFrame, loans: Loans) -> Accepted:
    return Accepted(diagnoses=records["diagnosis"].value_counts().to_dict(), loans=loans)


def rows_by_split(records: pd.DataFrame, assigned: pd.Series) -> dict[str, list[dict[Any, Any]]]:
    held = records.set_index("record_id", drop=False)
    return {name: held[(assigned == name).to_numpy()].to_dict("records") for name in sorted(SPLITS)}


row = st.tuples(
    st.integers(0, 200), st.lists(st.integers(0, 200), max_size=2), st.sampled_from("abc"), st.integers(0, 200)
)


def drawn_cases(drawn: list[tuple[int, list[int], str, int]]) -> pd.DataFrame:
    """Return records, some of which share a text but for a word."""
    records = cases(*((f"p{patient}", [f"g{group}" for group in groups], name) for patient, groups, name, _ in drawn))
    texts = [
        " ".join(f"t{text}w{word}" for word in range(40)) + f" {record}" for record, (*_, text) in enumerate(drawn)
    ]
    return records.assign(text=texts)


many = st.lists(row, min_size=40, max_size=120)


def growing(seed: int, groups: int) -> Iterator[pd.DataFrame]:
    """Yield records that are added to: a diagnosis of so few groups, records that join them, another diagnosis, ..."""
    random, rows = Random(seed), list[tuple[int, list[int], str, int]]()
    for first, diagnosis in zip(range(0, 30, 10), "abc", strict=True):
        rows += [(number, [number], diagnosis, number) for number in range(first, first + groups)]
        yield drawn_cases(rows)
        for _ in range(4):
            joined = [first + random.randrange(10) for _ in range(random.choice([1, 1, 2]))]
            rows.append((random.randrange(60), joined, diagnosis, random.randrange(100)))
        yield drawn_cases(rows)
