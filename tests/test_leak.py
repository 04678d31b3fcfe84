"""What is measured of a scrub: what is left, what went needlessly, and how many patients look alike."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.lib.phi.anonymity import k_anonymity, quasi_identifiers
from stages.lib.phi.leak import Leak, Ratio, wilson
from stages.lib.phi.spans import Span


def test_leak_counts_characters_documents_and_spans() -> None:
    leak = Leak()
    leak.add("John Doe came", gold=[Span(0, 8, "NAME")], found=[Span(0, 4, "PERSON", "names")])
    leak.add("Ann came", gold=[Span(0, 3, "NAME")], found=[Span(0, 8, "PERSON", "NER")])
    leak.add("Nobody came", gold=[], found=[])
    metrics: dict[str, Any] = leak.metrics()
    assert metrics["leak"] == 0.3
    assert metrics["leaking_documents"] == 0.5
    assert metrics["precision"] == round(7 / 11, 5)
    assert metrics["needlessly_removed"] == 0.5
    name = metrics["recall"]["NAME"]
    assert (name["spans"], name["left"], name["value"]) == (2, 1, 0.5)
    assert name["found_by"] == ["NER", "names"]
    assert Leak().metrics() == {}


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(0, 50)), min_size=1, max_size=20))
def test_intervals_hold_their_estimate(pairs: list[tuple[int, int]]) -> None:
    ratio = Ratio()
    for whole, part in pairs:
        ratio.add(whole, min(whole, part))
    low, high = ratio.interval()
    assert 0 <= low <= ratio.value() + 1e-9
    assert ratio.value() - 1e-9 <= high <= 1


def test_intervals_are_those_of_the_books() -> None:
    assert wilson(5, 10) == pytest.approx((0.2366, 0.7634), abs=1e-4)
    ratio = Ratio()
    for whole, part in ((10, 2), (20, 3), (30, 4)):
        ratio.add(whole, part)
    residual = sum((part - 0.15 * whole) ** 2 for whole, part in ((10, 2), (20, 3), (30, 4)))
    half = 1.959964 * (3 / 2 * residual) ** 0.5 / 60
    assert ratio.interval() == pytest.approx((0.15 - half, 0.15 + half))


def test_patients_alike_in_age_band_sex_diagnosis_and_area_are_one_class() -> None:
    record = {"age": 34.0, "sex": "female", "diagnosis": "Fabry disease", "text": "lives in [LOCATION_1] 837"}
    same = quasi_identifiers([record | {"age": 39.0}, record | {"age": 41.0, "diagnosis": "Fabry disease"}])
    assert quasi_identifiers([record]) == same == (30, "female", ("Fabry disease",), ("837",))
    assert quasi_identifiers([record | {"age": 90.0, "text": ""}])[0] == 90
    assert quasi_identifiers([record | {"age": None, "sex": None, "text": ""}]) == (None, None, ("Fabry disease",), ())


def test_k_is_the_size_of_the_smallest_class() -> None:
    patients = Counter({("a",): 6, ("b",): 3, ("c",): 1})
    assert k_anonymity(patients) == {"classes": 3, "smallest_class": 1, "patients_in_classes_below_5": 0.4}
    assert k_anonymity(Counter()) == {}
