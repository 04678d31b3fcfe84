"""Biometric templates: finger, voice, face, iris and gene prints under a number (45 CFR 164.514(b)(2)(i)(P))."""

from __future__ import annotations

from presidio_analyzer import PatternRecognizer

from stages.lib.phi.recognizers.labelled import labelled, patterns

FORMATS = labelled(
    r"(?:finger|thumb|palm|hand|foot|voice|face|iris|retina(?:l)?|fundus|gait|signature|ear)[ -]?"
    r"(?:prints?|scans?|geometry|templates?|"
    r"recognition|images?|hash(?:es)?)?(?: (?:template|hash|scan|sample|file|image|on file|record))?",
    r"biometrics?(?: (?:template|hash|identifier|scan|sample|file|profile|token|data|enrol?lment))?",
    r"(?:facial|dna|genetic)[ -](?:template|geometry|recognition|profile|fingerprint|id)",
    loose=r"template|enrol?lment",
) | {
    "print and code": r"(?i:(?:finger|thumb|palm|voice|face)[ -]?print|iris(?: scan| code)?|retina(?:l)? scan|"
    r"biometric(?:s|[ -]\w+)?)\W{1,3}(?:\w+\W{1,2}){0,2}?\K(?=[\w-]*\d[\w-]*\d)[A-Za-z0-9][\w-]{5,}",
    "hash": r"(?<!\w)(?:[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64}|(?:[0-9A-F]{2}:){7,}[0-9A-F]{2})(?!\w)",
}


class BiometricRecognizer(PatternRecognizer):  # Presidio's registry looks classes up by name
    """Find them by label and by format."""

    def __init__(self, name: str, supported_language: str) -> None:
        super().__init__("BIOMETRIC_ID", name, supported_language, patterns(FORMATS))
