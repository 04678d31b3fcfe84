"""The sample of the untuned model is fixed by ids."""

from __future__ import annotations

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from stages.lib.zero_shot import sample

names = st.lists(st.text(max_size=5), min_size=1, max_size=30, unique=True)


@given(ids=names, cases=st.integers(1, 10))
def test_the_sample_is_as_large_as_asked_and_does_not_depend_on_the_order(ids: list[str], cases: int) -> None:
    drawn = sample(pd.DataFrame({"record_id": ids}), cases)["record_id"]
    again = sample(pd.DataFrame({"record_id": ids[::-1]}), cases)["record_id"]
    assert len(drawn) == min(cases, len(ids))
    assert sorted(drawn) == sorted(again)


@given(ids=names, cases=st.integers(1, 10))
def test_a_new_record_displaces_one_at_most(ids: list[str], cases: int) -> None:
    before, after = (set(sample(pd.DataFrame({"record_id": rows}), cases)["record_id"]) for rows in (ids[1:], ids))
    assert len(before - after) <= 1
