"""Certificates and licences: drivers', professionals', passports, NPI and DEA numbers (45 CFR 164.514(b)(2)(i)(K))."""

from __future__ import annotations

from presidio_analyzer import PatternRecognizer

from stages.lib.phi.recognizers.labelled import labelled, patterns

FORMATS = labelled(
    r"(?:driver['\u2019]?s?['\u2019]?|driving|medical|nursing|professional|pharmacy|state|board|pilot|gun|hunting)?"
    r" ?(?:licen[cs]e|lic\b\.?|permit)",
    r"certificat(?:e|ion)",
    r"passport",
    r"credential",
    acronyms=r"NPI|DEA|UPIN|CLIA|GMC|NMC",
    loose=r"registration|badge",
) | {
    "DEA": r"(?<!\w)[A-HJ-MPR-UX][A-Z9]\d{7}(?!\w)",
    "NPI": r"(?<![\w.-])(?<=(?i:npi)\W{0,3})[12]\d{9}(?!\w)",
}


class LicenseNumberRecognizer(PatternRecognizer):  # Presidio's registry looks classes up by name
    """Find them by label and by format."""

    def __init__(self, name: str, supported_language: str) -> None:
        super().__init__("LICENSE_NUMBER", name, supported_language, patterns(FORMATS))
