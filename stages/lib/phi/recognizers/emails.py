"""E-mail addresses at any domain, also at one that no list of public suffixes has (45 CFR 164.514(b)(2)(i)(F))."""

from __future__ import annotations

from presidio_analyzer import PatternRecognizer

from stages.lib.phi.recognizers.labelled import patterns

FORMATS = {
    "address": r"(?<![\w.%+'\u2019-])[\w%+'\u2019-]+(?:\.[\w%+'\u2019-]+){0,5}"
    r" ?@ ?[\p{L}\d-]+(?:\.[\p{L}\d-]+)*\.\p{L}{2,}",
    "spelled out": r"(?<![\w.+-])[\w+-]+(?:\.[\w+-]+){0,5} ?[\[(](?i:at)[\])] ?[\p{L}\d-]+"
    r"(?:(?:\.| ?[\[(](?i:dot)[\])] ?)[\p{L}\d-]+)*(?:\.| ?[\[(](?i:dot)[\])] ?)\p{L}{2,}",
}


class AnyEmailRecognizer(PatternRecognizer):  # Presidio's registry looks classes up by name
    """Find addresses by their form alone."""

    def __init__(self, name: str, supported_language: str) -> None:
        super().__init__("EMAIL_ADDRESS", name, supported_language, patterns(FORMATS))
