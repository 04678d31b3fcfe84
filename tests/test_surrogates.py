"""Surrogates: fakes are of the same kind, keyed, consistent and nobody's; dates move together and stay as written."""

from __future__ import annotations

import datetime
import hmac
import re
import subprocess
import sys
from itertools import pairwise

import pytest
from conftest import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.lib.phi.policies import Patient, read_policy, rewritten
from stages.lib.phi.shift import shifted
from stages.lib.phi.spans import Span
from stages.lib.phi.surrogates import KINDS, Surrogates


def surrogates(*texts: str, secret: str = "a secret", patient: str = "p1") -> Surrogates:
    key = hmac.new(secret.encode(), digestmod="sha256")
    return Surrogates(key, patient, texts, is_word=lambda word: word == "Graves")


VALUES = [
    ("PERSON", "Quentin Hargreaves"),
    ("PERSON", "HARGREAVES, Quentin J."),
    ("PERSON", "Dr. Amara O'Hara-Lindqvist"),
    ("LOCATION", "1427 Larkspur Lane, Boise, ID 83702"),
    ("LOCATION", "83702"),
    ("LOCATION", "Boise"),
    ("ORGANIZATION", "St. Brendan's Hospital"),
    ("ORGANIZATION", "Acme Ltd"),
    ("PHONE_NUMBER", "(415) 555-2671"),
    ("EMAIL_ADDRESS", "w.kessler@clinicmail.org"),
    ("URL", "https://portal.example.net/p/8831"),
    ("IP_ADDRESS", "10.20.30.41"),
    ("IP_ADDRESS", "2001:470::8a2e"),
    ("IP_ADDRESS", "3c:22:fb:01:22:33"),
    ("MEDICAL_RECORD_NUMBER", "A-00-4471"),
    ("ID", "536-22-8145"),
    ("PHOTO", "IMG_5521.jpg"),
]


@pytest.mark.parametrize(("entity", "value"), VALUES)
def test_a_fake_is_of_the_same_kind_and_tells_nothing(entity: str, value: str) -> None:
    fake = surrogates(value).fake(entity, value)
    assert fake
    words, others = (set(re.findall(r"\w{3,}", text.casefold())) for text in (value, fake))
    assert words & others <= {"hospital", "https", "example", "org", "jpg", "555", "2001"}  # of kinds and of nobody's
    if entity not in KINDS or entity == "PERSON":
        forms = [re.sub(r"[^\W\d_'\u2019]+", "a", re.sub(r"\d", "0", text)) for text in (fake, value)]
        assert forms[0] == forms[1].replace("a'a", "a")
    assert fake == surrogates(value).fake(entity, value)
    assert fake != surrogates(value, secret="another secret").fake(entity, value)
    assert fake != surrogates(value, patient="p2").fake(entity, value)


def test_fakes_do_not_depend_on_the_seed_of_hashes() -> None:
    code = (
        "from test_surrogates import VALUES, surrogates\n"
        "print([surrogates(value).fake(entity, value) for entity, value in VALUES])"
    )
    said = set()
    for seed in ("1", "2"):
        environment = {"PYTHONHASHSEED": seed, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", "PATH": ""}
        command = [sys.executable, "-c", code]
        said.add(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)
    assert len(said) == 1


NAMES = st.text(alphabet="abcdefgh", min_size=2, max_size=7).map(str.title)


@settings(max_examples=30, deadline=None)
@given(st.lists(NAMES, min_size=1, max_size=8, unique=True))
def test_two_values_never_share_a_fake_and_none_stands_in_the_notes(names: list[str]) -> None:
    note = "; ".join(names) + "; Smith, Johnson and Williams"
    faker = surrogates(note)
    fakes = [faker.fake("PERSON", name) for name in names]
    made = [fake.casefold() for fake in fakes if fake]
    assert len(set(made)) == len(made) == len(names)
    assert [fake for fake in made if fake in note.casefold()] == []
    assert fakes == [faker.fake("PERSON", name) for name in names]


def test_a_part_of_a_name_has_the_fake_of_that_part_and_no_name_is_a_clinical_word() -> None:
    faker = surrogates("John Ashdown")
    whole = str(faker.fake("PERSON", "Mr. John Ashdown"))
    assert whole.startswith("Mr. ")
    assert whole.split()[-1] == faker.fake("PERSON", "Ashdown")
    assert faker.fake("PERSON", "ASHDOWN") == whole.split()[-1].upper()
    names = [str(surrogates(patient=f"p{number}").fake("PERSON", "Ashdown")) for number in range(400)]
    assert "Graves" not in names


FORMATS = ["%m/%d/%Y", "%Y-%m-%d", "%-d %B %Y", "%B %-d, %Y", "%-d-%b-%Y", "%b %-d %Y", "%m/%d/%y"]
DAYS = st.dates(datetime.date(1990, 1, 1), datetime.date(2029, 12, 31)).filter(lambda day: day.month != 5)
"""Without May, which is its own abbreviation."""


@given(DAYS, st.sampled_from(FORMATS), st.integers(-700, 700))
def test_a_shifted_date_keeps_its_format_and_moves_by_the_days(day: datetime.date, form: str, days: int) -> None:
    moved = shifted(day.strftime(form), days=days, year=2029, day_first=False)
    assert moved == (day + datetime.timedelta(days)).strftime(form)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("5th of November 2019", "10th of December 2019"),
        ("Feb 2nd, '22", "Mar 9th, '22"),
        ("Sept. 3 2020", "Oct. 8 2020"),
        ("MAR 5, 2020", "APR 9, 2020"),
        ("3/4/21", "4/8/21"),
        ("20.05.2023", "24.06.2023"),
        ("04/2020", "05/2020"),
        ("March", "April"),
        ("2021-03-14T10:22", "2021-04-18T10:22"),
        # what can't be read is for a placeholder
        ("14th", None),
        ("Christmas", None),
        ("Monday", None),
        ("31 June 2020", None),
        ("99/99/2020", None),
    ],
)
def test_dates_are_read_as_they_are_written(value: str, expected: str | None) -> None:
    assert shifted(value, days=35, year=2021, day_first=False) == expected


def test_one_offset_moves_all_dates_of_a_patient_by_whole_weeks() -> None:
    texts = ["on 25/12/2020 and 01/02/2021", "on 08/02/2021"]
    spans = [[Span(3, 13, "DATE_TIME"), Span(18, 28, "DATE_TIME")], [Span(3, 13, "DATE_TIME")]]
    patient = Patient("p1", texts, [None, None])
    moved = [text for text, _ in rewritten(patient, spans, read_policy("surrogate"), surrogates(*texts))]
    dates = [
        datetime.datetime.strptime(found, "%d/%m/%Y").replace(tzinfo=datetime.UTC)
        for text in moved
        for found in re.findall(r"[\d/]{10}", text)
    ]
    assert [(after - before).days for before, after in pairwise(dates)] == [38, 7]
    assert surrogates().days() % 7 == 0 != surrogates().days()
    assert len({surrogates(patient=f"p{number}").days() for number in range(50)}) > 20
