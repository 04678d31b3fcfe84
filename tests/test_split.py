from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from pydantic import ValidationError
from toy_split import PARAMS, SPLITS, accept, cases, dealt, dealt_with, singles

from stages.lib.accepted import Accepted
from stages.lib.assignment import EXCLUDED, Parts, by_date, deciding_keys
from stages.lib.leakage import cases_by_split, check_components, proof
from stages.lib.lending import fill
from stages.lib.near_duplicates import with_near_duplicates
from stages.lib.records import independent_groups
from stages.lib.stage import StageError
from stages.split import SplitParams, assign


def test_fractions_hold_but_for_chance() -> None:
    assigned, lent = dealt(singles(3000))
    assert lent == 0
    for name, fraction in PARAMS["fractions"].items():
        assert (assigned == name).mean() == pytest.approx(fraction, abs=0.03)


def test_a_diagnosis_of_few_groups_has_one_in_every_split() -> None:
    records = cases(*((f"{name}p{number}", [f"{name}g{number}"], name) for name in "abcdefgh" for number in range(4)))
    assigned, lent = dealt(records)
    assert (pd.crosstab(records.set_index("record_id")["diagnosis"], assigned) == 1).to_numpy().all()
    assert 0 < lent < len(records)


def test_the_smallest_groups_are_lent() -> None:
    sizes = {"large": 50, "fifth": 5, "fourth": 4, "second": 3, "third": 2}
    records = cases(*((f"{name}{i}", [name], "a") for name, size in sizes.items() for i in range(size)))
    parts = Parts(
        dict.fromkeys(("test", "validation", "train"), 1 / 3), dict.fromkeys(("test", "validation", "train"), 1)
    )
    filled, lent = fill(records, pd.Series("train", records.index), parts, secret="")
    by_group = filled.groupby(records["groups"].str[0]).first()
    assert by_group.to_dict() == {**dict.fromkeys(sizes, "train"), "third": "test", "second": "validation"}
    assert lent == 5


def test_an_accepted_loan_to_no_part_of_the_split_is_an_error() -> None:
    records = singles(40)
    (scheme,) = dealt_with(Accepted(), records)[2]
    with pytest.raises(
        StageError, match=r"^data/accepted.json: a loan to 'fold 9'; parts of this split are test, rest; "
    ):
        dealt_with(Accepted(loans={scheme: {"0" * 64: "fold 9"}}), records)


def test_a_loan_that_was_accepted_stays_though_no_longer_needed_under_its_seed_and_share_alone() -> None:
    records = cases(*((f"p{number}", [f"g{number}"], "a") for number in range(40)))
    few = records[(dealt(records)[0] != "test").to_numpy()][:4]
    before, _, loans = dealt_with(Accepted(), few)
    (scheme,) = loans
    assert scheme == "seed 1, test 0.2"
    assert loans[scheme]
    after, lent, kept = dealt_with(accept(few, loans), records)
    assert after[before.index][before == "test"].tolist() == ["test"]
    assert kept == loans
    assert lent == len(loans[scheme]) == 1
    for other in ({"seed": 2}, {"fold": 1}):
        expected = dealt_with(Accepted(), records, **other)
        pd.testing.assert_series_equal(dealt_with(accept(few, loans), records, **other)[0], expected[0])


def test_what_was_tested_is_not_lent_unless_its_diagnosis_is_new() -> None:
    records = cases(*((f"p{number}", [f"g{number}"], "a") for number in range(40)))
    own, _, (scheme,) = dealt_with(Accepted(), records)
    tested, others = own.index[own == "test"][:3], own.index[own != "test"][:2]
    thin = records[records["record_id"].isin([*tested, *others])]
    assert dealt_with(Accepted(), thin)[1] > 0
    assert dealt_with(Accepted(diagnoses={"b": 4}, loans={scheme: {}}), thin)[1] > 0
    assert dealt_with(accept(thin, {}), thin)[1] > 0
    with pytest.raises(
        StageError, match=r"^split: rest has too few groups of 'a', and only .* set `loans` .* to \{\}.*$"
    ):
        dealt_with(accept(thin, {scheme: {}}), thin)


def test_over_all_folds_each_record_is_tested_once() -> None:
    records = cases(*((f"p{number}", [f"g{number % 40}"], "abc"[number % 3]) for number in range(200)))
    tested = [(dealt(records, fold=fold)[0] == "test").to_numpy() for fold in range(1, 6)]
    assert (sum(tested) == 1).all()
    assert all(0.05 < share.mean() < 0.4 for share in tested)


def test_few_folds_leave_enough_groups_for_the_other_splits() -> None:
    records = cases(*((f"p{number}", [], "ab"[number % 2]) for number in range(12)))
    for folds in (2, 3, 4):
        for fold in range(1, folds + 1):
            assigned, _ = dealt(records, folds=folds, fold=fold)
            assert (pd.crosstab(records.set_index("record_id")["diagnosis"], assigned) > 0).to_numpy().all()


def test_what_is_dated_later_is_tested_and_nothing_else() -> None:
    records = singles(300).assign(date=lambda frame: [str(2010 + index % 13) for index in range(len(frame))])
    records.loc[299, "patient_id"] = records.loc[12, "patient_id"]  # seen in 2010 and in 2022
    records.loc[299, "date"] = "2010-05-01"
    assigned, _ = dealt(records, strategy="temporal", test_from=2020)
    late = (records["date"] >= "2020").to_numpy()
    assert (assigned[late] == "test").all()
    assert (assigned == EXCLUDED).sum() == 1
    assert set(assigned[~late]) == SPLITS - {"test"} | {EXCLUDED}
    assert assigned["r0299"] == EXCLUDED


@pytest.mark.parametrize(
    ("dates", "message"),
    [
        (["2020", "2022", None, "2022"], r"1 of 4 records have no date"),
        (["2021", "2021-03", "2021-03-02", "2022"], r"2 of 4 records have no date, or one too coarse"),
        (["2020", "2020-05", "2021-04", "2022"], r"no case before or none from .* of 'a', 'b'"),
    ],
)
def test_dates_that_cannot_decide_stop_the_run(dates: list[str | None], message: str) -> None:
    records = cases(("p1", [], "a"), ("p2", [], "a"), ("p3", [], "b"), ("p4", [], "b")).assign(date=dates)
    with pytest.raises(StageError, match=message):
        by_date(records, "2021-03-01")


def published(count: int, splits: str) -> pd.DataFrame:
    """Return `singles` that came with these splits, in turn."""
    names = splits.split()
    return singles(count).assign(split=[names[index // 3 % len(names)] for index in range(count)])


def test_published_splits_are_taken_as_they_are() -> None:
    records = published(120, "train train validation calibration test")
    assigned, lent = dealt(records, strategy="provided")
    assert assigned.tolist() == records["split"].tolist()
    assert lent == 0


@pytest.mark.parametrize(
    ("splits", "shares"),
    [
        ("train test", {"train": 0.625, "validation": 0.1875, "calibration": 0.1875}),
        ("train validation test", {"train": 0.769, "calibration": 0.231}),
        ("train calibration test", {"train": 0.769, "validation": 0.231}),
    ],
)
def test_a_split_that_was_not_published_is_drawn_from_train_alone(splits: str, shares: dict[str, float]) -> None:
    records = published(3000, splits)
    assigned, _ = dealt(records, strategy="provided")
    trained = (records["split"] == "train").to_numpy()
    assert assigned[~trained].tolist() == records["split"][~trained].tolist()
    assert assigned[trained].value_counts(normalize=True).to_dict() == pytest.approx(shares, abs=0.03)


def test_who_crosses_published_splits_stays_where_it_is_most_held_out() -> None:
    records = published(120, "train validation test").assign(groups=[[] for _ in range(120)])
    assert records["split"][[0, 3, 6, 9, 12, 15]].tolist() == ["train", "validation", "test"] * 2
    records.loc[6, "patient_id"] = records.loc[0, "patient_id"]
    records.loc[9, "groups"].append("a family")
    records.loc[12, "groups"].append("a family")
    text = " ".join(f"the {word} of one note" for word in range(20))
    records.loc[[15, 18], "text"] = text, f"{text} again"
    assigned, _ = dealt(records, strategy="provided")
    assert assigned[assigned == EXCLUDED].index.tolist() == ["r0000", "r0009", "r0018"]
    assert assigned[["r0006", "r0012", "r0015"]].tolist() == ["test", "validation", "test"]


@pytest.mark.parametrize(
    ("split", "message"),
    [
        (None, r"1 of 60 records came without a split, of files; give `split` to these sources"),
        ("all", r"1 of 60 records came without a split"),
        ("rare", r"no record was provided to train on of 'rare'; leave"),
        ("untested", r"no record was provided for test; choose another"),
        ("thin", r"calibration, train need 2 independent groups of each diagnosis; too few in 'd0' \(1\)"),
    ],
)
def test_published_splits_that_cannot_be_used_stop_the_run(split: str | None, message: str) -> None:
    records = published(60, "train validation test")
    if split == "rare":
        records.loc[6, "diagnosis"] = "rare"
    elif split == "untested":
        records["split"] = "train"
    elif split == "thin":
        records.loc[(records["diagnosis"] == "d0") & (records["split"] == "train"), "groups"] = pd.Series([["g"]] * 60)
    else:
        records.loc[0, "split"] = split
    with pytest.raises(StageError, match=message):
        dealt(records, strategy="provided")


def test_records_for_training_alone_need_no_published_split() -> None:
    simulated = singles(30).assign(source="hpo", split=None)
    simulated = simulated.assign(
        **{name: [f"s{index:04}" for index in range(30)] for name in ("record_id", "patient_id", "text")}
    )
    records = pd.concat([published(60, "train validation test"), simulated], ignore_index=True)
    assigned, _ = dealt(records, strategy="provided", train_only=["hpo"])
    assert set(assigned[simulated["record_id"]]) == {"train"}


def test_a_diagnosis_with_too_few_groups_stops_the_run() -> None:
    rare = [(f"q{index}", ["one paper"], "rare") for index in range(9)]
    records = cases(*((f"p{index}", [], "d") for index in range(40)), *rare)
    with pytest.raises(
        StageError, match=r"test, rest need 4 independent groups of each diagnosis; too few in 'rare' \(1\)"
    ):
        dealt(records)


def test_a_component_that_holds_too_much_stops_the_run_with_what_joins_it() -> None:
    chain = [(f"p{index}", [f"g{index}", f"g{index + 1}"], "d") for index in range(20)]
    records = cases(*chain, *((f"q{index}", [], "d") for index in range(20)))
    component = independent_groups(records)
    check_components(records, component, largest=0.5)
    with pytest.raises(StageError, match=r"20 of 40 records hang together by 20 patients and 21 groups.*'g1', has 2;"):
        check_components(records, component, largest=0.2)


def test_the_proof_counts_what_splits_share() -> None:
    records = singles(60)
    records.loc[[1, 4], "text"] = "the same words in the notes of two patients"
    joined = with_near_duplicates(records, SplitParams.model_validate(PARAMS).near_duplicates)
    params = SplitParams.model_validate(PARAMS)
    assigned, lent, _ = assign(joined, deciding_keys(records), params, seed=1, accepted=Accepted())
    component = independent_groups(joined)
    good = proof(joined, component, assigned=assigned, lent=lent)
    assert good["near_duplicate_clusters"] == 1
    assert [value for key, value in good.items() if key.startswith("shared")] == [0, 0, 0]
    assert sum(good["fractions"].values()) == pytest.approx(1, abs=1e-3)  # type: ignore[attr-defined]
    leaking = joined.assign(patient_id="the same", groups=[["one", "near-duplicate r0"]] * 60)
    bad = proof(leaking, component, assigned=assigned, lent=lent)
    assert [value for key, value in bad.items() if key.startswith("shared")] == [3, 3, 3]


def test_cases_are_counted_by_diagnosis_and_split_without_what_is_excluded() -> None:
    records = singles(6, diagnoses=2)
    assigned = pd.Series(["test", "train", "train", EXCLUDED, "train", "calibration"], index=records.index)
    counts = cases_by_split(records, assigned)
    assert counts.to_csv(index=False, lineterminator="\n") == (
        "diagnosis,train,validation,calibration,test\nd0,2,0,0,1\nd1,1,0,1,0\n"
    )


def test_records_for_training_alone_are_never_held_out_and_leave_the_others_as_they_were() -> None:
    real = singles(60)
    simulated = singles(90).assign(source="hpo", patient_id=lambda frame: "simulated " + frame["patient_id"])
    simulated["text"] = simulated["text"].str.replace("w", "s")
    simulated["record_id"] = [f"s{index:04}" for index in range(len(simulated))]
    alone, lent = dealt(real)
    linked = alone[alone == "test"].index[0]  # a simulated record of a patient who is tested
    simulated.loc[3, "patient_id"] = real.set_index("record_id").loc[linked, "patient_id"]
    both, lent_beside = dealt(pd.concat([real, simulated], ignore_index=True), train_only=["hpo"])
    pd.testing.assert_series_equal(both[alone.index], alone)
    assert lent_beside == lent
    assert both["s0003"] == EXCLUDED
    assert set(both[simulated["record_id"]].drop("s0003")) == {"train"}
    with pytest.raises(StageError, match=r"split\.train_only: no record is from 'web'; there are files$"):
        dealt(real, train_only=["web"])


@pytest.mark.parametrize(
    "changes",
    [
        {"strategy": "temporal"},
        {"test_from": "2020"},
        {"strategy": "temporal", "test_from": "May 2020"},
        {"fold": 6},
        {"fold": 0},
        {"strategy": "temporal", "test_from": "2020", "fold": 1},
        {"strategy": "provided", "fold": 1},
        {"strategy": "provided", "test_from": "2020"},
        {"fractions": {"train": 0.5, "validation": 0.1, "calibration": 0.1, "test": 0.2}},
    ],
)
def test_parameters_that_contradict_each_other_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SplitParams.model_validate(PARAMS | changes)
