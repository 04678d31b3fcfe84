"""Loans of whole groups to the parts to which a hash gave too few of a diagnosis."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from stages.lib.assignment import EXCLUDED, Parts, digest
from stages.lib.records import independent_groups
from stages.lib.stage import StageError

if TYPE_CHECKING:
    import pandas as pd


def fill(records: pd.DataFrame, chosen: pd.Series, parts: Parts, *, secret: str) -> tuple[pd.Series, int]:
    """Return `chosen` with independent groups lent to the parts that have too few of a diagnosis; and records lent.

    The part with the most groups of the diagnosis beyond its share lends its smallest, by hash among equals, if that
    leaves enough of each diagnosis. `chosen` must separate the records.
    Raise StageError where a diagnosis has too few groups, or its groups hold what others need.
    """
    held = records.loc[chosen[chosen != EXCLUDED].index, ["record_id", "patient_id", "groups", "diagnosis"]]
    held = held.assign(component=independent_groups(held), part=chosen)
    pairs = held.drop_duplicates(["component", "diagnosis"])
    groups = (
        pairs["diagnosis"].value_counts().reindex(sorted(records.loc[chosen.index, "diagnosis"].unique()), fill_value=0)
    )
    if len(few := groups[groups < sum(parts.least.values())]):
        listed = ", ".join(f"'{diagnosis}' ({count})" for diagnosis, count in few.items())
        raise StageError(
            f"split: {', '.join(parts.least)} need {sum(parts.least.values())} independent groups of each diagnosis; "
            f"too few in {listed}; add cases or leave these diagnoses out"
        )
    counts = Counter(zip(pairs["diagnosis"], pairs["part"], strict=True))
    short = [
        (diagnosis, part)
        for diagnosis in sorted(pairs["diagnosis"].unique())
        for part, least in parts.least.items()
        if counts[diagnosis, part] < least
    ]
    if not short:
        return chosen, 0
    lent = _lend(held, pairs, counts, short=short, parts=parts, secret=secret)
    moved = held["component"].map(lent).dropna()
    return chosen.where(~chosen.index.isin(moved.index), moved.reindex(chosen.index)), len(moved)


def _lend(
    held: pd.DataFrame,
    pairs: pd.DataFrame,
    counts: Counter[tuple[str, str]],
    *,
    short: list[tuple[str, str]],
    parts: Parts,
    secret: str,
) -> dict[int, str]:
    """Return the new part of each component that is lent, and keep `counts`, of components by diagnosis and part."""
    part = dict(zip(pairs["component"], pairs["part"], strict=True))
    diagnoses = pairs.groupby("component")["diagnosis"].agg(list)
    members = pairs.groupby("diagnosis")["component"].agg(list)
    size = held.groupby("component").size().to_dict()
    tie = {number: digest(secret, first) for number, first in held.groupby("component")["record_id"].min().items()}
    lent: dict[int, str] = {}

    def preference(diagnosis: str, component: int) -> tuple[float, int, str]:
        source = part[component]
        surplus = counts[diagnosis, source] - parts.shares[source] * len(members[diagnosis])
        return -surplus, size[component], tie[component]

    for diagnosis, target in short:
        while counts[diagnosis, target] < parts.least[target]:
            able = [
                component
                for component in members[diagnosis]
                if part[component] != target
                and all(counts[name, part[component]] > parts.least[part[component]] for name in diagnoses[component])
            ]
            if not able:
                raise StageError(
                    f"split: no group of '{diagnosis}' can be spared for {target} without leaving a diagnosis that it "
                    f"shares with too few; add cases or leave such diagnoses out"
                )
            component = min(able, key=lambda component: preference(diagnosis, component))
            for name in diagnoses[component]:
                counts[name, part[component]] -= 1
                counts[name, target] += 1
            part[component] = lent[component] = target
    return lent
