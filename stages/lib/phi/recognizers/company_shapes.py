"""Companies by shape alone: the names of three partners, which a list of findings looks like too."""

from __future__ import annotations

from presidio_analyzer import PatternRecognizer

from stages.lib.phi.recognizers.labelled import patterns
from stages.lib.phi.recognizers.places import WORD

FORMATS = {
    "partners": rf"\b{WORD}, {WORD} and {WORD}\b",
    "two partners": rf"\b{WORD} (?:&|and) {WORD}(?=,? (?i:inc|llc|ltd|llp|sons|partners|associates|co)\b)",
}


class CompanyShapeRecognizer(PatternRecognizer):  # Presidio's registry looks classes up by name
    """Find what passes the safeguards as names of partners."""

    def __init__(self, name: str, supported_language: str) -> None:
        super().__init__("ORGANIZATION", name, supported_language, patterns(FORMATS, score=0.8))
