"""Assignment of records to parts that share no patient or group: by keyed hash, so that new records move no old one.

Without a memory of earlier runs, a record can keep its part for good only if nothing but the record and the seed decide
it: were joined groups to move together, the first record to join two of them would move one. So each declared group (or
a patient without any) is decided by its own hash, and what joins groups of different parts is excluded, not moved:

- a record that names such groups is excluded itself;
- of a patient or a group whose records still lie in several parts (near-duplicates are a group), those in the most
  held-out part (of folds: the first) stay and the others are excluded. So a test split loses no record to a new one.

A record added can then exclude others and moves none, with one exception: where the hash gives a part too few groups
of a diagnosis, as it may where a diagnosis has few, groups are lent to it, and which ones depends on all records. So
what is lent to and from a test split is remembered with the data that a person accepts, and stays (lending.py); a loan
between the others may end when records arrive. (Where added texts make a phrase a template's, near-duplicates may cease
to be such, and what was excluded for them returns to its own part.)
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stages.lib.stage import StageError

if TYPE_CHECKING:
    import pandas as pd

EXCLUDED = "excluded"


@dataclass(frozen=True)
class Parts:
    """Parts to deal records to, the most held-out first: their shares, and the least groups of a diagnosis in each."""

    shares: Mapping[str, float]
    least: Mapping[str, int]


def deciding_keys(records: pd.DataFrame) -> pd.Series:
    """Return the declared groups of each record, or its patient; indexed as `records`, once per group."""
    groups = records["groups"].explode()
    return groups.where(groups.notna(), records["patient_id"].reindex(groups.index))


def by_hash(hashes: pd.Series, parts: Parts, loans: Mapping[str, str] | None = None) -> pd.Series:
    """Return the part of each record, `excluded` if its keys' hashes disagree; they may name a record more than once.

    A hash in `loans` has the part that it is lent to.
    """
    import numpy as np
    import pandas as pd

    names, loans = list(parts.shares), loans or {}
    codes, unique = pd.factorize(hashes)
    numbers = np.array([int(key[:13], 16) / 16**13 for key in unique])
    drawn = np.searchsorted(np.cumsum(list(parts.shares.values()))[:-1], numbers, side="right")
    drawn = np.array([names.index(loans[key]) if key in loans else own for key, own in zip(unique, drawn, strict=True)])
    chosen = pd.Series(drawn[codes], index=hashes.index).groupby(level=0)
    lowest = chosen.min()
    return pd.Series(np.array(names)[lowest], lowest.index).where(lowest == chosen.max(), EXCLUDED)


def hashed(keys: pd.Series, secret: str) -> pd.Series:
    """Return the digest of each key under the secret."""
    return keys.map({key: digest(secret, key) for key in keys.unique()})


def separate(records: pd.DataFrame, chosen: pd.Series, *, order: list[str]) -> pd.Series:
    """Return `chosen` with `excluded` for records whose patient or group has others in a part earlier in `order`.

    What is excluded counts as if it stayed, so that a record added never brings another back.
    """
    import pandas as pd

    rank = chosen.map({name: position for position, name in enumerate(order)}).dropna().rename("rank")
    held = records.loc[rank.index]
    keys = pd.concat(["patient " + held["patient_id"], "group " + held["groups"].explode().dropna()]).to_frame("key")
    joined = keys.join(rank)
    first = joined.groupby("key")["rank"].transform("min").groupby(level=0).min()
    return chosen.where(rank.reindex(chosen.index) == first.reindex(chosen.index), EXCLUDED)


def by_date(records: pd.DataFrame, first: str) -> pd.Series:
    """Return `test` for records dated `first` (ISO 8601) or later, and `rest` for others.

    Raise StageError where dates are missing or too coarse to say, or a diagnosis is on one side only.
    """
    import numpy as np
    import pandas as pd

    dates = records["date"].astype("str").where(records["date"].notna(), "")
    if vague := int(sum(date != first and first.startswith(date) for date in dates)):
        raise StageError(
            f"split: {vague:,} of {len(records):,} records have no date, or one too coarse to compare with "
            f"split.test_from = {first}; name a year alone, or leave these records out"
        )
    part = pd.Series(np.where(dates >= first, "test", "rest"), index=records.index)
    sides = pd.crosstab(records["diagnosis"], part).reindex(columns=["test", "rest"], fill_value=0)
    if len(none := sides[(sides == 0).any(axis=1)]):
        raise StageError(
            f"split: no case before or none from split.test_from = {first} on of {', '.join(map(repr, none.index))}; "
            f"choose another date or leave these diagnoses out"
        )
    return part


def as_provided(records: pd.DataFrame) -> pd.Series:
    """Return the split that each record came with, `rest` for train.

    Raise StageError where records came with none, nothing is to be tested, or a diagnosis has nothing to train on.
    """
    names = ["test", "calibration", "validation", "train"]
    unknown = records[~records["split"].isin(names)]
    if len(unknown):
        raise StageError(
            f"split: {len(unknown):,} of {len(records):,} records came without a split, of "
            f"{', '.join(sorted(unknown['source'].unique()))}; give `split` to these sources in params.yaml, name them "
            f"in split.train_only, or choose another strategy"
        )
    if not (records["split"] == "test").any():
        raise StageError("split: no record was provided for test; choose another split.strategy")
    trained = records.loc[records["split"] == "train", "diagnosis"]
    if never := sorted(set(records["diagnosis"]) - set(trained)):
        raise StageError(
            f"split: no record was provided to train on of {', '.join(map(repr, never))}; leave these diagnoses out"
        )
    return records["split"].replace("train", "rest")


def digest(secret: str, key: str) -> str:
    """Return the SHA-256 of `key` under the secret, in hexadecimal digits."""
    return hashlib.sha256(f"{secret} {key}".encode()).hexdigest()
