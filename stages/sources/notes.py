"""Write the note of a simulated patient: findings in a voice's words, with planted identifiers and their spans."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Literal

from pydantic import Field

from stages.lib.params import read_params
from stages.lib.stage import Strict

RELATIONS = ("mother", "father", "brother", "sister", "aunt", "uncle", "grandmother", "grandfather", "cousin")
SLOT = re.compile(r"\{(\w+)\}")

Slots = dict[str, tuple[str | None, str]]


class Voice(Strict):
    """A way in which clinicians or patients write: what may open, carry and close a note."""

    voice: str
    """Name of the voice, as records carry it."""
    wording: Literal["clinical", "lay"]
    """Which wordings of a phenotype it prefers."""
    ages: tuple[float, float]
    """Ages of the patients it is used for, in years, half-open."""
    lists: list[Literal["comma", "slash", "plus", "bullets"]] = Field(min_length=1)
    """Ways to list findings."""
    joins: list[str] = Field(min_length=1)
    """What stands between two parts of a note."""
    opening: list[str] = Field(min_length=1)
    """Begins the note."""
    findings: list[str] = Field(min_length=3)
    """Sentences around {findings}; a note takes up to three different ones."""
    absent: list[str] = Field(min_length=1)
    """Sentences around {absent}, findings that were looked for and not found."""
    family: list[str] = Field(min_length=1)
    """Sentences around {relation} and {trait}, a finding of a relative."""
    closing: list[str] = Field(min_length=1)
    """Ends the note."""


class Voices(Strict):
    """notes.yaml."""

    voices: list[Voice] = Field(min_length=1)
    """All voices; a note draws one among those for the patient's age."""


@dataclass(frozen=True)
class Note:
    """A text and the gold spans of what was planted in it."""

    text: str
    voice: str
    phi: list[dict[str, Any]]


def read_voices() -> list[Voice]:
    """Read notes.yaml."""
    return read_params(Voices, ["voices"], str(Path(__file__).with_name("notes.yaml"))).voices


def write_note(
    voice: Voice,
    random: Random,
    *,
    findings: Sequence[str],
    absent: Sequence[str],
    trait: str | None,
    identity: Mapping[str, tuple[str, str]],
    sex: str,
    age: float,
) -> Note:
    """Return a note that tells every finding, each absent finding and, if given, a relative's trait."""
    relation = random.choice(RELATIONS)
    slots: Slots = {**identity, **_person(sex=sex, age=age), "relation": (None, relation), "trait": (None, trait or "")}
    slots["vitals"] = (None, _vitals(random))
    slots["absent"] = (None, _sentence(absent, ending=" or "))
    parts = [random.choice(voice.opening)]
    chunks = _chunks(findings, random)
    for number, (chunk, template) in enumerate(zip(chunks, random.sample(voice.findings, len(chunks)), strict=True)):
        style = random.choice(voice.lists)
        parts.append(_introduced(template, style=style).replace("{findings}", f"{{findings{number}}}"))
        slots[f"findings{number}"] = (None, _listed(chunk, style=style))
    if absent:
        parts.append(random.choice(voice.absent))
    if trait:
        parts.append(random.choice(voice.family))
    parts.append(random.choice(voice.closing))
    text, phi = fill(random.choice(voice.joins).join(parts), slots)
    return Note(text, voice.voice, phi)


def fill(template: str, slots: Slots) -> tuple[str, list[dict[str, Any]]]:
    """Replace each {slot} by its value; return the text and a span for every value that has an entity."""
    pieces: list[str] = []
    spans: list[dict[str, Any]] = []
    length = 0
    for position, piece in enumerate(SLOT.split(template)):
        entity, value = slots[piece] if position % 2 else (None, piece)
        if entity:
            spans.append({"start": length, "end": length + len(value), "entity": entity})
        pieces.append(value)
        length += len(value)
    return "".join(pieces), spans


def _chunks(findings: Sequence[str], random: Random) -> list[list[str]]:
    """Deal the findings, in random order, into one to three sentences of about equal length."""
    shuffled = random.sample(list(findings), len(findings))
    count = min(random.choice((1, 2, 2, 3)), len(shuffled))
    return [shuffled[start::count] for start in range(count)]


def _listed(items: Sequence[str], *, style: str) -> str:
    if style == "bullets":
        return "".join(f"\n- {item}" for item in items)
    if style == "comma":
        return _sentence(items, ending=" and ")
    return {"slash": " / ", "plus": " + "}[style].join(items)


def _introduced(template: str, *, style: str) -> str:
    """Return the template with a colon before bullets and no full stop after them."""
    return re.sub(r":? \{findings\}\.?$", ":{findings}", template) if style == "bullets" else template


def _sentence(items: Sequence[str], *, ending: str) -> str:
    return ending.join(filter(None, (", ".join(items[:-1]), *items[-1:])))


def article(number: int) -> str:
    """Return the article before a number that is read aloud: an eight, an eleven, an eighteen, an eighty."""
    return "an" if str(number).startswith("8") or number in (11, 18) else "a"


def _vitals(random: Random) -> str:
    """Return vital signs in the normal range; they say nothing about the diagnosis."""
    pressure = f"{random.randint(98, 134)}/{random.randint(58, 84)}"
    return (
        f"BP {pressure}, HR {random.randint(62, 98)}, RR {random.randint(12, 20)}, sats {random.randint(96, 100)}% RA"
    )


def _person(*, sex: str, age: float) -> Slots:
    """Return how a text speaks of the patient; below two years of age in months."""
    female, months = sex == "female", math.floor(age * 12 + 0.5)
    number, unit = (months, "month") if age < 2 else (math.floor(age), "year")
    adult = "woman" if female else "man"
    noun = adult if age >= 16 else "girl" if female else "boy"
    he, him, his = ("she", "her", "her") if female else ("he", "him", "his")
    values = {
        "person": f"{number}-{unit}-old {noun}",
        "a_person": f"{article(number)} {number}-{unit}-old {noun}",
        "short": f"{number}{'mo' if age < 2 else 'yo'} {'F' if female else 'M'}",
        "years": str(number) if age >= 2 else f"{number} {unit}{'s' * (number != 1)} old",
        "adult": adult,
        "child": "daughter" if female else "son",
        "sex": sex,
        "he": he,
        "him": him,
        "his": his,
        "He": he.capitalize(),
        "His": his.capitalize(),
    }
    return {slot: (None, value) for slot, value in values.items()}
