"""Pair the test cases of two revisions, as columns that can be measured and resampled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

ATTRIBUTES = ("sex", "age_band", "source", "voice")
OPTIONAL = {"tuned_confidence": "confidence", "tuned_brier": "brier"}
SMALLEST_GROUP = 30  # cases; the interval of a share of fewer is wider than 30 points

Sample = Mapping[str, "np.ndarray"]  # columns of cases, aligned


@dataclass(frozen=True)
class Pairing:
    """The cases to compare: the same ones in the same order on both sides, or all of each side's."""

    base: Sample
    head: Sample
    ids: list[str]
    """The cases of both sides; without any, the sides are compared unpaired."""
    subgroups: list[tuple[str, str]]
    """Attribute and group of each column of `members`."""
    added: list[str]
    """Cases that `head` alone has."""
    removed: list[str]
    """Cases that `base` alone has."""
    relabelled: list[str]
    """Cases with another gold diagnosis in `head`, which are not compared."""


def pair(base: pd.DataFrame, head: pd.DataFrame) -> Pairing:
    """Pair the cases that both revisions have with one gold diagnosis; groups and attributes are those of `head`."""
    common = base.index[base.index.isin(head.index)]
    same = (base.loc[common, "gold"] == head.loc[common, "gold"]).to_numpy()
    ids = list(common[same])
    one, two = (base.loc[ids], head.loc[ids]) if ids else (base, head)
    names = sorted({*one["gold"], *two["gold"], *one["tuned"], *two["tuned"]})
    optional = [column for column in OPTIONAL if column in base and column in head]
    described = [two, two] if ids else [one, two]
    subgroups = [group for group in _subgroups(described[0]) if group in _subgroups(described[1])]
    first, second = (
        _columns(side, names, optional=optional) | _grouping(about, subgroups)
        for side, about in zip((one, two), described, strict=True)
    )
    added, removed = sorted(head.index.difference(base.index)), sorted(base.index.difference(head.index))
    return Pairing(first, second, ids, subgroups, added, removed, relabelled=sorted(common[~same]))


def _columns(side: pd.DataFrame, names: list[str], *, optional: list[str]) -> dict[str, np.ndarray]:
    """Return what is measured; diagnoses are numbers in the order of `names`."""
    import pandas as pd

    coded = {to: pd.Categorical(side[column], names).codes for column, to in (("gold", "gold"), ("tuned", "answer"))}
    plain = {"tuned_rank": "rank", "tuned_p_gold": "p_gold"} | {column: OPTIONAL[column] for column in optional}
    return coded | {to: side[column].to_numpy() for column, to in plain.items()}


def _grouping(about: pd.DataFrame, subgroups: list[tuple[str, str]]) -> dict[str, np.ndarray]:
    """Return the number of each case's independent group, and (cases, subgroups) whether it belongs to each."""
    import numpy as np
    import pandas as pd

    group = about["group"] if "group" in about else about.index.to_series()
    members = [(about[attribute].astype(str) == value).to_numpy() for attribute, value in subgroups]
    table = np.column_stack(members) if members else np.zeros((len(about), 0), dtype=bool)
    return {"group": pd.factorize(group)[0], "members": table}


def _subgroups(about: pd.DataFrame) -> list[tuple[str, str]]:
    """Return attribute and group of all subgroups that are large enough to be judged, but for those of all cases."""
    return [
        (attribute, str(value))
        for attribute in ATTRIBUTES
        if attribute in about
        for value, cases in about[attribute].dropna().astype(str).value_counts().sort_index().items()
        if SMALLEST_GROUP <= cases < len(about)
    ]
