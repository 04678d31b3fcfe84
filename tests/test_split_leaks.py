"""What a split promises, on drawn data: nothing is shared between splits, and records added move none."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from leak_check import leaks
from toy_split import (
    SPLITS,
    accept,
    cases,
    dealt,
    dealt_with,
    drawn_cases,
    growing,
    many,
    row,
    rows_by_split,
    singles,
)

from stages.lib.accepted import Accepted
from stages.lib.assignment import EXCLUDED
from stages.lib.stage import StageError

FEW_TO_SPARE = {"train": 0.4, "validation": 0.1, "calibration": 0.1, "test": 0.4}


@given(many, st.integers(0, 5), st.sampled_from([None, 1, 3]))
@settings(deadline=None, max_examples=25)
def test_an_independent_check_finds_no_leak(drawn: list[Any], seed: int, fold: int | None) -> None:
    records = drawn_cases(drawn)
    try:
        assigned, _ = dealt(records, seed, fold=fold)
    except StageError:
        return
    assert leaks(rows_by_split(records, assigned)) == []
    assert assigned.index.tolist() == records["record_id"].tolist()
    kept = assigned[assigned != EXCLUDED]
    assert set(kept) == SPLITS
    assert (pd.crosstab(kept.to_numpy(), records.set_index("record_id")["diagnosis"][kept.index]) > 0).to_numpy().all()


@given(many, st.randoms(use_true_random=False), st.sampled_from(["train test", "train validation test"]))
@settings(deadline=None, max_examples=20)
def test_an_independent_check_finds_no_leak_in_published_splits(drawn: list[Any], random: Any, names: str) -> None:
    """However they leaked: what is held out is what was published so, and what is left of train is not."""
    records = drawn_cases(drawn)
    records["split"] = [random.choice(["train", *names.split()]) for _ in drawn]
    try:
        assigned, _ = dealt(records, strategy="provided")
    except StageError:
        return
    assert leaks(rows_by_split(records, assigned)) == []
    came = records.set_index("record_id")["split"]
    for name in names.split()[1:]:
        assert set(came[assigned[assigned == name].index]) <= {name}
    assert (assigned[came == "test"] != "train").all()
    assert not assigned[came != "train"].isin(SPLITS - set(names.split())).any()


@given(many, st.lists(row, max_size=30), st.integers(0, 5))
@settings(deadline=None, max_examples=12)
def test_records_added_to_published_splits_move_none_that_was_not_lent(old: list[Any], new: list[Any], to: int) -> None:
    records = drawn_cases(old + new)
    records["split"] = [["train", "train", "test"][(to + position) % 3] for position in range(len(records))]
    try:
        before, lent = dealt(records[: len(old)], strategy="provided")
        after, lent_after = dealt(records, strategy="provided")
    except StageError:
        return
    after = after[before.index]
    assert (after[before == "test"] == "test").all()
    assert ((after != before) & (after != EXCLUDED)).sum() <= lent + lent_after


@pytest.mark.parametrize("path", sorted(Path(__file__).parent.glob("cases/split/*/given/data/*.jsonl")), ids=str)
def test_an_independent_check_finds_no_leak_in_the_golden_cases(path: Path) -> None:
    records = pd.DataFrame([json.loads(line) for line in path.read_text().splitlines()]).assign(source="files")
    for fold in (None, 1, 2):
        assert leaks(rows_by_split(records, dealt(records, fold=fold)[0])) == []


def test_the_independent_check_finds_what_leaks() -> None:
    text = "a man of forty with a rash on both of his arms and some pain in the left knee since May"
    one = {"record_id": "1", "patient_id": "p", "groups": ["g", "h"], "text": text}
    other = {"record_id": "2", "patient_id": "p", "groups": ["h"], "text": text.replace("some", "much")}
    found = leaks({"train": [one], "test": [other, one | {"patient_id": "q", "groups": [], "text": "another"}]})
    assert [leak.rpartition(": ")[2] for leak in found] == ["one patient", "one group", "near-duplicates", "one record"]


@given(many, st.lists(row, max_size=30), st.integers(0, 5))
@settings(deadline=None, max_examples=30)
def test_records_added_move_no_record_of_a_group_that_was_not_lent(old: list[Any], new: list[Any], seed: int) -> None:
    """Whatever they join: they may exclude records, but none comes back, none changes its split, none leaves `test`."""
    records = drawn_cases(old + new)
    try:
        before, lent = dealt(records[: len(old)], seed)
        after, lent_after = dealt(records, seed)
    except StageError:
        return
    after = after[before.index]
    if not lent and not lent_after:
        assert ((after == before) | (after == EXCLUDED)).all()
        assert (after[before == "test"] == "test").all()
    assert ((after != before) & (after != EXCLUDED) & (before != EXCLUDED)).sum() <= lent + lent_after


@pytest.mark.parametrize(("fold", "groups"), [(None, 5), (1, 7), (3, 7)])
def test_records_added_to_accepted_data_never_move_one_from_test_to_what_is_learnt_from(
    fold: int | None, groups: int
) -> None:
    """Though the diagnoses are so rare that groups are lent; what cannot be split is not accepted."""
    for seed in range(8):
        accepted, tested = Accepted(), set[str]()
        for records in growing(seed, groups):
            try:
                assigned, _, loans = dealt_with(accepted, records, seed, fold=fold, fractions=FEW_TO_SPARE)
            except StageError:
                continue
            assert set(assigned[sorted(tested)]) <= ({"test", EXCLUDED} if fold else {"test"})
            assert leaks(rows_by_split(records, assigned)) == []
            tested |= set(assigned[assigned == "test"].index)
            accepted = accept(records, loans)


@pytest.mark.parametrize("seed", [0, 2, 3])
def test_accepted_data_are_split_as_before_and_loans_are_the_same_for_all_folds(seed: int) -> None:
    """So that over all of them, each record is still tested once."""
    before, after = islice(growing(seed, 10), 2)
    split = dealt_with(Accepted(), before, seed, fold=1)
    accepted = accept(before, split[2])
    again = dealt_with(accepted, before, seed, fold=1)
    pd.testing.assert_series_equal(again[0], split[0])
    assert again[1:] == split[1:]
    found = [dealt_with(accepted, after, seed, fold=fold) for fold in range(1, 6)]
    assert all(loans == found[0][2] for *_, loans in found)
    assert (sum((assigned == "test").to_numpy().astype(int) for assigned, *_ in found) <= 1).all()


@given(st.integers(60, 400), st.integers(1, 200), st.integers(0, 5))
@settings(deadline=None, max_examples=10)
def test_unrelated_records_added_change_no_split(count: int, more: int, seed: int) -> None:
    records = singles(count + more)
    (before, lent), (after, lent_after) = dealt(records[:count], seed), dealt(records, seed)
    assert (after[before.index] != before).sum() <= lent + lent_after


@given(st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=6)
def test_the_order_of_records_changes_no_assignment(random: Any) -> None:
    records = drawn_cases([(index, [index // 3], "ab"[index % 2], index % 70) for index in range(100)])
    shuffled = records.sample(frac=1, random_state=random.randrange(1000)).reset_index(drop=True)
    pd.testing.assert_series_equal(dealt(records)[0].sort_index(), dealt(shuffled)[0].sort_index())


def test_a_record_that_names_groups_of_two_splits_is_excluded_and_leaves_the_others() -> None:
    records = cases(*((f"p{number}", [f"g{number % 30}"], "ab"[number % 2]) for number in range(120)))
    before, _ = dealt(records)
    by_group = before.groupby(records["groups"].str[0].to_numpy()).first()
    one, other = (by_group[by_group == name].index[0] for name in ("train", "test"))
    bridge = cases(
        *zip(records["patient_id"], records["groups"], records["diagnosis"], strict=True), ("q", [one, other], "a")
    )
    after, _ = dealt(bridge)
    assert after["r0120"] == EXCLUDED
    pd.testing.assert_series_equal(after[before.index], before)


def test_a_patient_who_joins_splits_stays_where_it_is_most_held_out() -> None:
    records = cases(*((f"p{number}", [f"g{number % 30}"], "ab"[number % 2]) for number in range(120)))
    before, _ = dealt(records)
    tested, trained = (before[before == name].index[0] for name in ("test", "train"))
    joined = records.set_index("record_id", drop=False)
    joined.loc[tested, "patient_id"] = joined.loc[trained, "patient_id"]
    after, _ = dealt(joined.reset_index(drop=True))
    assert (after[tested], after[trained]) == ("test", EXCLUDED)
    assert (after != before).sum() == 1
