from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.lib.records import independent_groups
from stages.lib.stage import StageError
from stages.split import assign, proof

FRACTIONS = {"train": 0.5, "validation": 0.15, "calibration": 0.15, "test": 0.2}


def cases(*rows: tuple[str, list[str], str]) -> pd.DataFrame:
    """Return records from (patient, groups, diagnosis)."""
    frame = pd.DataFrame(rows, columns=["patient_id", "groups", "diagnosis"])
    return frame.assign(record_id=[f"r{index:04}" for index in range(len(rows))])


def singles(count: int, diagnoses: int = 3) -> pd.DataFrame:
    return cases(*((f"p{index}", [], f"d{index % diagnoses}") for index in range(count)))


rows = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 25), st.sampled_from("abc")), min_size=1, max_size=80)


@given(rows, st.integers(0, 5))
@settings(deadline=None, max_examples=50)
def test_no_patient_and_no_group_crosses_splits(drawn: list[tuple[int, int, str]], seed: int) -> None:
    records = cases(*((f"p{patient}", [f"g{group}"], diagnosis) for patient, group, diagnosis in drawn))
    component = independent_groups(records)
    try:
        assigned = assign(records, component, fractions=FRACTIONS, seed=seed)
    except StageError:
        return
    assert (records["patient_id"].to_frame().assign(s=assigned).groupby("patient_id")["s"].nunique() == 1).all()
    assert (records.explode("groups").assign(s=assigned).groupby("groups")["s"].nunique() == 1).all()
    assert set(assigned) == set(FRACTIONS)
    assert (pd.crosstab(assigned, records["diagnosis"]) > 0).to_numpy().all()


@given(st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=20)
def test_the_order_of_records_changes_no_assignment(random: object) -> None:
    records = singles(60)
    shuffled = records.sample(frac=1, random_state=random.randrange(1000))  # type: ignore[attr-defined]
    by_id = [
        assign(frame, independent_groups(frame), fractions=FRACTIONS, seed=1).set_axis(frame["record_id"]).sort_index()
        for frame in (records, shuffled)
    ]
    pd.testing.assert_series_equal(*by_id)


def test_fractions_hold_for_each_diagnosis() -> None:
    records = singles(600)
    assigned = assign(records, independent_groups(records), fractions=FRACTIONS, seed=1)
    shares = pd.crosstab(records["diagnosis"], assigned, normalize="index")
    for name, fraction in FRACTIONS.items():
        assert shares[name].to_numpy() == pytest.approx(fraction, abs=0.01)


def test_a_large_publication_trains_and_the_next_tests() -> None:
    sizes = {"large": 50, "second": 20, "third": 10, "fourth": 5, "fifth": 5}
    records = cases(*((f"{name}{i}", [name], d) for name, size in sizes.items() for i in range(size) for d in "ab"))
    assigned = assign(records, independent_groups(records), fractions=FRACTIONS, seed=1)
    by_group = assigned.groupby(records["groups"].str[0]).first()
    assert by_group["large"] == "train"
    assert by_group["second"] == "test"


def test_chains_of_shared_groups_stay_together() -> None:
    records = cases(("p1", ["g1"], "a"), ("p2", ["g1", "g2"], "a"), ("p3", ["g2"], "b"), ("p4", [], "b"))
    one, two, three, four = independent_groups(records)
    assert one == two == three != four


def test_a_diagnosis_with_too_few_groups_stops_the_run() -> None:
    records = pd.concat([singles(40), cases(*((f"q{i}", ["one paper"], "rare") for i in range(9)))], ignore_index=True)
    with pytest.raises(StageError, match=r"need 4 independent groups of each diagnosis; too few in 'rare' \(1\)"):
        assign(records, independent_groups(records), fractions=FRACTIONS, seed=1)


def test_the_proof_counts_what_splits_share() -> None:
    records = singles(40)
    component = independent_groups(records)
    assigned = assign(records, component, fractions=FRACTIONS, seed=1)
    good = proof(records, component, assigned)
    assert good["shared_patients"] == good["shared_groups"] == 0
    leaking = records.assign(patient_id="the same")
    assert proof(leaking, component, assigned)["shared_patients"] == 3
