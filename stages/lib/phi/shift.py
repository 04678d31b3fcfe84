"""Move a written date by days and keep how it is written."""

from __future__ import annotations

import datetime
import re

MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
IN_WORDS = re.compile(
    r"(?:(?P<before>\d\d?)(?P<ordinal>st|nd|rd|th)?(?P<of>[ -](?:day )?(?:of )?))?"
    rf"\b(?P<month>{'|'.join(f'{name[:3]}(?:{name[3:]}|t)?' for name in MONTHS)})\b(?P<dot>\.?)"
    r"(?(before)|(?:(?P<gap>[ -])(?P<after>\d\d?)(?P<suffix>st|nd|rd|th)?(?!\d))?)"
    r"(?:(?P<comma>(?:,? of|,|-|/)? ?)(?P<year>['\u2019]?\d\d|\d{4})(?!\d))?",
    re.IGNORECASE,
)
IN_NUMBERS = re.compile(r"(?<!\d)(\d{1,4})([-/.])(\d\d?|\d{4})(?:\2(\d{4}|\d\d?))?(?!\d)")
MIDDLE = 15  # where a day is not told


def shifted(value: str, *, days: int, year: int, day_first: bool) -> str | None:
    """Return the date `value` moved by `days`, or None where it is no date that can be read.

    A date that tells no year is taken to be of `year`, the patient's latest, which also says the century of two
    digits. `day_first` says how to read 03/04/2021.
    """
    for pattern, move in ((IN_WORDS, _in_words), (IN_NUMBERS, _in_numbers)):
        if match := pattern.search(value):
            try:
                moved = move(match, days, year, day_first)
            except (ValueError, OverflowError):  # 31 June, or beyond the calendar
                return None
            return value[: match.start()] + moved + value[match.end() :]
    return None


def is_day_first(values: list[str]) -> bool:
    """Say whether numeric dates of one writer begin with the day: one of `values` says so, and none the contrary."""
    pairs = [(int(found[1]), int(found[3])) for value in values for found in IN_NUMBERS.finditer(value)]
    return any(12 < first <= 31 for first, _ in pairs) and not any(
        first <= 12 < second <= 31 for first, second in pairs
    )


def _in_words(match: re.Match[str], days: int, year: int, _day_first: bool) -> str:
    part = match.groupdict()
    told = part["before"] or part["after"]
    number = next(place for place, name in enumerate(MONTHS, 1) if name[:3] == part["month"][:3].title())
    date = _date(part["year"], number, told, year) + datetime.timedelta(days)
    name = MONTHS[date.month - 1]
    if part["month"].title() not in MONTHS or part["dot"]:
        name = name[:3]
    month = name.upper() if part["month"].isupper() else name.lower() if part["month"].islower() else name
    day = f"{date.day:02}" if told and told[0] == "0" else str(date.day)
    text = f"{day}{_ordinal(date.day, part['ordinal'])}{part['of']}" if part["before"] else ""
    text += month + part["dot"]
    text += f"{part['gap']}{day}{_ordinal(date.day, part['suffix'])}" if part["after"] else ""
    return text + (f"{part['comma']}{_year(date.year, part['year'])}" if part["year"] else "")


def _in_numbers(match: re.Match[str], days: int, year: int, day_first: bool) -> str:
    first, sign, second, third = match.groups()
    if len(first) == 4:
        order = "year month day" if third else "year month"
    elif third is None and len(second) == 4:
        order = "month year"
    else:
        swapped = sign == "." or day_first
        swapped = int(second) <= 12 if int(first) > 12 else swapped and int(second) <= 12
        order = ("day month" if swapped else "month day") + (" year" if third else "")
    names, given = order.split(), [text for text in (first, second, third) if text]
    part = dict(zip(names, given, strict=True))
    date = _date(part.get("year"), int(part["month"]), part.get("day"), year) + datetime.timedelta(days)
    padded = all(len(text) > 1 for text in given)
    shown = {"day": date.day, "month": date.month}
    return sign.join(
        _year(date.year, part["year"]) if name == "year" else f"{shown[name]:0{2 if padded else 1}}" for name in names
    )


def _date(year: str | None, month: int, day: str | None, latest: int) -> datetime.date:
    if year is None:
        return datetime.date(latest, month, int(day or MIDDLE))
    number = int(year.strip("'\u2019"))
    if number < 100:
        number += latest - latest % 100 - (100 if number > latest % 100 else 0)
    return datetime.date(number, month, int(day or MIDDLE))


def _year(year: int, form: str) -> str:
    return f"{form[0]}{year % 100:02}" if form[0] in "'\u2019" else str(year) if len(form) == 4 else f"{year % 100:02}"


def _ordinal(day: int, form: str | None) -> str:
    if not form:
        return ""
    return "th" if 10 < day % 100 < 14 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
