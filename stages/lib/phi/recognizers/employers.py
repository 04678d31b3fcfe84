"""Employers and other companies: by legal form, by what announces them, by partners' names."""

from __future__ import annotations

from presidio_analyzer import PatternRecognizer

from stages.lib.phi.recognizers.labelled import patterns
from stages.lib.phi.recognizers.places import WORD

FORM = (
    r"(?:Inc|LLC|L\.L\.C|Ltd|Limited|Corp|Corporation|Company|Co(?=\.)|PLC|plc|GmbH|mbH|S\.A|B\.V|N\.V|Pty|LLP|"
    r"Holdings|"
    r"Enterprises|Industries|Airlines|Logistics|Bank|Brothers|Bros|Oy|Kft|Zrt|GbR|KG|SARL|"
    r"Sp\. z o\.o|S\.p\.A|S\.r\.l|S\.L\.U|S\.L|S\.Com|[Ss]\.[Cc]|[Ss]p\. ?j|S\.n\.c|"
    r"Sp\.k|S\.A\.S|S\.Coop|s\.r\.o|a\.s|e\.V|A/S|j?\.?d\.o\.o|Kkt|Nyrt|Bt|CommV|Tic|San|Ltda|AB|A\.Ş|Şti)(?!\p{L})\.?"
)
HOUSE = (
    r"(?:&|and|i|e|et|y|und|og|och|en) (?:Sons?|sons|Brothers|Bros\.?|Daughters?|Co\b\.?|Company|Partners?|"
    r"Associates|syn|figli|"
    r"fils|hijos|Söhne|[Aa]sociados|[Aa]ssociés|[Zz]onen|sønner|[Ss]øn|wspólnicy|associados|[Ff]ilhos)\b"
)
COMPANY = (
    rf"{WORD}(?:(?: (?:of|and|&|y|e|et|und|och|og|i|és|ve))? {WORD}){{0,4}}"
    rf"(?: {HOUSE})?"
)
FORMATS = {
    "legal form": rf"\b{COMPANY},? {FORM}(?: {FORM})?",
    "and Sons": rf"\b{WORD}(?: {WORD}){{0,2}} {HOUSE}",
    "after work": rf"\b(?i:works?|working|worked|employed|job|employment|retired|laid off|shifts?)"
    rf"(?i: as (?:an? )?[\w -]{{3,30}}?)? (?i:at|for|by|from) (?:the )?\K{COMPANY}(?:,? {FORM})?",
    "after the label of an insurer": rf"\b(?i:insurance|insurer|payer|carrier)\s?: ?\K{COMPANY}(?:,? {FORM})?",
    "after the word": rf"\b[Ee]mployer \K{COMPANY}(?:,? {FORM})?",
    "after a label": rf"\b(?i:employers?|employer name|company|workplace|place of work|occupation)"
    rf"(?:\s?[:=|\u2013-]\s?| (?i:is|was)(?: the)? )\K{COMPANY}",
    "after a post": rf"\b(?i:manager|director|engineer|clerk|teacher|accountant|cashier|mechanic|technician|supervisor|"
    rf"officer|employee|ceo|analyst|consultant|foreman|welder|chef|driver|janitor|librarian) "
    rf"(?i:at|of|for) (?:the )?\K{COMPANY}",
}


class EmployerRecognizer(PatternRecognizer):  # Presidio's registry looks classes up by name
    """Find companies."""

    def __init__(self, name: str, supported_language: str) -> None:
        super().__init__("ORGANIZATION", name, supported_language, patterns(FORMATS))
