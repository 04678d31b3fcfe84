"""The second look for PHI: what its patterns take for PHI, what they leave, and that its gate hides nothing."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.lib.phi.hits import PATTERNS, compiled, count_hits, hits_by_text


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("e-mail address", "write to jane.roe@example.org today"),
        ("web address", "see https://example.org/p?id=1"),
        ("IP address", "from 192.168.10.4 at night"),
        ("US social security number", "SSN 123-45-6789"),
        ("telephone number", "call (555) 123-4567 or"),
        ("telephone number", "call +441632960961 or"),
        ("full date", "seen 2021-03-04 and"),
        ("full date", "seen 3/4/2021 and"),
        ("date in words", "seen March 4th, 2021 and"),
        ("labelled number", "MRN: A-778812"),
    ],
)
def test_phi_is_hit(kind: str, text: str) -> None:
    assert count_hits(text, compiled()) >= 1
    assert count_hits(text, [pattern for name, pattern in zip(PATTERNS, compiled(), strict=True) if name == kind]) == 1


@pytest.mark.parametrize(
    "text",
    [
        "[PERSON_1] was seen on [DATE_TIME_12] by [PERSON_2] ([ID_3], [PHONE_NUMBER_10])",
        "BP 120/80, pulse 72, SpO2 98 %, T 37.2, strength 5/5, L4-L5, 1.5 mg/kg/day for 10-14 days",
        "HP:0001250 OMIM:123456 ORPHA:558 NM_000138.5:c.3037G>A rs123456 in 2021",
    ],
)
def test_placeholders_and_measurements_are_not_hit(text: str) -> None:
    assert count_hits(text, compiled()) == 0


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from(
            ["555", "-", "1234", "@", "a.b", "12", "/", "2021", ".", "1.2", "www.", "mrn ", "\u0661", "May "]
        )
    ).map("".join)
)
def test_the_gate_lets_every_hit_through(text: str) -> None:
    assert hits_by_text(pa.array([text, None])).tolist() == [count_hits(text, compiled()), 0]
