"""Split: scrubbed and validated records in, four splits out that share no patient, group or near-duplicate."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from stages.lib.accepted import Accepted, Loans, accepted_for
from stages.lib.assignment import EXCLUDED, Parts, as_provided, by_date, by_hash, deciding_keys, hashed, separate
from stages.lib.leakage import cases_by_split, check_components, proof
from stages.lib.lending import deal, fill
from stages.lib.near_duplicates import NearDuplicateParams, with_near_duplicates
from stages.lib.records import independent_groups, read_records, write_records
from stages.lib.stage import In, Out, StageError, Strict, run

if TYPE_CHECKING:
    import pandas as pd

ORDER = ["test", "calibration", "validation", "train"]  # the most held-out first


class Fractions(Strict):
    """Share of the groups per split; approximate, because each group is drawn by itself.

    Where splits are provided, they say how validation and calibration are drawn from train, if it is without them.
    """

    train: float = Field(gt=0, lt=1)
    """What models are fitted on."""
    validation: float = Field(gt=0, lt=1)
    """What an epoch, or a sweep's point, is chosen by."""
    calibration: float = Field(gt=0, lt=1)
    """What temperatures are fitted on."""
    test: float = Field(gt=0, lt=1)
    """What is reported; unused where a fold, a date or the publisher says what is tested."""

    @model_validator(mode="after")
    def _sum_to_one(self) -> Fractions:
        if abs(sum(self.model_dump().values()) - 1) > 1e-6:
            raise ValueError("the four fractions must sum to 1")
        return self


class SplitParams(Strict):
    """How records are split."""

    strategy: Literal["grouped", "temporal", "provided"]
    """`grouped`: all by hash. `temporal`: test on what is dated `test_from` or later, the others by hash. `provided`:
    as published, by the records' column `split`; where that has no validation or calibration, part of train by hash."""
    test_from: Annotated[str, BeforeValidator(str), Field(pattern=r"^\d{4}(-\d\d(-\d\d)?)?$")] | None
    """First year, month or day of the test split, ISO 8601; for `temporal` only. Patients with earlier records, too,
    keep their later ones alone."""
    fractions: Fractions
    """Shares of the splits."""
    folds: int = Field(ge=2, le=20)
    """Folds of a cross-validation: over all of them, each record is tested once."""
    fold: int | None = Field(ge=1)
    """The fold that is tested, from 1; null for one split by fractions. For `grouped` only."""
    train_only: list[str]
    """Sources whose records are for training alone, such as patients simulated beside real ones."""
    near_duplicates: NearDuplicateParams
    """Texts that must not cross splits."""
    max_component: float = Field(gt=0, le=1)
    """Largest share of the records that may hang together by patients, groups and near-duplicates."""
    max_excluded: float = Field(ge=0, le=1)
    """Largest share of the records that may be excluded because they join splits."""

    @model_validator(mode="after")
    def _agree(self) -> SplitParams:
        if (self.strategy == "temporal") != (self.test_from is not None):
            raise ValueError("test_from must be a date if strategy is temporal, and else null")
        if self.fold is not None and (self.fold > self.folds or self.strategy != "grouped"):
            raise ValueError("fold must be at most folds, and null unless strategy is grouped")
        return self


class Params(Strict):
    """Parameters of the stage."""

    seed: int = Field(ge=0)
    """Seed of the hash that decides each group's split."""
    split: SplitParams
    """The split."""


def split(
    params: Params,
    scrubbed: In,
    accepted: In,
    data_quality: In,
    train: Out,
    validation: Out,
    calibration: Out,
    test: Out,
    splits: Out,
    split_counts: Out,
) -> None:
    """Assign every record to a split, or exclude it; near-duplicates become groups of the records.

    `splits` gets the proof that splits share nothing, `split_counts` the cases of each diagnosis in each split.
    """
    scrubbed_records, known = read_records(scrubbed), accepted_for(scrubbed, accepted)
    records = with_near_duplicates(scrubbed_records, params.split.near_duplicates)
    component = independent_groups(records)
    check_components(records, component, largest=params.split.max_component)
    keys = deciding_keys(scrubbed_records)
    assigned, lent, _ = assign(records, keys, params.split, seed=params.seed, accepted=known)
    if (excluded := (assigned == EXCLUDED).mean()) > params.split.max_excluded:
        raise StageError(
            f"split: {excluded:.1%} of the records would be excluded because they join splits, more than "
            f"split.max_excluded; declare fewer groups, or such as lie within each other only once, or raise that bound"
        )
    for name, path in {"train": train, "validation": validation, "calibration": calibration, "test": test}.items():
        write_records(records[assigned == name], path)
    splits.write_text(json.dumps(proof(records, component, assigned=assigned, lent=lent), indent=2) + "\n")
    cases_by_split(records, assigned).to_csv(split_counts, index=False, lineterminator="\n")


def assign(
    records: pd.DataFrame, decided: pd.Series, params: SplitParams, *, seed: int, accepted: Accepted
) -> tuple[pd.Series, int, Loans]:
    """Return the split of each record, or `excluded`; the number of records in lent groups; what tests lend and borrow.

    What is tested, or provided to be held out, is decided first, and the same for all folds; then the rest is dealt
    to the other splits. No record that the `accepted` split tests leaves the test but to be excluded.
    Raise StageError where a diagnosis has too few independent groups for every split to have one.
    """
    import pandas as pd

    dealt = records[~train_only(records, params.train_only)]
    keys = decided[decided.index.isin(dealt.index)]
    loans: Loans = {}
    lent = 0
    if params.strategy == "grouped":
        test, parts = tested_part(params)
        held, hashes = {test: "test"}, hashed(keys, f"{seed} test")
        scheme = f"seed {seed}, " + (f"{params.folds} folds" if params.fold else f"test {params.fractions.test}")
        known = accepted.diagnoses if scheme in accepted.loans else {}
        remembered = accepted.loans.get(scheme, {})
        own, outer, loans[scheme] = deal(dealt, hashes, parts, secret=str(seed), loans=remembered, accepted=known)
        lent = int((own != by_hash(hashes, parts))[outer != EXCLUDED].sum())
    else:
        own = as_provided(dealt) if params.test_from is None else by_date(dealt, params.test_from)
        held = {name: name for name in ORDER[:-1] if (own == name).any()}
        outer = separate(dealt, own, order=[*held, "rest"])
    # Excluded records are dealt as well, lest what they exclude came back when they go.
    rest = own.where(outer == EXCLUDED, outer)[lambda part: ~part.isin([*held, EXCLUDED])].index
    left = [name for name in ORDER if name not in held.values()]
    shares = {name: getattr(params.fractions, name) for name in left}
    inner = Parts({name: share / sum(shares.values()) for name, share in shares.items()}, dict.fromkeys(left, 1))
    others = separate(dealt.loc[rest], by_hash(hashed(keys.loc[rest], f"{seed} rest"), inner), order=left)
    others, more = fill(dealt, others.where(outer[rest] != EXCLUDED, EXCLUDED), inner, secret=str(seed))
    assigned = pd.concat([outer.drop(rest).replace(held), others]).reindex(records.index, fill_value="train")
    return separate(records, assigned, order=ORDER), lent + more, loans


def tested_part(params: SplitParams) -> tuple[str, Parts]:
    """Return which part is tested, and the parts that it is one of: test and rest, or folds.

    Whatever is tested, three groups of each diagnosis are left for the other splits.
    """
    if params.fold is None:
        share = params.fractions.test
        return "test", Parts({"test": share, "rest": 1 - share}, {"test": 1, "rest": 3})
    folds = [f"fold {number}" for number in range(1, params.folds + 1)]
    least = -(-3 // (params.folds - 1))
    return folds[params.fold - 1], Parts(dict.fromkeys(folds, 1 / params.folds), dict.fromkeys(folds, least))


def train_only(records: pd.DataFrame, sources: list[str]) -> pd.Series:
    """Return which records come from `sources`; raise StageError where one of them has no record."""
    there = sorted(records["source"].dropna().unique())
    if unknown := [source for source in sources if source not in there]:
        raise StageError(
            f"params.yaml: split.train_only: no record is from {unknown[0]!r}; there are {', '.join(there)}"
        )
    return records["source"].isin(sources)


if __name__ == "__main__":
    run(split)
