"""Notes and identities: what is planted, how a note reads, and what it must not depend on."""

from __future__ import annotations

import functools
import os
import re
import subprocess
import sys
from collections import Counter
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.lib.narration.identities import SAFE_HARBOR, Pools, invent, make_pools
from stages.lib.narration.notes import BLOCKS, Note, Voice, read_voices, write_note
from stages.lib.narration.persons import describe
from stages.lib.narration.templates import SLOT, choose, fill, is_usable, with_phrases
from stages.lib.phenotypes.cohort import read_cohort
from stages.lib.phenotypes.phenome import avoiding

SECTIONS = ("opening", "findings", "further", "absent", "family", "filler", "identifiers", "closing")
ALLOWED = avoiding(disease.name for disease in read_cohort())
PATIENTS = {
    "seed": st.integers(0, 2**32),
    "sex": st.sampled_from(["female", "male", "other", None]),
    "age": st.one_of(st.none(), st.floats(0, 104)),
}
TOLD = {"findings": ["aaa", "bbb", "ccc"], "absent": ["ddd"], "trait": "eee"}


@pytest.fixture(scope="module")
def pools() -> Pools:
    return make_pools(1, allowed=ALLOWED)


@pytest.fixture(scope="module")
def notes(pools: Pools) -> list[Note]:
    """Return as many notes as the default cohort has, case reports aside."""
    ages = (0.02, 0.5, 1.5, 4, 9, 15, 24, 35, 47, 58, 66, 75, 84)
    return [written(pools, seed, sex=("female", "male")[seed % 2], age=ages[seed % len(ages)]) for seed in range(2560)]


@functools.cache
def voices() -> list[Voice]:
    return read_voices()


def written(pools: Pools, seed: int, *, sex: str | None, age: float | None, **told: Any) -> Note:
    random, years = Random(seed), 40 if age is None else age
    fitting = [voice for voice in voices() if voice.ages[0] <= years < voice.ages[1] and voice.opening]
    voice = random.choice(fitting)
    identity, _ = invent(pools, random, sex=sex, age=age)
    return write_note(voice, random, **(TOLD | told), identity=identity, sex=sex, age=age)


def templates() -> list[str]:
    return [template for voice in voices() for section in SECTIONS for template in getattr(voice, section)]


def known_slots(pools: Pools, *, sex: str | None, age: float | None) -> dict[str, Any]:
    """Return what templates can be filled with: slots and, as empty ones, phrases."""
    phrases, slots = describe(Random(1), sex=sex, age=age)
    own = dict.fromkeys(["findings", "absent", "negatives", "trait", "relation", "relative", *phrases], (None, ""))
    return {**invent(pools, Random(1), sex=sex, age=age)[0], **slots, **own}


def values(note: Note) -> list[tuple[str, str]]:
    return [(span["entity"], note.text[span["start"] : span["end"]]) for span in note.phi]


def without_phi(note: Note) -> str:
    text = note.text
    for span in reversed(note.phi):
        text = text[: span["start"]] + "#" + text[span["end"] :]
    return text


# spans


@settings(max_examples=150, deadline=None)
@given(**PATIENTS)
def test_every_span_is_a_planted_value_and_every_planted_value_has_a_span(
    pools: Pools, seed: int, sex: str | None, age: float | None
) -> None:
    random = Random(seed)
    voice = random.choice(voices())
    identity, _ = invent(pools, random, sex=sex, age=age)
    note = write_note(voice, random, **TOLD, identity=identity, sex=sex, age=age)
    planted = {*identity.values(), *([("AGE", str(int(age)))] if age and age >= 90 else [])}
    assert set(values(note)) <= planted
    assert all(text in note.text.lower() for text in ["aaa", "bbb", "ccc", "ddd", "eee"])
    ends = [0, *(span["end"] for span in note.phi)]
    assert all(end <= span["start"] < span["end"] for end, span in zip(ends, note.phi, strict=False))
    assert [value for _, value in planted if len(value) > 7 and value in without_phi(note)] == []


@given(st.lists(st.tuples(st.sampled_from(["a", "b"]), st.text("xy .\n", max_size=5))))
def test_filling_keeps_the_text_between_slots(parts: list[tuple[str, str]]) -> None:
    template = "".join(f"{text}{{{slot}}}" for slot, text in parts)
    text, spans = fill(template, {"a": ("PERSON", "Ann"), "b": (None, "told")})
    assert text == template.replace("{a}", "Ann").replace("{b}", "told")
    assert [text[span["start"] : span["end"]] for span in spans] == ["Ann"] * sum(slot == "a" for slot, _ in parts)


def test_a_value_with_a_full_stop_takes_no_second_one_and_a_capital_slot_gives_a_capital() -> None:
    text, (span,) = fill(
        "{He} works at {firm}. {He} smokes.", {"he": (None, "she"), "firm": ("ORGANIZATION", "X Inc.")}
    )
    assert text == "She works at X Inc. She smokes."
    assert text[span["start"] : span["end"]] == "X Inc."


# templates


def test_choices_are_drawn_innermost_first_and_only_with_known_slots() -> None:
    slots = {"known": ("PERSON", "Ann")}
    drawn = {choose("a[b|c[d|{known}]|{unknown}]", Random(seed), slots) for seed in range(60)}
    assert drawn == {"ab", "acd", "ac{known}"}
    assert is_usable("[{unknown}|a] {known}", slots)
    assert not is_usable("{unknown} [a|b]", slots)
    assert with_phrases("{Dr} and {dr}", {"dr": "a [b|c]"}) == "A [b|c] and a [b|c]"


def test_every_slot_of_every_template_is_known_for_some_patient(pools: Pools) -> None:
    known = {slot for age in (1.0, 10.0, 40.0, 80.0) for slot in known_slots(pools, sex="female", age=age)}
    assert {slot.lower() for template in templates() for slot in SLOT.findall(template)} - known == set()


@pytest.mark.parametrize("age", [None, 0.01, 1, 7, 30, 70, 95])
def test_each_part_of_each_voice_can_be_told_of_anyone(pools: Pools, age: float | None) -> None:
    slots = known_slots(pools, sex=None, age=age)
    for voice in voices():
        assert set(voice.lists) - set(BLOCKS)
        for section in SECTIONS:
            choices = getattr(voice, section)
            assert not choices or any(is_usable(template, slots) for template in choices), (voice.voice, section)


def test_templates_hold_no_word_of_a_diagnosis() -> None:
    assert [text for text in templates() if not ALLOWED(SLOT.sub("", text))] == []


# identities


def test_every_safe_harbor_class_is_planted_often_and_the_rarer_ones_in_few_notes(notes: list[Note]) -> None:
    counts = Counter(entity for note in notes for entity, _ in values(note))
    assert len(SAFE_HARBOR) == 18
    assert set(counts) == {entity for entities in SAFE_HARBOR.values() for entity in entities}
    for name, entities in SAFE_HARBOR.items():
        assert sum(counts[entity] for entity in entities) >= 60, name
    assert min(counts.values()) >= 60
    faxes = r"(?i:fax)(?: (?:it to|number is|is))?:? #|\bF #"
    assert sum(len(re.findall(faxes, without_phi(note))) for note in notes) >= 60
    common = {"PERSON", "DATE_TIME", "MEDICAL_RECORD_NUMBER", "PHONE_NUMBER", "LOCATION", "ORGANIZATION"}
    holding = Counter(entity for note in notes for entity in {entity for entity, _ in values(note)})
    assert max(count for entity, count in holding.items() if entity not in common) < len(notes) / 3
    assert 4 < sum(counts.values()) / len(notes) < 8


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_check_digits_are_right(pools: Pools, seed: int) -> None:
    identity, _ = invent(pools, Random(seed), sex="male", age=40)
    vin, npi, dea = (identity[slot][1].upper() for slot in ("vin", "npi", "dea"))
    letters = dict(zip("ABCDEFGHJKLMNPRSTUVWXYZ", "12345678123457923456789", strict=True))
    weights = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
    remainder = sum(int(letters.get(sign, sign)) * weight for sign, weight in zip(vin, weights, strict=True)) % 11
    assert vin[8] == ("X" if remainder == 10 else str(remainder))
    luhn = [int(digit) for digit in f"80840{npi}"][::-1]
    assert (sum(luhn[::2]) + sum(sum(divmod(2 * digit, 10)) for digit in luhn[1::2])) % 10 == 0
    one, two, three, four, five, six, check = (int(digit) for digit in dea[2:])
    assert (one + three + five + 2 * (two + four + six)) % 10 == check


def test_pools_hold_no_word_of_a_diagnosis() -> None:
    drawn = make_pools(1, allowed=lambda _: True)
    names = [drawn["surnames"][0], drawn["cities"][60], drawn["women"][200]]
    allowed = avoiding(names)
    assert all(allowed(value) for values in make_pools(1, allowed=allowed).values() for value in values)


@settings(max_examples=60, deadline=None)
@given(**PATIENTS)
def test_identities_fit_the_age(pools: Pools, seed: int, sex: str | None, age: float | None) -> None:
    identity, date = invent(pools, Random(seed), sex=sex, age=age)
    assert ("born" in identity) == (age is not None)
    assert ("employer" in identity) == (age is not None and 18 <= age < 66)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", date)
    assert all(value.strip() for _, value in identity.values())


# notes


@settings(max_examples=100, deadline=None)
@given(**PATIENTS, others=st.lists(st.sampled_from(["xx", "yyyyy", "z z"]), min_size=1, max_size=9))
def test_what_surrounds_the_findings_does_not_depend_on_them(
    pools: Pools, seed: int, sex: str | None, age: float | None, others: list[str]
) -> None:
    note = written(pools, seed, sex=sex, age=age)
    other = written(pools, seed, sex=sex, age=age, findings=["xxxx", "y", "z z"], absent=["w"], trait="v v")
    renamed = {"aaa": "xxxx", "bbb": "y", "ccc": "z z", "ddd": "w", "eee": "v v"}
    renamed |= {old.capitalize(): f"{new[0].upper()}{new[1:]}" for old, new in renamed.items()}
    assert re.sub("|".join(renamed), lambda found: renamed[found[0]], note.text) == other.text
    assert values(written(pools, seed, sex=sex, age=age, findings=others)) == values(note)


def test_no_word_of_any_diagnosis_stands_in_a_note(notes: list[Note]) -> None:
    assert [note.text for note in notes if not ALLOWED(note.text)] == []


def test_notes_differ_and_are_short(notes: list[Note]) -> None:
    assert len({re.sub("#", "", without_phi(note)) for note in notes}) > 0.99 * len(notes)
    words = [len(note.text.split()) for note in notes]
    assert sum(words) / len(words) < 80
    assert max(words) < 150


def test_no_note_has_slips_of_a_template(pools: Pools, notes: list[Note]) -> None:
    slips = re.compile(
        r"[{}\[\]|]|\.\.|[,;:]\.|, ,|\(\)|\( | \)|\n |\n\n\n|\b[Aa] (?:8|11|18)\b|\b[Aa]n (?!8|11|18|[aeio])\w"
    )
    strangers = [written(pools, seed, sex=None, age=age) for seed in range(200) for age in (None, 0.5, 9, 70)]
    assert [(found[0], note.text) for note in [*notes, *strangers] if (found := slips.search(without_phi(note)))] == []


def test_notes_are_deterministic(pools: Pools) -> None:
    assert written(pools, 5, sex="female", age=30) == written(pools, 5, sex="female", age=30)


@pytest.mark.parametrize(
    ("sex", "age", "findings", "sentence"),
    [
        ("female", 8, ["a", "b", "c", "d"], "An 8-year-old girl with a, b, c and d."),
        ("male", 45.9, ["a", "b"], "A 45-year-old man with a and b."),
        ("male", 18, ["a"], "An 18-year-old man with a."),
        ("female", 17.99, ["b", "a"], "A 17-year-old girl with b and a."),
        ("female", 0.02, ["a"], "A newborn girl with a."),
        ("male", 11 / 12, ["a"], "An 11-month-old boy with a."),
        ("other", 30, ["a"], "A 30-year-old patient with a."),
        (None, 4, ["a"], "A 4-year-old child with a."),
        ("female", None, ["a"], "A female patient with a."),
        ("other", None, ["a"], "A patient with a."),
        (None, None, ["a"], "A patient with a."),
    ],
)
def test_a_case_report_is_one_sentence_without_identifiers(
    sex: str | None, age: float | None, findings: list[str], sentence: str
) -> None:
    (voice,) = [voice for voice in voices() if voice.voice == "case report"]
    note = write_note(voice, Random(1), findings=findings, absent=[], trait=None, identity={}, sex=sex, age=age)
    assert (note.text, note.phi) == (sentence, [])


def test_an_age_over_89_is_phi(pools: Pools) -> None:
    for seed in range(40):
        note = written(pools, seed, sex="male", age=93)
        assert not re.search(r"\b93\b", without_phi(note))


def test_what_is_invented_does_not_depend_on_the_hash_seed() -> None:
    code = "from stages.lib.narration.identities import make_pools; print(make_pools(1, allowed=lambda text: True))"
    found = {
        subprocess.run(
            [sys.executable, "-c", code], env=os.environ | {"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1
