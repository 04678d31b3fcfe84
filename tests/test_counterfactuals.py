"""The same patient as another person: which words change, and when none may."""

from __future__ import annotations

from random import Random
from typing import Any

import pandas as pd
import pytest

from stages.lib.ages import age_band
from stages.lib.counterfactuals import ORIGINS, either_sex, other_age, other_origin, other_sex

EITHER = frozenset({"Marfan syndrome"})


def record(text: str, **changes: Any) -> dict[str, Any]:
    return {"text": text, "diagnosis": "Marfan syndrome", "sex": "female", "age": 45.0} | changes


@pytest.mark.parametrize(
    ("text", "swapped"),
    [
        ("A 45-year-old woman. She lives with her aunt.", "A 45-year-old man. He lives with his aunt."),
        ("We shall see her on Monday. I met her.", "We shall see him on Monday. I met him."),
        ("49y F, pt [PERSON_1]. Newborn F is no patient F", "49y M, pt [PERSON_1]. Newborn F is no patient F"),
        ("MRS [PERSON_1], HERSELF tall. Ms. Doe.", "MR [PERSON_1], HIMSELF tall. Mr. Doe."),
        ("She has two daughters and a theatre ticket.", "He has two daughters and a theatre ticket."),
    ],
)
def test_the_words_for_a_patients_sex_and_no_others_are_swapped(text: str, swapped: str) -> None:
    assert other_sex(record(text), EITHER) == swapped


def test_a_swap_of_sex_undoes_itself() -> None:
    text = "A 30-year-old man. He lives with his aunt. We saw him. 30y/o M"
    swapped = other_sex(record(text, sex="male"), EITHER)
    assert swapped == "A 30-year-old woman. She lives with her aunt. We saw her. 30y/o F"
    assert other_sex(record(swapped), EITHER) == text


@pytest.mark.parametrize(
    "changes",
    [
        {"sex": None},
        {"sex": "other"},
        {"diagnosis": "Systemic lupus erythematosus"},
        {"text": "She has had amenorrhea."},
        {"text": "She is pregnant."},
        {"text": "She has undescended testis."},
        {"text": "She came with a man."},
    ],
)
def test_sex_is_not_swapped_where_it_matters_or_words_are_unclear(changes: dict[str, Any]) -> None:
    assert other_sex(record("She is well.") | changes, EITHER) is None


def test_sex_says_little_of_a_diagnosis_that_both_sexes_have() -> None:
    rows = [("A", "female")] * 2 + [("A", "male")] + [("B", "female")] * 3 + [("B", "male")] + [("C", None)] * 9
    assert either_sex(pd.DataFrame(rows, columns=["diagnosis", "sex"])) == {"A"}


@pytest.mark.parametrize("age", [2, 8, 17, 18, 39, 40, 64, 65, 89])
def test_an_age_moves_within_its_band_and_its_article_with_it(age: int) -> None:
    found = {other_age(record(f"A {age}-year-old man.", age=float(age)), Random(seed)) for seed in range(60)}
    ages = {int("".join(filter(str.isdigit, str(text)))) for text in found}
    assert ages == {new for new in range(max(2, age - 3), age + 4) if age_band(new) == age_band(age) and new != age}
    assert {str(text).split()[0] for text in found if str(text).split()[1].startswith(("8", "18", "11"))} <= {"An"}


@pytest.mark.parametrize(
    "text",
    ["Well.", "For 45 years.", "A 45-year-old with her 70-year-old mother.", "A 44-year-old.", "[AGE_1]-year-old."],
)
def test_an_age_stays_where_it_is_not_told_once(text: str) -> None:
    assert other_age(record(text), Random(1)) is None


def test_an_age_is_read_from_the_text_where_the_record_has_none() -> None:
    assert other_age(record("45y F.", age=float("nan")), Random(1)) in {f"{age}y F." for age in range(42, 49)}


def test_names_of_two_origins_stand_for_the_same_placeholders() -> None:
    text = "Dear [PERSON_2], I saw [PERSON_1] ([ID_1]), [PERSON_1]."
    seen = set()
    for seed in range(40):
        before, after = other_origin(record(text), Random(seed)) or ("", "")
        assert before != after
        for told in (before, after):
            assert "[PERSON" not in told
            assert told.endswith(f"({'[ID_1]'}), {told.partition('I saw ')[2].partition(' (')[0]}.")
        seen.add(after.split()[1])
    assert len(seen) > len(ORIGINS)
    assert other_origin(record("No name."), Random(1)) is None
