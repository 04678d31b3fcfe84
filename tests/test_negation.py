"""Denied findings told as present: those that count, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.lib.negation import flipped, normalised
from stages.lib.placeholders import PLACEHOLDER
from stages.lib.sentences import split_sentences

FINDINGS = {normalised(name) for name in ("fever", "joint pain", "Marfanoid habitus", "rash")}
PIECES = [
    "[PERSON_1]",
    "No fever.",
    "Denies rash",
    ", ",
    "\n- ",
    "\n\n",
    "Negatives: no rash.",
    "no",
    "fever",
    "Dr. X.",
]
texts = st.lists(st.sampled_from(PIECES) | st.text(max_size=8), max_size=20).map(" ".join)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("She denies fever or rash. NKDA.", "She reports fever and rash. NKDA."),
        ("There was no evidence of joint pain.", "There was evidence of joint pain."),
        ("There was no Marfanoid habitus.", "There was Marfanoid habitus."),
        ("No fever or joint pain.", "Fever and joint pain."),
        ("No travel abroad. No fever.", "No travel abroad. Fever."),
        ("No travel, no fever.", "No travel, fever."),
        ("Relevant negatives: no rash, no fever.", "Relevant positives: rash, fever."),
        ("-ve: rash. Neg for fever.", "+ve: rash. Positive for fever."),
        ("I don't have fever, as far as I know.", "I do have fever, as far as I know."),
        ("I could not find any rash.", "I found rash."),
        ("Importantly, he has never had fever.", "Importantly, he had fever."),
        ("He is without rash.", "He is with rash."),
        ("They looked for fever or rash and found nothing.", "They found fever and rash."),
        ("They looked for a bus and found nothing.", "They looked for a bus and found nothing."),
        ("No allergies. No FHx of note but fever.", "No allergies. FHx of note but fever."),  # a cue reaches far
        ("Fever and rash. Without delay.", "Fever and rash. Without delay."),
        ("Note that nobody knows feverfew.", "Note that nobody knows feverfew."),
    ],
)
def test_only_denied_findings_are_told_as_present(text: str, told: str) -> None:
    assert flipped(text, FINDINGS) == told


@given(texts)
def test_placeholders_stay_and_without_findings_all_stays(text: str) -> None:
    assert PLACEHOLDER.findall(flipped(text, FINDINGS)) == PLACEHOLDER.findall(text)
    assert flipped(text, set()) == text


@given(texts)
def test_sentences_joined_are_the_text(text: str) -> None:
    assert "".join(split_sentences(text)) == text


def test_a_list_stays_with_the_line_that_introduces_it() -> None:
    text = "Seen by Dr. X today. Known:\n1. fever\n2. Marfanoid habitus\nNegatives:\n- rash\n\nHome, well."
    assert split_sentences(text)[::2] == [
        "Seen by Dr. X today.",
        "Known:\n1. fever\n2. Marfanoid habitus",
        "Negatives:\n- rash",
        "Home, well.",
    ]
