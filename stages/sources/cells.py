"""Turn a cell of a user's table into a value of a record, or say in general words why it can't be; check a case."""

from __future__ import annotations

import datetime
import decimal
import math
import unicodedata
from collections.abc import Mapping
from typing import Any

from stages.sources.cases import Case, Rejected

LONGEST_TEXT = 16 * 2**20  # characters
LONGEST_NAME = 500  # characters; the longest name in phenotype.hpoa, of OMIM's and Orphanet's diseases, has 145
# What spreadsheets take for the start of a formula, in full width too: diagnoses stand in tables that people open.
FORMULA = "=+-@\uff1d\uff0b\uff0d\uff20"
JOINERS = "\u200c\u200d"  # Persian and the scripts of India need these two of the invisible characters
INVISIBLE = ("Cc", "Cf", "Co", "Cs")  # Unicode's categories of controls, marks of direction, and no characters

SEXES = (
    dict.fromkeys(("female", "f", "woman"), "female")
    | dict.fromkeys(("male", "m", "man"), "male")
    | dict.fromkeys(("other", "o", "x", "diverse", "intersex"), "other")
    | dict.fromkeys(("", "unknown", "unk", "u", "n/a", "na"))
)
SPLITS = {
    **{name: name for name in ("train", "validation", "calibration", "test")},
    **{"": None, "training": "train", "valid": "validation", "val": "validation", "dev": "validation"},
}


class UnreadableError(Exception):
    """A value that can't be used; its message says why and never repeats the value."""


def as_text(value: Any) -> str:
    """Return a cell as text without surrounding white space; an absent one as an empty string."""
    if isinstance(value, str):
        require_unicode(value)
        return value.strip()
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float) and value.is_integer():  # an id that a spreadsheet or pandas made a float
        return str(int(value))
    if not isinstance(value, int | float | datetime.date | decimal.Decimal):
        raise UnreadableError("a list, an object or bytes where there should be one value")
    return str(value)


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
    try:
        return SEXES[text.casefold()]
    except KeyError:
        raise UnreadableError("sex is not female, male, other or unknown") from None


def as_split(text: str) -> str | None:
    """Return the split that the publisher of the data chose: train, validation, calibration or test."""
    try:
        return SPLITS[text.casefold()]
    except KeyError:
        raise UnreadableError("split is not train, validation, calibration or test") from None


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


def fit(case: Case) -> Case | Rejected:
    """Return a source's case with its diagnosis normalised, or why no model, table or report should meet it."""
    try:
        text, code = case["text"], case.get("diagnosis_code")
        if len(text) > LONGEST_TEXT:
            raise UnreadableError(f"text longer than {LONGEST_TEXT:,} characters")
        if "\0" in text:
            raise UnreadableError("text holds null characters")
        require_unicode(text)
        return case | {
            "diagnosis": as_name(case["diagnosis"], what="diagnosis"),
            "diagnosis_code": as_name(code, what="diagnosis code") if code else None,
        }
    except UnreadableError as error:
        return Rejected(str(case.get("file", "-")), str(case.get("row", "-")), str(error))


def as_name(text: str, *, what: str) -> str:
    """Return a name in Unicode's normal form C, with single spaces; it stands as it is in tables and reports."""
    name = " ".join(text.split())
    if not name:
        raise UnreadableError(f"no {what}")
    if len(name) > LONGEST_NAME:  # before it is normalised, which takes quadratic time for marks without end
        raise UnreadableError(f"{what} longer than {LONGEST_NAME} characters")
    name = unicodedata.normalize("NFC", name)
    if name[0] in FORMULA:
        raise UnreadableError(f"{what} begins like a formula, with one of = + - @")
    plain = name.isascii() and name.isprintable()
    if not plain and any(unicodedata.category(sign) in INVISIBLE and sign not in JOINERS for sign in name):
        raise UnreadableError(f"{what} holds control characters or marks of direction")
    return name


def require_unicode(text: str) -> None:
    """Raise UnreadableError where a text has half of a surrogate pair, which no file can hold."""
    try:
        _ = text.isascii() or text.encode()
    except UnicodeEncodeError:
        raise UnreadableError("not valid Unicode") from None
