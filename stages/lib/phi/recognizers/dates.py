"""Calendar dates: every element but the year identifies; durations and relative times do not."""

from __future__ import annotations

from presidio_analyzer import PatternRecognizer

from stages.lib.phi.recognizers.labelled import UNIT, patterns

# "may" and "march" are words, "Mar" and "May" names: these months need their capital
MONTH = (
    r"(?:(?i:jan(?:uary)?|feb(?:ruary)?|apr(?:il)?|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|"
    r"nov(?:ember)?|dec(?:ember)?)|MAR(?:CH)?|Mar(?:ch)?|MAY|May)\b\.?"
)
WEEKDAY = (
    r"(?:(?i:mon(?:day)?|tue(?:s(?:day)?)?|wed(?:nesday)?|thu(?:rs?(?:day)?)?|fri(?:day)?)|SAT|SUN|"
    r"[Ss]at(?:urday)?|[Ss]un(?:day)?)\b\.?"
)
DAY = r"(?:0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th)?"
YEAR = r"(?:(?:19|20)\d\d|['\u2019]\d\d)"
NUMBER = r"(?<![\w./-])"  # no date starts within another number: 1/120/80, 10.12.3
TIME = r"(?:[T ]\d\d:\d\d(?::\d\d)?(?:\.\d+)?Z?)?"
FORMATS = {
    "year first": rf"{NUMBER}(?:19|20)\d\d([-/.])(?:0?[1-9]|1[0-2])\1(?:0?[1-9]|[12]\d|3[01]){TIME}(?![\w/-])",
    "year last": rf"{NUMBER}(?:0?[1-9]|[12]\d|3[01])([-/.])(?:0?[1-9]|[12]\d|3[01])\1(?:19|20)?\d\d{TIME}(?![\w/-])",
    "day of month": rf"(?<![\w.]){DAY}(?: |[-/.])?(?:(?i:day )?of )?{MONTH}"
    rf"(?:[-/.]?,? ?{YEAR}\b|[-/.]\d\d\b(?![:.]\d)| \d\d\b(?![:.]\d| ?%| ?{UNIT}\b))?",
    "month and day": rf"\b{MONTH}(?: (?:the )?|-){DAY}(?![\w/%]|[.,]\d|-\d\d(?!\d\d))"
    rf"(?:(?: ?, ?| (?:of )?|-){YEAR}\b)?",
    "month and year": rf"\b{MONTH}(?:,| of|-|/)? ?{YEAR}\b",
    "year and month": rf"{NUMBER}(?:19|20)\d\d[ -]{MONTH}(?:[ -]{DAY}\b)?",
    "digits alone": rf"{NUMBER}(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?![\w/-])",
    "in lower case": rf"\b(?:may|march) (?:19|20)\d\d\b|"
    rf"\b(?:mar(?:ch)?|may)\.? {DAY},? {YEAR}\b|\b{DAY}[ -](?:mar(?:ch)?|may)[ -]{YEAR}\b",
    "without blanks": r"(?<!\w)\d{1,2}(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)\d{2}(?:\d\d)?\b",
    "before a date": rf"\b{WEEKDAY},? ?(?={DAY}[-/.]\d|(?:the )?{DAY}[ /.-]*(?:of )?(?i:{MONTH})|"
    rf"\d{{4}}[-/.]\d|{MONTH}|the {DAY}\b)",
    "month in numbers": rf"{NUMBER}(?:0?[1-9]|1[0-2])/(?:19|20)\d\d(?![\w/-])",
    "after a preposition": r"\b(?i:on|since|dated?:?|until|till|from|dob:?|d\.o\.b\.?:?|as of) \K"
    r"(?:0?[1-9]|1[0-2])[/-](?:0?[1-9]|[12]\d|3[01])(?![\w/%.-]| ?(?:mg|ml|kg))",
    "bare month": rf"\b(?i:in|since|last|this past|next|early|late|mid|until|till|by|of|during|before|after)"
    rf"[ -]\K{MONTH}(?! \d)",
    # "every Monday" is a schedule, "on Monday" is a date
    "weekday": r"\b(?i:on|last|this|next|since|until|till|by|before|after|coming|past|meet|come|for) \K"
    r"(?:(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day|Mon|Tues?|Wed|Thu(?:rs?)?|Fri|Sat|Sun)\b(?!s| [A-Z])",
    "day alone": r"\bon the \K\d{1,2}(?:st|nd|rd|th)\b(?! (?:day|week|month|percentile|centile|rib|digit|toe|finger))",
    # Christmas disease is haemophilia B
    "holiday": r"\b(?:Christmas(?! (?i:disease|factor))(?: Eve| Day)?|"
    r"Thanksgiving|Easter|New Year['\u2019]s(?: Eve| Day)?|"
    r"Halloween|Independence Day|Labor Day|Memorial Day|Valentine['\u2019]s Day|Hanukkah|"
    r"Ramadan(?! (?i:fast))|Diwali|Yom Kippur)\b",
}


class CalendarDateRecognizer(PatternRecognizer):  # Presidio's registry looks classes up by name
    """Find dates finer than a year (45 CFR 164.514(b)(2)(i)(C))."""

    def __init__(self, name: str, supported_language: str) -> None:
        super().__init__("DATE_TIME", name, supported_language, patterns(FORMATS))
