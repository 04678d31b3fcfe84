"""The templates of notes: [choices|to draw from] and {slots}, filled with values whose places are recorded."""

from __future__ import annotations

import re
from collections.abc import Mapping
from random import Random
from typing import Any

SLOT = re.compile(r"\{(\w+)\}")
CHOICE = re.compile(r"\[([^\[\]]*)\]")

Slots = dict[str, tuple[str | None, str]]
"""Entity, or None, and value by slot."""


def with_phrases(template: str, phrases: Mapping[str, str]) -> str:
    """Replace the slots that name a phrase, itself a template; a {Slot} gives it a capital."""

    def phrase(slot: re.Match[str]) -> str:
        text = phrases.get(slot[1].lower())
        return slot[0] if text is None else _capital(text) if slot[1][0].isupper() else text

    return SLOT.sub(phrase, template)


def is_usable(template: str, slots: Slots) -> bool:
    """Say whether all slots outside [choices] are known."""
    while CHOICE.search(template):
        template = CHOICE.sub("", template)
    return all(slot.lower() in slots for slot in SLOT.findall(template))


def choose(template: str, random: Random, slots: Slots) -> str:
    """Replace each [this|that], innermost first, by one of its choices whose slots are known; empty without any."""

    def choice(group: re.Match[str]) -> str:
        usable = [text for text in group[1].split("|") if is_usable(text, slots)]
        return random.choice(usable) if usable else ""

    while CHOICE.search(template):
        template = CHOICE.sub(choice, template)
    return template


def fill(template: str, slots: Slots) -> tuple[str, list[dict[str, Any]]]:
    """Replace each {slot} by its value; return the text and a span for every value that has an entity.

    A {Slot} gives its value a capital; a value that ends with a full stop takes no second one.
    """
    pieces: list[str] = []
    spans: list[dict[str, Any]] = []
    length = 0
    for position, piece in enumerate(SLOT.split(template)):
        entity, value = slots[piece.lower()] if position % 2 else (None, piece)
        if position % 2 and piece[0].isupper():
            value = _capital(value)
        elif value.startswith(".") and pieces and pieces[-1].endswith("."):
            value = value[1:]
        if entity:
            spans.append({"start": length, "end": length + len(value), "entity": entity})
        pieces.append(value)
        length += len(value)
    return "".join(pieces), spans


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
