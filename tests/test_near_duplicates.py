from __future__ import annotations

import random

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.lib.near_duplicates import NearDuplicateParams, near_duplicates, normalise, with_near_duplicates

PARAMS = NearDuplicateParams(words=3, similarity=0.7, template_share=0.01)


def note(number: int, words: int = 60) -> list[str]:
    """Return words of a vocabulary of 500, the same for the same number."""
    return [f"w{word}" for word in random.Random(number).choices(range(500), k=words)]


def pairs(texts: list[str], params: NearDuplicateParams = PARAMS) -> set[tuple[int, int]]:
    return {(int(min(pair)), int(max(pair))) for pair in near_duplicates(texts, params)}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Seen by [PERSON_1] on [DATE_TIME_2].", "seen by [PERSON_12] on [DATE_TIME_1]"),  # numbers of placeholders
        ("Fever,\n\ncough;  pain", "FEVER cough (pain)"),  # case, punctuation, white space
        ("Straße", "STRASSE"),
    ],
)
def test_what_a_copy_may_change_does_not_count(one: str, other: str) -> None:
    assert normalise(one) == normalise(other)
    assert pairs([one, "another", other]) == {(0, 2)}


@given(st.integers(0, 10_000), st.sampled_from([1, 2]))
@settings(deadline=None, max_examples=20)
def test_a_few_words_changed_are_found_and_nothing_else(seed: int, changes: int) -> None:
    notes = [note(seed * 100 + number) for number in range(40)]
    copy = list(notes[7])
    for change in range(changes):
        copy[10 + 20 * change] = "changed"
    assert pairs([" ".join(words) for words in [*notes, copy]]) == {(7, 40)}


def test_half_of_the_words_in_common_is_no_near_duplicate() -> None:
    notes = [" ".join(note(number)) for number in range(20)]
    half = " ".join(note(3)[:30] + note(99)[:30])
    assert pairs([*notes, half]) == set()


def test_notes_of_one_template_are_not_near_duplicates_but_a_copy_of_one_is() -> None:
    template = note(1, words=150)
    notes = [template + note(number, words=45) for number in range(100, 150)]
    copy = [*notes[5][:-1], "changed"]
    texts = [" ".join(words) for words in [*notes, copy]]
    assert pairs(texts) == {(5, 50)}
    unaware = PARAMS.model_copy(update={"template_share": 1.0, "similarity": 0.6})
    assert len(pairs(texts, unaware)) > 1000


def test_a_note_copied_many_times_does_not_pass_for_a_template() -> None:
    copies = [" ".join([*note(1), f"copy{number}"]) for number in range(30)]
    others = [" ".join(note(number)) for number in range(100, 130)]
    assert len(pairs(copies + others)) == 30 * 29 / 2


def test_texts_of_any_length_are_compared() -> None:
    assert pairs(["", "pain", "no pain", "Pain!", " "]) == {(0, 4), (1, 3)}


def test_the_order_of_the_texts_changes_no_pair() -> None:
    texts = [" ".join(note(number % 30)) + f" {number % 60}" for number in range(90)]
    there = {frozenset((texts[one], texts[other])) for one, other in pairs(texts)}
    back = texts[::-1]
    assert {frozenset((back[one], back[other])) for one, other in pairs(back)} == there


def test_a_cluster_becomes_one_more_group_of_its_records() -> None:
    words = note(1)
    first, second, third = words, [*words[4:], "a", "b"], [*words[8:], "a", "b", "c", "d", "e", "f"]
    texts = [" ".join(text) for text in (third, note(2), first, second)]  # the first and the third by the second
    records = pd.DataFrame({"record_id": ["r3", "r2", "r1", "r4"], "text": texts, "groups": [["g"], [], [], []]})
    joined = with_near_duplicates(records, PARAMS)
    assert joined["groups"].tolist() == [["g", "near-duplicate r1"], [], ["near-duplicate r1"], ["near-duplicate r1"]]
    assert records["groups"].tolist() == [["g"], [], [], []]
