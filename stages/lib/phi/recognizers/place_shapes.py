"""Places by shape alone, which a list of findings has too; they must pass the safeguards."""

from __future__ import annotations

from presidio_analyzer import PatternRecognizer

from stages.lib.phi.recognizers.labelled import patterns
from stages.lib.phi.recognizers.places import BEHIND, HOUSE, LINK, LINKED, REST, UNIT, WORD, WORDS

CODE = r"[A-Z]{1,2}\d[A-Z\d]? \d[A-Z]{2}"  # of the United Kingdom
NAME = r"\p{Lu}\p{Ll}[\p{L}\p{M}'\u2019-]*"
NAMES = rf"{NAME}(?:(?: {LINKED}){{0,2}} {NAME}){{0,3}}"
TOKEN = rf"(?:[\p{{Lu}}\d#][\w\p{{M}}.'\u2019/-]*|{LINK}|(?:al|pl|ul|os)\.|nad)"
FORMATS = {
    "named clinic": rf"\b{WORD}(?: {WORD}){{0,3}}(?: \p{{Ll}}+)? "
    r"(?:clinic|facility|hospital|infirmary|campus|hospice)\b",
    "line with a code": rf"(?m:^)(?=[^\n]*(?:{CODE}|\d\d-\d{{3}}|\d{{5,6}})){TOKEN}(?:,? {TOKEN}){{2,11}}(?m:$)",
    "house and words": rf"\b(?i:(?:live[sd]?|living|stay(?:s|ing)?|resid(?:es|ing)|address) ?(?:is|:|at|on|in)?|"
    rf"meet (?:me|us)? ?at|at|on|to|"
    rf"from|of|near|visit) \K(?!(?:19|20)\d\d\b){HOUSE},? (?=\p{{L}}{{3}}){NAMES}(?:,? {UNIT})?{REST}",
    "line of house and words": rf"(?m:^|(?<=[:,] ))(?!(?:19|20)\d\d\b){HOUSE} "
    rf"(?=\p{{L}}{{3}}){NAME}(?: {NAME}){{1,3}}(?:,? {UNIT})?(?=,?\s*(?:\n|,|$))",
    "words and house": rf"\b(?i:(?:live[sd]?|living|stay(?:s|ing)?|resid(?:es|ing)|address) ?(?:is|:|at|on|in)?|"
    rf"deliver(?:ed)? to|"
    rf"sen[dt] (?:it )?to|meet (?:me|us)? ?at) \K{NAMES},? {BEHIND}",
    "town with a link": rf"\b(?=\p{{L}}{{3}}){WORD} (?:am|an der|ob der|bei|do|da|dos|das|sur|sous|lès|pod|nad|"
    rf"upon|los|las) (?=\p{{L}}{{3}}){WORD}",
    "number, words, number": rf"(?<![\w.,/-])\d{{1,6}} (?:\d{{1,6}} )?{WORDS} \d{{1,4}}[A-Za-z]?\b(?:,? {UNIT})?{REST}",
}


class PlaceShapeRecognizer(PatternRecognizer):  # Presidio's registry looks classes up by name
    """Find lines with a postal code, and words between two numbers."""

    def __init__(self, name: str, supported_language: str) -> None:
        super().__init__("LOCATION", name, supported_language, patterns(FORMATS, score=0.8))
