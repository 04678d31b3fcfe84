"""How a text speaks of a patient whose sex and age may be unknown: phrases, and slots that only some patients have."""

from __future__ import annotations

from random import Random

from stages.lib.narration.templates import Slots

SCHOOL, ADULT, RETIRED, OLD = 6, 18, 66, 90  # ages over 89 are PHI
# Resting vital signs from an age in years on: systolic, diastolic, heart rate, respiratory rate; rounded from the
# ranges that courses of paediatric life support teach.
VITALS = {
    0: ((72, 100), (40, 58), (110, 155), (30, 48)),
    1: ((86, 104), (44, 62), (92, 128), (22, 34)),
    5: ((94, 114), (56, 72), (76, 108), (18, 24)),
    12: ((98, 134), (58, 84), (60, 98), (12, 20)),
}


def describe(random: Random, *, sex: str | None, age: float | None) -> tuple[dict[str, str], Slots]:
    """Return phrases about the patient, as templates, and slots; below two years of age in months.

    Slots without text say for whom a template is: minor, pupil, speaking, grown, working, retired. Whose age is unknown
    has none of these, no age and no vital signs.
    """
    adult = age is None or age >= ADULT
    noun = {"male": ("boy", "man"), "female": ("girl", "woman")}.get(str(sex), ("child", "patient"))[adult]
    phrases = {"child": {"male": "son", "female": "daughter"}.get(str(sex), "child")}
    slots = _pronouns(str(sex), noun="patient" if adult else "child")
    if age is None:
        person = f"{sex} patient" if sex in {"male", "female"} else "patient"
        return phrases | {"person": person, "a_person": f"a {person}"}, slots
    stages = {
        "minor": not adult,
        "pupil": SCHOOL <= age < ADULT,
        "speaking": age >= SCHOOL,
        "grown": adult,
        "working": ADULT <= age < RETIRED,
        "retired": age >= RETIRED,
    }
    slots |= {name: (None, "") for name, holds in stages.items() if holds}
    number = int(age) if age >= 2 else round(age * 12)
    slots |= {"age": ("AGE" if age >= OLD else None, str(number)), "vitals": (None, _vitals(random, age))}
    generation = "great-grand" if age < 25 else "grand" if age < 45 else ""
    kin = ("sister", "brother") if age >= 70 else (f"{generation}mother", f"{generation}father")
    phrases["elder"] = f"{{old}}-year-old {random.choice(kin)}"
    return phrases | _of_age(random, number=number, sex=str(sex), noun=noun, age=age), slots


def _of_age(random: Random, *, number: int, sex: str, noun: str, age: float) -> dict[str, str]:
    letter = {"male": " M", "female": " F"}.get(sex, "")
    if age < 1 / 12:
        return {
            "person": f"newborn {noun}",
            "a_person": f"a newborn {noun}",
            "short": f"newborn{letter}",
            "aged": "newborn",
        }
    unit, units = ("year", ("yo", "y/o", "y")) if age >= 2 else ("month", ("mo", "/12"))
    return {
        "person": f"{{age}}-{unit}-old {noun}",
        "a_person": f"{article(number)} {{age}}-{unit}-old {noun}",
        "short": f"{{age}}{random.choice(units)}{letter}",
        "aged": "{age}" if age >= 2 else f"{{age}} month{'s' * (number != 1)} old",
    }


def article(number: int) -> str:
    """Return the article before a number that is read aloud: an eight, an eleven, an eighteen, an eighty."""
    return "an" if str(number).startswith("8") or number in (11, 18) else "a"


def _pronouns(sex: str, *, noun: str) -> Slots:
    known = {"female": ("she", "her", "her"), "male": ("he", "him", "his")}
    he, him, his = known.get(sex, (f"the {noun}", f"the {noun}", f"the {noun}'s"))
    return {"he": (None, he), "him": (None, him), "his": (None, his)}


def _vitals(random: Random, age: float) -> str:
    """Return vital signs in the normal range; they say nothing about the diagnosis."""
    ranges = VITALS[max(start for start in VITALS if start <= age)]
    systolic, diastolic, heart, breaths = (random.randint(*span) for span in ranges)
    oxygen = random.randint(96, 100)
    return random.choice(
        (
            f"BP {systolic}/{diastolic}, HR {heart}, RR {breaths}, sats {oxygen}% RA",
            f"P {heart}, BP {systolic}/{diastolic}, SpO2 {oxygen}%",
            f"HR {heart} RR {breaths} sats {oxygen}%",
            f"BP {systolic}/{diastolic} P {heart}",
        )
    )
