"""Words that only their capital gives away: no English, no clinical word, so most likely a name."""

from __future__ import annotations

import re

from stages.lib.phi.knowledge import authorities
from stages.lib.phi.lexicon import Lexicon
from stages.lib.phi.safeguards import DRUG_AFTER, DRUG_BEFORE, is_clinical, stays
from stages.lib.phi.spans import POSTAL_CODE, Span
from stages.lib.phi.truecase import is_unlike

WORD = re.compile(r"(?<![\w@./\\-])[^\W\d_]{3,}(?:['\u2019-][^\W\d_]+)*(?![\w@/\\]|\.\w)")
# A place in capitals stands behind a preposition; capitals elsewhere are abbreviations and headings
PLACED = re.compile(r"\b(?:in|at|to|from|near)[ \n]$", re.IGNORECASE)
VOWELS = re.compile(r"[AEIOUYÀ-ÖØ-Ý]")
# "Rec. for", "Acct#": cut short, not a name
SHORTENED = re.compile(r"#|\. ?[a-z]")


def capitals(text: str, lexicon: Lexicon) -> list[Span]:
    """Return the words of `text` with a capital that no vocabulary knows, in the order of the text.

    Where nothing has a capital, the words that would have one as names.
    """
    if text.islower():
        return [Span(*match.span(), "PERSON") for match in WORD.finditer(text) if is_unlike(match.group(), lexicon)]
    known = authorities(text)
    return [
        Span(*match.span(), "LOCATION" if _is_placed(text, match) else "PERSON")
        for match in WORD.finditer(text)
        if match.group()[0].isupper()
        and _is_unknown(match.group(), lexicon)
        and _may_be_name(text, match, lexicon)
        and not any(start <= match.start() < end for start, end in known)
    ]


def _is_placed(text: str, match: re.Match[str]) -> bool:
    before = text[max(0, match.start() - 8) : match.start()]
    return (
        match.group().isupper() or PLACED.search(before) is not None or POSTAL_CODE.match(text, match.end()) is not None
    )


def _may_be_name(text: str, match: re.Match[str], lexicon: Lexicon) -> bool:
    word, before, after = (
        match.group(),
        text[max(0, match.start() - 16) : match.start()],
        text[match.end() : match.end() + 24],
    )
    if word.isupper():
        pronounced = len(word) > 4 and len(VOWELS.findall(word)) > 1
        if word.isascii() and not (pronounced and PLACED.search(before)):
            return False
        return not is_clinical(text, Span(*match.span(), "LOCATION"), lexicon)
    if (len(word) < 5 and SHORTENED.match(after)) or DRUG_BEFORE.search(before) or DRUG_AFTER.match(after):
        return False
    return not is_clinical(text, Span(*match.span(), "PERSON"), lexicon)


def _is_unknown(word: str, lexicon: Lexicon) -> bool:
    parts = [part for part in re.split(r"['\u2019-]", word) if len(part) > 2]
    return any(
        not lexicon.is_known(part) and not stays(part, placed=True, located=True, lexicon=lexicon) for part in parts
    )
