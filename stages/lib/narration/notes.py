"""Write a patient's note: findings in a voice's words, with planted identifiers and their spans."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Literal

from pydantic import Field

from stages.lib.narration.persons import describe
from stages.lib.narration.templates import Slots, choose, fill, is_usable, with_phrases
from stages.lib.params import read_params
from stages.lib.stage import Strict

WOMEN, MEN = ("mother", "sister", "aunt", "grandmother"), ("father", "brother", "uncle", "grandfather")
FILLERS = (0, 1, 1, 2, 2)  # sentences beside the matter
IDENTIFIED = 1 / 3  # share of notes with one of the rarer identifiers
BLOCKS = ("bullets", "numbers")
BLOCK = re.compile(r"[:,]? \{findings\}\.?$")


class Voice(Strict):
    """A way in which clinicians or patients write; notes.yaml says how its templates read."""

    voice: str
    """Name of the voice, as records carry it."""
    wording: Literal["label", "clinical", "lay", "short"]
    """Which wordings of a phenotype it uses."""
    ages: tuple[float, float]
    """Ages of the patients it is used for, in years, half-open."""
    lists: list[Literal["comma", "semicolon", "slash", "plus", "bullets", "numbers"]] = Field(min_length=1)
    """Ways to list findings."""
    joins: list[str] = Field(min_length=1)
    """What stands between two parts of a note."""
    opening: list[str]
    """Begins the note."""
    findings: list[str] = Field(min_length=1)
    """Sentences around {findings}, the first of a note."""
    further: list[str]
    """Sentences around {findings} that may follow it, up to two; where there are none, one sentence tells them all."""
    absent: list[str] = Field(min_length=1)
    """Sentences around {absent} or {negatives}, findings that were looked for and not found."""
    family: list[str] = Field(min_length=1)
    """Sentences around {relation} and {trait}, a finding of a relative."""
    filler: list[str]
    """Sentences that tell nothing of a diagnosis."""
    identifiers: list[str]
    """Sentences around the rarer identifiers."""
    closing: list[str]
    """Ends the note."""


class Voices(Strict):
    """notes.yaml."""

    phrases: dict[str, str]
    """Parts of templates by the slot that they replace."""
    voices: list[Voice] = Field(min_length=1)
    """All voices; a note draws one among those for the patient's age."""


@dataclass(frozen=True)
class Note:
    """A text and the gold spans of what was planted in it."""

    text: str
    voice: str
    phi: list[dict[str, Any]]


def read_voices() -> list[Voice]:
    """Read notes.yaml, with its phrases in their places; raise StageError with a line per error."""
    document = read_params(Voices, ["phrases", "voices"], str(Path(__file__).with_name("notes.yaml")))
    return [voice.model_copy(update=_with_phrases(voice, document.phrases)) for voice in document.voices]


def write_note(
    voice: Voice,
    random: Random,
    *,
    findings: Sequence[str],
    absent: Sequence[str],
    trait: str | None,
    identity: Mapping[str, tuple[str, str]],
    sex: str | None,
    age: float | None,
) -> Note:
    """Return a note that tells every finding, each absent finding and, if given, a relative's trait.

    All but the sentences around the findings is drawn before these are looked at, so that it does not depend on them.
    """
    phrases, person = describe(random, sex=sex, age=age)
    slots: Slots = {**identity, **person, **_relative(identity, random)}
    slots |= {"trait": (None, trait or ""), "absent": (None, _sentence(absent, ending=" or ")), "findings": (None, "")}
    slots["negatives"] = (None, ", ".join(f"no {item}" for item in absent))

    def drawn(templates: Sequence[str], count: int = 1) -> list[str]:
        usable = [text for template in templates if is_usable(text := with_phrases(template, phrases), slots)]
        return [choose(template, random, slots) for template in random.sample(usable, min(count, len(usable)))]

    opening, closing, join = drawn(voice.opening), drawn(voice.closing), random.choice(voice.joins)
    beside = [drawn(voice.absent), drawn(voice.family), drawn(voice.identifiers), drawn(voice.filler, max(FILLERS))]
    wanted = [bool(absent), trait is not None, random.random() < IDENTIFIED, random.choice(FILLERS)]
    rest = [(random.random(), part) for parts, count in zip(beside, wanted, strict=True) for part in parts[:count]]
    templates = drawn(voice.findings) + drawn(voice.further, 2)
    chunks = _chunks(findings, random, most=len(templates))
    for number, (chunk, template) in enumerate(zip(chunks, templates, strict=False)):
        inline = len(chunk) < 2 or "\n" not in join or not BLOCK.search(template)
        style = random.choice([style for style in voice.lists if style not in BLOCKS or not inline])
        slots[f"findings{number}"] = (None, _listed(chunk, style))
        rest.append((number / len(chunks), _introduced(template, style).replace("indings}", f"indings{number}}}")))
    text, phi = fill(join.join([*opening, *(part for _, part in sorted(rest)), *closing]), slots)
    return Note(text, voice.voice, phi)


def _with_phrases(voice: Voice, phrases: Mapping[str, str]) -> dict[str, list[str]]:
    lists = {name: value for name, value in voice if isinstance(value, list) and name not in {"lists", "joins"}}
    return {name: [with_phrases(template, phrases) for template in value] for name, value in lists.items()}


def _relative(identity: Mapping[str, tuple[str, str]], random: Random) -> Slots:
    """Return a relation and, of fitting sex, a name for it."""
    relation = random.choice((*WOMEN, *MEN))
    name = identity.get("kinswoman" if relation in WOMEN else "kinsman")
    return {"relation": (None, relation)} | ({"relative": name} if name else {})


def _chunks(findings: Sequence[str], random: Random, *, most: int) -> list[list[str]]:
    """Deal the findings, in random order, into sentences of about equal length; a lone sentence keeps their order."""
    if most == 1:
        return [list(findings)] if findings else []
    shuffled = random.sample(list(findings), len(findings))
    count = min(random.choice((1, 2, 2, 3)), len(shuffled), most)
    return [shuffled[start::count] for start in range(count)]


def _listed(items: Sequence[str], style: str) -> str:
    if style in BLOCKS:
        marks = ["-"] * len(items) if style == "bullets" else [f"{number}." for number in range(1, len(items) + 1)]
        return "".join(f"\n{mark} {item}" for mark, item in zip(marks, items, strict=True))
    if style == "comma":
        return _sentence(items, ending=" and ")
    return {"semicolon": "; ", "slash": " / ", "plus": " + "}[style].join(items)


def _introduced(template: str, style: str) -> str:
    """Return the template with a colon before a block and no full stop after it."""
    return BLOCK.sub(":{findings}", template) if style in BLOCKS else template


def _sentence(items: Sequence[str], *, ending: str) -> str:
    return ending.join(filter(None, (", ".join(items[:-1]), *items[-1:])))
