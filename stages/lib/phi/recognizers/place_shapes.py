"""Places by shape alone, which a list of findings has too; they must pass the safeguards."""

from __future__ import annotations

from presidio_analyzer import PatternRecognizer

from stages.lib.phi.recognizers.labelled import patterns
from stages.lib.phi.recognizers.places import LINK, REST, UNIT, WORD, WORDS

CODE = r"[A-Z]{1,2}\d[A-Z\d]? \d[A-Z]{2}"  # of the United Kingdom
TOKEN = rf"(?:[\p{{Lu}}\d#][\w\p{{M}}.'\u2019/-]*|{LINK}|(?:al|pl|ul|os)\.|nad)"
FORMATS = {
    "named clinic": rf"\b{WORD}(?: {WORD}){{0,3}}(?: \p{{Ll}}+)? "
    r"(?:clinic|facility|hospital|infirmary|campus|hospice)\b",
    "line with a code": rf"(?m:^)(?=[^\n]*(?:{CODE}|\d\d-\d{{3}}|\d{{5,6}})){TOKEN}(?:,? {TOKEN}){{2,11}}(?m:$)",
    "number, words, number": rf"(?<![\w.,/-])\d{{1,6}} (?:\d{{1,6}} )?{WORDS} \d{{1,4}}[A-Za-z]?\b(?:,? {UNIT})?{REST}",
}


class PlaceShapeRecognizer(PatternRecognizer):  # Presidio's registry looks classes up by name
    """Find lines with a postal code, and words between two numbers."""

    def __init__(self, name: str, supported_language: str) -> None:
        super().__init__("LOCATION", name, supported_language, patterns(FORMATS, score=0.8))
