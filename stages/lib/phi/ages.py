"""How ages over 89 are written: number, in digits or words, and the unit that goes with it."""

from __future__ import annotations

import re

OVER_89 = r"(?:9\d|1[0-2]\d)"
IN_WORDS = (
    r"(?i:ninety(?:[- ](?:one|two|three|four|five|six|seven|eight|nine))?|(?:one|a) hundred(?:[- ]and)?(?:[- ]\w+)?)"
)
# the last dot of "y.o." goes where it ends no sentence
OLD = r"(?i:[- ]?(?:years?|yrs?)[- ]?(?:old|of age)|[- ]?y(?:\.o\.(?= (?-i:[a-z]))|[/.]?o\b))"
OLD_IN_WORDS = r"(?i:-years?-old\b| years?(?: old| of age)|-year old\b)"
YEARS = rf"(?:{OLD}|(?i:[- ]?(?:years?|yrs?)\b))"
NUMBER = re.compile(r"\d+|(?:ninety|(?:one|a)\s+hundred)(?:[\s-]+(?!years?\b)\w+)*", re.IGNORECASE)


def number_in(phrase: str) -> tuple[int, int]:
    """Return where the number stands in the phrase of an age, "aged 94 years"; all of it where there is none."""
    found = NUMBER.search(phrase)
    return found.span() if found else (0, len(phrase))
