"""Loans of whole groups to the parts to which a hash gave too few of a diagnosis.

Without a memory no rule could keep loans and promises: one that has to test one of the first four groups of every
diagnosis, and never takes one back, has few left to train on. So whoever accepts data (stages/lib/accepted.py) accepts
what is lent with them, and then

- a loan that was accepted stays, needed or not;
- a part that is tested lends no group of a diagnosis that was accepted, and no group is lent twice.

If each change of the data is accepted, a record added thus never moves one that was tested to what models learn from.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Mapping
from typing import TYPE_CHECKING

from stages.lib.assignment import EXCLUDED, Parts, by_hash, digest, separate
from stages.lib.records import independent_groups
from stages.lib.stage import StageError

if TYPE_CHECKING:
    import pandas as pd


def deal(
    records: pd.DataFrame,
    hashes: pd.Series,
    parts: Parts,
    *,
    secret: str,
    loans: Mapping[str, str],
    accepted: Collection[str],
) -> tuple[pd.Series, pd.Series, dict[str, str]]:
    """Return the part of each record, the same with what must be excluded, and all loans: parts by the keys' hashes.

    What is dealt depends on the hashes and the loans alone: with those returned, the same records are dealt the same.
    `loans` and diagnoses were `accepted`.
    """
    loans, tested = dict(loans), [name for name in parts.shares if name != "rest"]
    if unknown := sorted(set(loans.values()) - set(parts.shares)):
        raise StageError(
            f"data/accepted.json: a loan to {unknown[0]!r}; parts of this split are {', '.join(parts.shares)}; set "
            f"`loans` of these sources to {{}} and run `python -m tools.accept`"
        )
    known = set(hashes[hashes.index.isin(records.index[records["diagnosis"].isin(accepted)])])
    while True:
        own = by_hash(hashes, parts, loans)
        chosen = separate(records, own, order=list(parts.shares))
        in_test = hashes.index.isin(chosen.index[chosen.isin(tested)])
        kept = hashes.isin(loans) | (hashes.isin(known) & in_test)
        filled, lent = fill(records, chosen, parts, secret=secret, kept=hashes.index[kept])
        if not lent:
            return own, chosen, loans
        moved = filled[filled != chosen]
        taken = hashes[hashes.index.isin(moved.index)]
        loans |= dict(zip(taken, moved.loc[taken.index], strict=True))


def fill(
    records: pd.DataFrame, chosen: pd.Series, parts: Parts, *, secret: str, kept: Collection[Hashable] = ()
) -> tuple[pd.Series, int]:
    """Return `chosen` with independent groups lent to the parts that have too few of a diagnosis; and records lent.

    The part with the most groups of the diagnosis beyond its share lends its smallest, by hash among equals, if that
    leaves enough of each diagnosis, and holds no record that is `kept`. `chosen` must separate the records.
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
    lent = _lend(held.assign(kept=held.index.isin(kept)), pairs, counts, short=short, parts=parts, secret=secret)
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
    kept = set(held.loc[held["kept"], "component"])
    lent: dict[int, str] = {}

    def preference(diagnosis: str, component: int) -> tuple[float, int, str]:
        source = part[component]
        surplus = counts[diagnosis, source] - parts.shares[source] * len(members[diagnosis])
        return -surplus, size[component], tie[component]

    for diagnosis, target in short:
        while counts[diagnosis, target] < parts.least[target]:
            spare = [
                component
                for component in members[diagnosis]
                if part[component] != target
                and all(counts[name, part[component]] > parts.least[part[component]] for name in diagnoses[component])
            ]
            able = [component for component in spare if component not in kept]
            if not able:
                raise StageError(_refusal(diagnosis, target, bound=bool(spare)))
            component = min(able, key=lambda component: preference(diagnosis, component))
            for name in diagnoses[component]:
                counts[name, part[component]] -= 1
                counts[name, target] += 1
            part[component] = lent[component] = target
    return lent


def _refusal(diagnosis: str, target: str, *, bound: bool) -> str:
    """Say why no group can be lent; if `bound`, only what was accepted forbids it."""
    if bound:
        return (
            f"split: {target} has too few groups of '{diagnosis}', and only groups that the accepted split tests, or "
            f"has lent, could be spared; add cases, or, to train on what was tested, set `loans` of these sources to "
            f"{{}} in data/accepted.json and run `python -m tools.accept`"
        )
    return (
        f"split: no group of '{diagnosis}' can be spared for {target} without leaving a diagnosis that it shares with "
        f"too few; add cases or leave such diagnoses out"
    )
