"""Web addresses with all that follows the host: a path can name a patient."""

from __future__ import annotations

from presidio_analyzer import PatternRecognizer

from stages.lib.phi.recognizers.labelled import patterns

FORMATS = {"link": r"\b(?i:https?://|ftp://|www\.)[^\s<>\"'()\[\]]*[\w/]"}


class LinkRecognizer(PatternRecognizer):  # Presidio's registry looks classes up by name
    """Find web addresses, whatever their top-level domain (45 CFR 164.514(b)(2)(i)(N))."""

    def __init__(self, name: str, supported_language: str) -> None:
        super().__init__("URL", name, supported_language, patterns(FORMATS))
