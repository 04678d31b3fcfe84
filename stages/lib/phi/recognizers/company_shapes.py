"""Companies by shape alone: the names of partners, which a list of findings looks like too."""

from __future__ import annotations

from presidio_analyzer import PatternRecognizer

from stages.lib.phi.recognizers.labelled import patterns
from stages.lib.phi.recognizers.places import WORD

AND = r"(?:and|&|et|y|e|en|und|og|och|i|és|ve|ja)"
NAME = rf"(?:(?i:van|von|de|der|den|di|la|del|bin|el|al) ){{0,2}}{WORD}"
BUSINESS = (
    r"(?:Group|Consulting|Holdings?|Partners|Capital|Ventures|Technolog(?:y|ies)|Solutions|Motors|Labs|Foods|Logistics|"
    r"Software|Textiles|Pharma(?:ceuticals)?|Bank|Insurance|Industries|Associates|Enterprises|Services|Networks?|"
    r"Energy|"
    r"Airlines|Airways|Records|Studios?|Entertainment|Publishing|Press|Stores?|Supermarkets?|Hotels?|"
    r"Restaurants?|Builders|"
    r"Construction|Contractors|Properties|Realty|Financial|Investments|Telecom|Electronics|Robotics|Analytics|Security)"
)
FORMATS = {
    "partners": rf"\b{WORD}, {NAME},? {AND} {NAME}\b",
    "two partners": rf"\b{WORD} (?:&|and) {WORD}(?=,? (?i:inc|llc|ltd|llp|sons|partners|associates|co)\b)",
    "ampersand": rf"\b{WORD} & {WORD}\b",
    "line of business": rf"\b{WORD}(?: {WORD})?,? {BUSINESS}\b",
}


class CompanyShapeRecognizer(PatternRecognizer):  # Presidio's registry looks classes up by name
    """Find what passes the safeguards as names of partners."""

    def __init__(self, name: str, supported_language: str) -> None:
        super().__init__("ORGANIZATION", name, supported_language, patterns(FORMATS, score=0.8))
