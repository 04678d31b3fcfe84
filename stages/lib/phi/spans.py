"""The one shape in which PHI is found: half-open character ranges with an entity, and how ranges combine."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import NamedTuple

ENTITIES = {
    "PERSON": "names of patients, relatives, staff",
    "LOCATION": "any place below a state: address, city, facility's town, postal code",
    "ORGANIZATION": "hospitals, employers, insurers",
    "DATE_TIME": "a day or month of the calendar",
    "AGE": "ages over 89",
    "PHONE_NUMBER": "telephone and fax numbers",
    "EMAIL_ADDRESS": "e-mail addresses",
    "URL": "web addresses",
    "IP_ADDRESS": "IP and MAC addresses",
    "ID": "record, account, licence, plan, device and other numbers",
    "NRP": "nationality, religion, political group",
}
PLACEHOLDER = re.compile(rf"\[(?:{'|'.join(ENTITIES)})_\d+\]")

POSTAL_CODE = re.compile(r"[,\s>]{1,4}(?!(?:19|20)\d\d\b)\d{4,6}(?:-\d{3,4})?\b(?![%.,/]?\w)")


class Span(NamedTuple):
    """Characters `start` to `end` (half-open) of a text that are an `entity`."""

    start: int
    end: int
    entity: str


def outside(spans: Iterable[Span], taken: Sequence[tuple[int, int]]) -> list[Span]:
    """Return what of `spans` lies outside the sorted, disjoint ranges `taken`; a span may fall into several."""
    rest = []
    for start, end, entity in spans:
        for taken_start, taken_end in taken:
            if taken_end <= start:
                continue
            if taken_start >= end:
                break
            if taken_start > start:
                rest.append(Span(start, taken_start, entity))
            start = taken_end
        if start < end:
            rest.append(Span(start, end, entity))
    return rest


def placeholders(text: str) -> list[tuple[int, int]]:
    """Return the ranges of placeholders in `text`: they are never searched and never replaced."""
    return [match.span() for match in PLACEHOLDER.finditer(text)]


def whole_words(text: str, span: Span) -> Span | None:
    """Trim `span` of blanks and punctuation, then grow it to whole words and graphemes; None if nothing is left."""
    start, end, entity = span
    while start < end and not _in_word(text[start]) and text[start] not in "(+#":
        start += 1
    while (
        end > start
        and not _in_word(text[end - 1])
        and not (text[end - 1] in "./" and (entity == "URL" or text[end - 2].isupper()))
    ):
        end -= 1
    if not any(_in_word(character) for character in text[start:end]):
        return None
    while start > 0 and _in_word(text[start]) and _in_word(text[start - 1]):
        start -= 1
    while end < len(text) and _in_word(text[end]) and _in_word(text[end - 1]):
        end += 1
    return Span(start, end, entity)


def union(spans: Iterable[Span], text: str) -> list[Span]:
    """Unite spans that overlap, and parts of one place or name that only blanks or a comma part.

    The entity of the longest wins, of equals that of the first in ENTITIES.
    """
    rank = {entity: order for order, entity in enumerate(ENTITIES)}
    united: list[Span] = []
    winner = 0
    for span in sorted(spans, key=lambda found: (found.start, -found.end, rank[found.entity])):
        length = span.end - span.start
        if not united or not _joined(united[-1], span, text):
            united.append(span)
            winner = length
            continue
        last = united[-1]
        entity = span.entity if (-length, rank[span.entity]) < (-winner, rank[last.entity]) else last.entity
        winner = max(winner, length)
        united[-1] = Span(last.start, max(last.end, span.end), entity)
    return united


def with_code(span: Span, text: str) -> Span:
    """Grow a place by the postal code that follows it: "Denmark 29587"; a year is none."""
    code = POSTAL_CODE.match(text, span.end) if span.entity == "LOCATION" else None
    return Span(span.start, code.end(), span.entity) if code else span


def _joined(last: Span, span: Span, text: str) -> bool:
    if span.start < last.end:
        return True
    gap = text[last.end : span.start]
    parts = {"LOCATION": ".,# \n\t", "PERSON": " "}.get(span.entity, "")
    return span.entity == last.entity and len(gap) <= 6 and not gap.strip(parts)


def _in_word(character: str) -> bool:
    return character.isalnum() or unicodedata.category(character).startswith("M") or character == "\u200d"
