"""The one shape in which PHI is found: half-open character ranges with an entity, and how ranges combine."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from stages.lib.phi.lexicon import Lexicon

ENTITIES = {
    "PERSON": "names of patients, relatives, staff",
    "LOCATION": "any place below a state: address, city, facility's town, postal code",
    "ORGANIZATION": "hospitals, employers, insurers",
    "DATE_TIME": "a day or month of the calendar",
    "AGE": "ages over 89",
    "MEDICAL_RECORD_NUMBER": "numbers of records, charts, visits",
    "HEALTH_PLAN_NUMBER": "numbers of insurance members, policies, claims",
    "ACCOUNT_NUMBER": "numbers of accounts, invoices, payment cards",
    "LICENSE_NUMBER": "numbers of certificates, licences, passports",
    "VEHICLE_ID": "vehicle numbers and licence plates",
    "DEVICE_ID": "serial and other numbers of devices",
    "BIOMETRIC_ID": "numbers of finger, voice, face and other prints",
    "PHOTO": "photographs by file name or number",
    "PHONE_NUMBER": "telephone and fax numbers",
    "EMAIL_ADDRESS": "e-mail addresses",
    "URL": "web addresses",
    "IP_ADDRESS": "IP and MAC addresses",
    "ID": "any other number of a person, social security among them",
    "NRP": "nationality, religion, political group",
}
PLACEHOLDER = re.compile(rf"\[(?:{'|'.join(ENTITIES)})_\d+\]")

TITLES = frozenset(
    ["dr", "mr", "mrs", "ms", "miss", "mx", "prof", "professor", "doctor", "nurse", "rev", "capt", "sgt"]
)
ABBREVIATED = re.compile(r"\b(?:Inc|Ltd|Corp|Co|Hosp|Ctr|St|Str|Ave|Rd|Blvd|Ln|Jr|Sr|u|[Uu]l|[^\W\d_]|\w\.\w{1,4})\.$")
INITIAL = re.compile(r" (?:[A-Z]\.?|van|von|van der|van den|de|de la|der|den|ten|ter|di|da|del|bin|ibn|al|el) ")
POSTAL_CODE = re.compile(
    r"(?:[,\s>]{1,4}|-)(?:(?!(?:19|20)\d\d\b)(?:\d{4,6}(?:-\d{3,4})?|\d\d-\d{3}|\d{3} \d\d\d?|\d{4} ?[A-Z]{2})|"
    r"[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}|[A-Z]\d[A-Z] ?\d[A-Z]\d)\b(?![%.,/-]?\w)"
)
# a town in capitals; "DIAGNOSIS:" on the next line is none
CAPITALS = re.compile(r"[^\W\d_a-z]{3,}(?:[ -][^\W\d_a-z]{2,})*(?![\w:])")
PROVINCE = re.compile(r" \([A-Z]{2}\)")
# "vitamin D Smith" is rarer than "D Smith"
INITIALS = re.compile(r"(?<![\w'\u2019&/-])(?:[^\W\d_a-z](?:\. ?| )){1,3}$")
SMALL_BEFORE = re.compile(r"(?<![\w'\u2019-])(?P<word>[^\W\d_A-Z]{3,})(?: |, )$")
SMALL_AFTER = re.compile(r"(?: |, )(?P<word>[^\W\d_A-Z]{3,})(?![\w'\u2019-])")
ADDRESS_LINE = re.compile(
    r"[,\s>)]{1,5}(?:(?P<code>(?:(?!and|or|at|on|for|was|is|has|had|in|to|by|with|from|since)[a-z]{2,4}\s+)?"
    r"(?:\d{4,6}(?:-\d{3,4})?|\d{3} \d\d)\b(?![%.,/]\d)|"
    r"(?:New|North|South|East|West|Upper|Lower|San|Santa|St\.?) (?=[A-Z])|"
    r"[A-Z]{2}(?=[, \n]+\d{4,6}|[.,;]|\s*$))|"
    r"\(?(?P<word>[^\W\d_]{3,}))(?:['\u2019-][^\W\d_]+)*"
)


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
        and not (
            text[end - 1] in "./"
            and (entity == "URL" or text[end - 2].isupper() or ABBREVIATED.search(text[start:end]))
        )
    ):
        end -= 1
    if not any(_in_word(character) for character in text[start:end]):
        return None
    while start > 0 and _in_word(text[start]) and _in_word(text[start - 1]):
        start -= 1
    while 0 < start < end and _is_mark(text[start]):  # it belongs to what is no word, such as an emoji
        start += 1
    while end < len(text) and _in_word(text[end]) and _in_word(text[end - 1]):
        end += 1
    if text[start].isdigit() and text[start - 1 : start] == "#":
        start -= 1
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


def with_rest(span: Span, text: str, lexicon: Lexicon) -> Span:
    """Grow a place by the postal code that follows it, "Denmark 29587", and a street address by its further lines.

    A year is no postal code; an address goes on in codes and in capitals that are no English or clinical word.
    """
    start, end, entity = span
    if entity == "PERSON":
        return _with_neighbours(span, text, lexicon)
    if text[start:end].count("(") > text[start:end].count(")") and text[end : end + 1] == ")":
        return Span(start, end + 1, entity)
    if entity != "LOCATION":
        return span
    if code := POSTAL_CODE.match(text, end):
        end = code.end()
    if any(map(str.isdigit, text[span.start : span.end])):
        while (line := ADDRESS_LINE.match(text, end)) and (
            line["code"] or not lexicon.is_known(line["word"]) or CAPITALS.match(text, line.start("word"))
        ):
            end = line.end()
        if province := PROVINCE.match(text, end):
            end = province.end()
    return Span(start, end, entity)


def _with_neighbours(span: Span, text: str, lexicon: Lexicon) -> Span:
    """Grow a name by the initials before it and by words in lower case beside it that no vocabulary has."""
    start, end, entity = span
    before = INITIALS.search(text, max(0, start - 12), start)
    if before and before.group().isupper():
        start = before.start()
    for word in (SMALL_BEFORE.search(text, max(0, start - 24), start), SMALL_AFTER.match(text, end)):
        if word and word["word"].islower() and not lexicon.is_known(word["word"]):
            start, end = min(start, word.start("word")), max(end, word.end())
    return Span(start, end, entity)


def _joined(last: Span, span: Span, text: str) -> bool:
    if span.start < last.end:
        return True
    gap = text[last.end : span.start]
    if {last.entity, span.entity} <= {"LOCATION", "ORGANIZATION"} and gap in {" in ", ", ", "., "}:
        return True
    if {last.entity, span.entity} == {"PERSON"} and INITIAL.fullmatch(gap):
        return True
    parts = {"LOCATION": ".,# \n\t", "PERSON": " "}.get(span.entity, "")
    return span.entity == last.entity and len(gap) <= 6 and not gap.strip(parts)


def _in_word(character: str) -> bool:
    return character.isalnum() or _is_mark(character)


def _is_mark(character: str) -> bool:
    return unicodedata.category(character).startswith("M") or character == "\u200d"
