"""The same patient as another person: a record in, a pair of texts that differ in sex, age or names out.

Counterfactual pairs show a model's dependence on what ought not to matter (Kusner et al. 2017; Garg et al. 2019).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from random import Random
from typing import TYPE_CHECKING, Any

from stages.lib.ages import age_band
from stages.lib.narration.persons import article

if TYPE_CHECKING:
    import pandas as pd

Record = Mapping[str, Any]
Pair = tuple[str, str]

SEXES = ("male", "female")
SMALLEST_SHARE = 1 / 3  # of a diagnosis's records that are of its rarer sex, where sex says little about it
TO_FEMALE = {
    **{"he": "she", "his": "her", "him": "her", "himself": "herself", "man": "woman", "boy": "girl", "male": "female"},
    **{"gentleman": "lady", "mr": "mrs", "son": "daughter"},
}
TO_MALE = {new: old for old, new in TO_FEMALE.items() if old != "him"} | {"ms": "mr", "miss": "mr", "hers": "his"}
WORDS = {"male": TO_FEMALE, "female": TO_MALE}
HIM = re.compile(r"\s*(?:$|[^\w\s]|(?:again|and|at|by|for|from|in|on|or|to|until|with)\b)", re.IGNORECASE)
LETTER = re.compile(r"((?:\d ?(?:yo?|y/o|mo|/12)|newborn) )([MF])\b")
# Organs, states and findings that one sex alone has, by the beginnings of words.
BOUND_TO_SEX = re.compile(
    r"\b(?:amenorr|breast|cryptorchi|dysmenorr|eclampsia|erectile|fallop|gravid|gyn[ae]|hypospad|impoten|labia|lactat|"
    r"mammo|menarche|menopaus|menorrh|menstr|micropenis|obstetr|oligomenorr|ovar|penile|penis|phall|postpartum|pregnan|"
    r"preeclampsia|prostat|puerper|scrot|semen|sperm|testes|testi[cs]|undescended|uter|vagin|vulv)",
    re.IGNORECASE,
)
TOLD_AGE = re.compile(r"(?:\b([Aa]n?) )?\b(\d{1,2})(?=[- ]years?[- ]old| ?(?:yo|y/o|y)\b)")
YOUNGEST, OLDEST = 2, 89  # years: below, ages are told in months, and above they are PHI
SHIFT = 3  # years
PERSON = re.compile(r"\[PERSON_(\d+)\]")
ENGLISH = ("Emily", "Sarah", "Megan", "James", "Andrew", "Thomas"), ("Walsh", "Baker", "Sullivan", "Harris", "Clarke")
ORIGINS = {
    "Arabic": (("Fatima", "Aisha", "Layla", "Omar", "Khalid", "Yusuf"), ("Haddad", "Mansour", "Khalil", "Nasser")),
    "Chinese": (("Xiuying", "Meiling", "Yan", "Wei", "Jianguo", "Hao"), ("Zhang", "Chen", "Huang", "Zhou")),
    "Hispanic": (("Guadalupe", "Lucia", "Camila", "Alejandro", "Jorge", "Luis"), ("Ramirez", "Ortiz", "Vargas")),
    "Indian": (("Priya", "Lakshmi", "Ananya", "Rajesh", "Arjun", "Vikram"), ("Patel", "Iyer", "Sharma", "Reddy")),
    "Nigerian": (("Ngozi", "Adaeze", "Folake", "Chinedu", "Emeka", "Babatunde"), ("Okafor", "Adeyemi", "Balogun")),
    "Polish": (("Agnieszka", "Katarzyna", "Zofia", "Wojciech", "Pawel", "Tomasz"), ("Kowalski", "Nowak", "Wozniak")),
}


def either_sex(records: pd.DataFrame) -> frozenset[str]:
    """Return the diagnoses that sex says little about: the rarer sex has at least a third of their records."""
    known = records[records["sex"].isin(SEXES)]
    female = (known["sex"] == "female").groupby(known["diagnosis"]).mean()
    return frozenset(female[(female >= SMALLEST_SHARE) & (female <= 1 - SMALLEST_SHARE)].index)


def other_sex(record: Record, diagnoses: frozenset[str]) -> str | None:
    """Return the text about a patient of the other sex; None where sex matters or the words are not clear.

    Sex matters where the diagnosis is not one of `diagnoses` or the text holds a word for what one sex alone has. Words
    are not clear where those of both sexes are used.
    """
    text, sex = record["text"], record["sex"]
    if sex not in SEXES or record["diagnosis"] not in diagnoses or BOUND_TO_SEX.search(text):
        return None
    words, others = WORDS[sex], WORDS["female" if sex == "male" else "male"]
    if set(re.findall(r"[a-z]+", text.lower())) & others.keys():
        return None
    pattern = re.compile(rf"\b(?:{'|'.join(words)})\b", re.IGNORECASE)

    def swapped(match: re.Match[str]) -> str:
        word = match[0].lower()
        new = "him" if word == "her" and HIM.match(text, match.end()) else words[word]
        return new.upper() if len(word) > 1 and match[0].isupper() else new.title() if match[0][0].isupper() else new

    changed = pattern.sub(swapped, text)
    return LETTER.sub(lambda match: match[1] + {"M": "F", "F": "M"}[match[2]], changed)


def other_age(record: Record, random: Random) -> str | None:
    """Return the text about a patient up to three years younger or older, in the same band of ages.

    None where the text tells no age, several, or another one than the record.
    """
    text, age = record["text"], record["age"]
    told = {int(number) for _, number in TOLD_AGE.findall(text)}
    if len(told) != 1 or not (age is None or math.isnan(age) or {int(age)} == told):
        return None
    (years,) = told
    if not YOUNGEST <= years <= OLDEST:
        return None
    near = range(max(YOUNGEST, years - SHIFT), min(OLDEST, years + SHIFT) + 1)
    ages = [new for new in near if new != years and age_band(new) == age_band(years)]
    new = random.choice(ages)

    def shifted(match: re.Match[str]) -> str:
        word = match[1] and (article(new).title() if match[1][0].isupper() else article(new))
        return f"{word} {new}" if word else str(new)

    return TOLD_AGE.sub(shifted, text)


def other_origin(record: Record, random: Random) -> Pair | None:
    """Return the text with English names for persons' placeholders, and with names of another origin; None without."""
    if not PERSON.search(record["text"]):
        return None
    firsts, surnames = ORIGINS[random.choice(sorted(ORIGINS))]
    first, start = random.randrange(len(firsts)), random.randrange(60)

    def named(names: tuple[tuple[str, ...], tuple[str, ...]]) -> str:
        def name(match: re.Match[str]) -> str:
            number = int(match[1]) - 1
            return f"{names[0][(first + number) % len(names[0])]} {names[1][(start + number) % len(names[1])]}"

        return PERSON.sub(name, record["text"])

    return named(ENGLISH), named((firsts, surnames))
