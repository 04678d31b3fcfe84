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
TITLE = "dr mr mrs ms miss mx prof professor doctor nurse rev capt sgt"
TITLES = frozenset(TITLE.split())
ABBREVIATED = re.compile(
    r"\b(?:Inc|Ltd|Corp|Co|Hosp|Ctr|St|Str|Ave|Rd|Blvd|Ln|Jr|Sr|u|[Uu]l|Kft|Kkt|Nyrt|Zrt|Bt|San|Tic|[^\W\d_]|"
    r"\w\.\w{1,4})\.$"
)
PRONOUN = re.compile(r"I(?:['\u2019]m| am) ")
INITIAL = re.compile(r" (?:[A-Z]\.?|van|von|van der|van den|de|de la|der|den|ten|ter|di|da|del|bin|ibn|al|el) ")
POSTAL_CODE = re.compile(
    r"(?:[,\s>]{1,4}|-)(?:(?!(?:19|20)\d\d\b)(?:\d{4,6}(?:-\d{3,4})?|\d\d-\d{3}|\d{3} \d\d\d?|\d{4} ?[A-Z]{2})|"
    r"[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}|[A-Z]\d[A-Z] ?\d[A-Z]\d)\b(?![%.,/-]?\w)"
)
# a town in capitals; "DIAGNOSIS:" on the next line is none
CAPITALS = re.compile(r"[^\W\d_a-z]{3,}(?:[ -][^\W\d_a-z]{2,})*(?![\w:])")
PROVINCE = re.compile(r" \([A-Z]{2}\)| ?/ ?[A-Z]{2}\b")
# "vitamin D Smith" is rarer than "D Smith"
INITIALS = re.compile(r"(?<![\w'\u2019&/-])(?:[^\W\d_](?:\. ?| )){1,3}$")
SMALL_BEFORE = re.compile(r"(?<![\w'\u2019-])(?P<word>[^\W\d_A-Z]{3,})(?: |, )$")
SMALL_AFTER = re.compile(r"(?: |, )(?P<word>[^\W\d_A-Z]{3,})(?![\w'\u2019-])")
ADDRESS_LINE = re.compile(
    r"[,\s>)]{1,5}(?:(?P<code>(?:(?!and|or|at|on|for|was|is|has|had|in|to|by|with|from|since)[a-z]{2}\s+)?"
    r"(?!(?:19|20)\d\d\b)(?:\d{4,6}(?:-\d{3,4})?|\d{3} \d\d)\b(?![%.,/]\d)|"
    r"(?:New|North|South|East|West|Upper|Lower|San|Santa|St\.?) (?=[A-Z])|"
    r"[A-Z]{2}(?=[, \n]+\d{4,6}|[.,;]|\s*$))|"
    r"\(?(?P<word>[^\W\d_]{3,}))(?:['\u2019-][^\W\d_]+)*"
)


class Span(NamedTuple):
    """Characters `start` to `end` (half-open) of a text that are an `entity`, and what found it with which score."""

    start: int
    end: int
    entity: str
    recognizer: str = ""
    score: float | None = None


def outside(spans: Iterable[Span], taken: Sequence[tuple[int, int]]) -> list[Span]:
    """Return what of `spans` lies outside the sorted, disjoint ranges `taken`; a span may fall into several."""
    rest = []
    for span in spans:
        start, end = span[:2]
        for taken_start, taken_end in taken:
            if taken_end <= start:
                continue
            if taken_start >= end:
                break
            if taken_start > start:
                rest.append(span._replace(start=start, end=taken_start))
            start = taken_end
        if start < end:
            rest.append(span._replace(start=start))
    return rest


def placeholders(text: str) -> list[tuple[int, int]]:
    """Return the ranges of placeholders in `text`: they are never searched and never replaced."""
    return [match.span() for match in PLACEHOLDER.finditer(text)]


def whole_words(text: str, span: Span) -> Span | None:
    """Trim `span` of blanks and punctuation, then grow it to whole words and graphemes; None if nothing is left."""
    start, end, entity = span[:3]
    if entity == "PERSON" and (pronoun := PRONOUN.match(text, start, end)):
        start = pronoun.end()
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
    return span._replace(start=start, end=end)


def union(spans: Iterable[Span], text: str) -> list[Span]:
    """Unite spans that overlap, and parts of one place or name that only blanks or a comma part.

    The entity of the longest wins, of equals that of the first in ENTITIES; and with it what found it.
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
        best = span if (-length, rank[span.entity]) < (-winner, rank[last.entity]) else last
        winner = max(winner, length)
        united[-1] = best._replace(start=last.start, end=max(last.end, span.end))
    return united


def with_rest(span: Span, text: str, lexicon: Lexicon) -> Span:
    """Grow a place by the postal code that follows it, "Denmark 29587", and a street address by its further lines.

    A year is no postal code; an address goes on in codes and in capitals that are no English or clinical word.
    """
    start, end, entity = span[:3]
    if entity == "PERSON":
        return _with_neighbours(span, text, lexicon)
    if text[start:end].count("(") > text[start:end].count(")") and text[end : end + 1] == ")":
        return span._replace(end=end + 1)
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
    return span._replace(start=start, end=end)


def _with_neighbours(span: Span, text: str, lexicon: Lexicon) -> Span:
    """Grow a name by the initials before it and by words in lower case beside it that no vocabulary has."""
    start, end = span[:2]
    before = INITIALS.search(text, max(0, start - 12), start)
    if before and (before.group().isupper() or (text[start:end].islower() and before.group() != "a ")):
        start = before.start()
    for word in (SMALL_BEFORE.search(text, max(0, start - 24), start), SMALL_AFTER.match(text, end)):
        if word and word["word"].islower() and not lexicon.is_known(word["word"]):
            start, end = min(start, word.start("word")), max(end, word.end())
    return span._replace(start=start, end=end)


def _joined(last: Span, span: Span, text: str) -> bool:
    if span.start < last.end:
        return True
    gap = text[last.end : span.start]
    if {last.entity, span.entity} <= {"LOCATION", "ORGANIZATION"} and gap in {" in ", ", ", "., "}:
        return True
    named = "PERSON" in {last.entity, span.entity} <= {"PERSON", "LOCATION", "ORGANIZATION"}
    if named and (span.entity == last.entity or gap.isupper()) and INITIAL.fullmatch(gap):
        return True
    parts = {"LOCATION": ".,# \n\t", "PERSON": " ", "DATE_TIME": ", "}.get(span.entity, "")
    return span.entity == last.entity and len(gap) <= 6 and not gap.strip(parts)


def _in_word(character: str) -> bool:
    return character.isalnum() or _is_mark(character)


def _is_mark(character: str) -> bool:
    return unicodedata.category(character).startswith("M") or character == "\u200d"
