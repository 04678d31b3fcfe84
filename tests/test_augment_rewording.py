"""Texts changed in place: which words may change, and that nothing else does."""

from __future__ import annotations

import re
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.lib.phenotypes.phenome import by_kind
from stages.lib.placeholders import PLACEHOLDER
from stages.lib.rewording import mistyped, reworded, synonyms_of

SYNONYMS = synonyms_of(
    [
        by_kind(["fever"], ["fever", "pyrexia"], ["high temperature"], []),
        by_kind(["heart failure"], ["heart failure", "cardiac failure"], [], ["HF"]),
        by_kind(["failure"], ["failure"], ["collapse"], []),
        by_kind(["episodic fever"], ["episodic fever"], ["recurring fever"], []),
        by_kind(["swelling"], ["swelling", "edema"], [], []),
        by_kind(["mass"], ["mass", "swelling"], [], []),
        by_kind(["cough"], ["cough"], [], []),
    ]
)
PIECES = ["[PERSON_1]", "[DATE_TIME_12]", "fever", "Heart failure", "37.5", "COVID19", "a", ", ", "\n", "émail"]
texts = st.lists(st.sampled_from(PIECES) | st.text(max_size=12), max_size=30).map(" ".join)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Fever since May.", {"Pyrexia since May.", "High temperature since May."}),
        ("HEART FAILURE, severe", {"Cardiac failure, severe"}),
        ("heart failure", {"cardiac failure"}),  # the longest counts
        ("an episodic fever", {"an recurring fever"}),
        ("feverish, [FEVER_1], heart-failure", {"feverish, [FEVER_1], heart-failure"}),
        ("swelling and cough", {"swelling and cough"}),  # of two meanings; without another wording
        ("mass", {"swelling"}),
        ("edema", {"swelling"}),
    ],
)
def test_a_finding_is_told_in_another_wording_of_its_own(text: str, told: set[str]) -> None:
    assert {reworded(text, SYNONYMS, Random(seed), chance=1) for seed in range(30)} == told


@given(texts, st.integers(0, 9))
def test_without_a_chance_nothing_changes(text: str, seed: int) -> None:
    assert reworded(text, SYNONYMS, Random(seed), chance=0) == text
    assert mistyped(text, Random(seed), share=0) == text


@given(texts, st.integers(0, 9))
def test_placeholders_digits_and_white_space_stay(text: str, seed: int) -> None:
    typed = mistyped(text, Random(seed), share=1)
    assert PLACEHOLDER.findall(typed) == PLACEHOLDER.findall(text)
    assert re.findall(r"[^A-Za-z]", typed) == re.findall(r"[^A-Za-z]", text)
    assert PLACEHOLDER.findall(reworded(text, SYNONYMS, Random(seed), chance=1)) == PLACEHOLDER.findall(text)


def test_a_slip_is_an_omission_a_swap_or_a_neighbouring_key() -> None:
    found = {mistyped("pain Wrist IV", Random(seed), share=1) for seed in range(400)}
    words = {text.split()[1] for text in found}
    assert {"Wist", "Wirst", "Weist", "Wtist", "Wrst", "Wrsit"} <= words
    assert {text.split()[0][0] + text.split()[1][0] + text[-3:] for text in found} == {"pW IV"}
    assert all(abs(len(word) - 5) <= 1 for word in words)


def test_about_the_share_of_words_is_mistyped() -> None:
    typed = mistyped("abcdefgh " * 5000, Random(1), share=0.1).split()
    assert 0.08 < sum(word != "abcdefgh" for word in typed) / 5000 < 0.12
