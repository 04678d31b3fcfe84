"""Count what still looks like PHI in a scrubbed text, by simple patterns that share nothing with the recognizers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

PATTERNS = {
    "e-mail address": r"[\w.+-]+@[\w-]+\.[\w.-]+",
    "web address": r"\b(?:https?://|www\.)\S+",
    "IP address": r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.]\d)",
    "US social security number": r"(?<![\w-])\d{3}-\d{2}-\d{4}(?![\w-])",
    "telephone number": r"(?<![\w-])(?:\+?\d{1,3}[ .-])?\(?\d{3}\)?[ .-]\d{3}[ .-]\d{4}(?!\w)|(?<!\w)\+\d{9,15}(?!\w)",
    "full date": r"(?<![\w/.-])(?:(?:19|20)\d\d([-/.])\d\d?\1\d\d?|\d\d?([-/.])\d\d?\2(?:19|20)\d\d)(?![\w/-])",
    "date in words": r"\b(?:jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec)[a-z]*\.? \d{1,2}"
    r"(?:st|nd|rd|th)?,? (?:19|20)\d\d\b",
    "labelled number": r"\b(?:mrn|ssn|medical record)\b\W{0,3}(?:(?:number|no|is)\W{1,3})*[\w-]*\d{4,}",
}

GATE = r"(?i)@|://|www\.|\p{Nd}{4}|\p{Nd}\.\p{Nd}{1,3}\.\p{Nd}"  # some part of any match, as RE2, which is 20 x as fast


# Surrogates have the form of what they replace, so these say nothing of a text that holds them; `scrub` counts them
# before it fakes
FAKED = {"full date", "date in words", "labelled number"}
# What is given to nobody, from which fakes are taken: documentation's domains and addresses, telephone numbers of
# fiction, social security numbers from 666 (RFC 2606, 5737; North American Numbering Plan, 555-0100 to 555-0199)
NOBODYS = re.compile(
    r"[@./]example\.(?:com|net|org)\b|^(?:192\.0\.2|198\.51\.100|203\.0\.113)\.\d{1,3}$|\b555-01\d\d$|^666-",
    re.IGNORECASE,
)


def compiled(*, faked: bool = False) -> list[re.Pattern[str]]:
    """Return the patterns, case-insensitive; none matches a placeholder such as `[DATE_TIME_2]`.

    Where values are `faked`, only those by which a fake can be told from a true value.
    """
    return [re.compile(pattern, re.IGNORECASE) for name, pattern in PATTERNS.items() if not (faked and name in FAKED)]


def count_hits(text: str, patterns: list[re.Pattern[str]], *, faked: bool = False) -> int:
    """Return how many matches of `patterns` a text holds; where values are `faked`, without what belongs to nobody."""
    found = (match.group() for pattern in patterns for match in pattern.finditer(text))
    return sum(not (faked and NOBODYS.search(value)) for value in found)


def hits_by_text(texts: pa.Array, *, faked: bool = False) -> np.ndarray:
    """Return how many matches of the patterns each text holds; an absent one holds none."""
    import numpy as np
    import pyarrow.compute as pc

    hits, patterns = np.zeros(len(texts), dtype="int32"), compiled(faked=faked)
    for row in np.flatnonzero(pc.fill_null(pc.match_substring_regex(texts, GATE), False)):
        hits[row] = count_hits(texts[int(row)].as_py(), patterns, faked=faked)
    return hits
