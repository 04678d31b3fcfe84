"""Calendar dates: every element but the year identifies; durations and relative times do not."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from presidio_analyzer import PatternRecognizer

# "may" and "march" are words, "Mar" and "May" names: these months need their capital
MONTH = (
    r"(?:(?i:jan(?:uary)?|feb(?:ruary)?|apr(?:il)?|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|"
    r"nov(?:ember)?|dec(?:ember)?)|MAR(?:CH)?|Mar(?:ch)?|MAY|May)\b\.?"
)
DAY = r"(?:0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th)?"
YEAR = r"(?:(?:19|20)\d\d|['\u2019]\d\d)"
NUMBER = r"(?<![\w./-])"  # no date starts within another number: 1/120/80, 10.12.3
TIME = r"(?:[T ]\d\d:\d\d(?::\d\d)?(?:\.\d+)?Z?)?"
FORMATS = {
    "year first": rf"{NUMBER}(?:19|20)\d\d([-/.])(?:0?[1-9]|1[0-2])\1(?:0?[1-9]|[12]\d|3[01]){TIME}(?![\w/-])",
    "year last": rf"{NUMBER}(?:0?[1-9]|[12]\d|3[01])([-/.])(?:0?[1-9]|[12]\d|3[01])\1(?:19|20)?\d\d{TIME}(?![\w/-])",
    "day of month": rf"\b{DAY}[ -](?:(?i:day )?of )?{MONTH}(?:[ -]?,? ?{YEAR}\b)?",
    "month and day": rf"\b{MONTH}[ -]{DAY}(?![\w/%]|[.,-]\d)(?:,? (?:of )?{YEAR}\b)?",
    "month and year": rf"\b{MONTH}(?:,| of|-|/)? ?{YEAR}\b",
    "month in numbers": rf"{NUMBER}(?:0?[1-9]|1[0-2])/(?:19|20)\d\d(?![\w/-])",
    "after a preposition": r"\b(?i:on|since|dated?:?|until|till|from|dob:?|d\.o\.b\.?:?|as of) \K"
    r"(?:0?[1-9]|1[0-2])[/-](?:0?[1-9]|[12]\d|3[01])(?![\w/%.-]| ?(?:mg|ml|kg))",
    "bare month": rf"\b(?i:in|since|last|this past|next|early|late|mid|until|till|by|of|during|before|after)"
    rf"[ -]\K{MONTH}(?! \d)",
    "day alone": r"\bon the \K\d{1,2}(?:st|nd|rd|th)\b(?! (?:day|week|month|percentile|centile|rib|digit|toe|finger))",
    # Christmas disease is haemophilia B
    "holiday": r"\b(?:Christmas(?! (?i:disease|factor))(?: Eve| Day)?|"
    r"Thanksgiving|Easter|New Year['\u2019]s(?: Eve| Day)?|"
    r"Halloween|Independence Day|Labor Day|Memorial Day|Valentine['\u2019]s Day|Hanukkah|Ramadan|Diwali|Yom Kippur)\b",
}


def recognizer() -> PatternRecognizer:
    """Return the recognizer of dates finer than a year (45 CFR 164.514(b)(2)(i)(C))."""
    from presidio_analyzer import Pattern, PatternRecognizer

    patterns = [Pattern(name, regex, 0.95) for name, regex in FORMATS.items()]
    return PatternRecognizer("DATE_TIME", name="dates", patterns=patterns, global_regex_flags=0)
