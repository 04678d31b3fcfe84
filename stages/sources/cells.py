"""Turn a cell of a user's table into a value of a record, or say in general words why it can't be."""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping
from typing import Any

SEXES = {
    "female": ("female", "f", "woman"),
    "male": ("male", "m", "man"),
    "other": ("other", "o", "x", "diverse", "intersex"),
    None: ("", "unknown", "unk", "u", "n/a", "na"),
}


class UnreadableError(Exception):
    """A value that can't be used; its message says why and never repeats the value."""


def as_text(value: Any) -> str:
    """Return a cell as text without surrounding white space; an absent one as an empty string."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float) and value.is_integer():  # an id that a spreadsheet or pandas made a float
        return str(int(value))
    text = str(value).strip()
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise UnreadableError("not valid Unicode")
    return text


def as_age(text: str) -> float | None:
    """Return an age in years, from 0 to 130."""
    if not text:
        return None
    try:
        age = float(text)
    except ValueError:
        raise UnreadableError("age is not a number") from None
    if not 0 <= age <= 130:
        raise UnreadableError("age is not between 0 and 130 years")
    return age


def as_sex(text: str) -> str | None:
    """Return female, male, other or, where it is unknown, None."""
    for sex, names in SEXES.items():
        if text.casefold() in names:
            return sex
    raise UnreadableError("sex is not female, male, other or unknown")


def as_date(text: str) -> str | None:
    """Return a date, or the date of a time, in ISO 8601."""
    if not text:
        return None
    try:
        return datetime.datetime.fromisoformat(text).date().isoformat()
    except ValueError:
        raise UnreadableError("date is not ISO 8601") from None


def as_spans(value: Any, *, length: int) -> list[dict[str, Any]]:
    """Return gold spans, in order, of a text of `length` characters; an absent value is no span."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise UnreadableError("phi is not a list")
    spans = []
    for item in value:
        entity = item.get("entity") or item.get("type") if isinstance(item, Mapping) else None
        if not isinstance(entity, str) or not all(type(item.get(key)) is int for key in ("start", "end")):
            raise UnreadableError("phi is not a list of start, end and entity")
        if not 0 <= item["start"] < item["end"] <= length:
            raise UnreadableError("phi outside the text")
        spans.append({"start": item["start"], "end": item["end"], "entity": entity})
    return sorted(spans, key=lambda span: (span["start"], span["end"]))
