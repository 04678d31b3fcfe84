"""Medical record numbers (45 CFR 164.514(b)(2)(i)(H))."""

from __future__ import annotations

from presidio_analyzer import PatternRecognizer

from stages.lib.phi.recognizers.labelled import labelled, patterns

FORMATS = labelled(
    r"(?:medical|health|hospital|clinic|patient|electronic)(?: (?:medical|health))? (?:records?|chart|file)",
    r"records?",
    r"chart",
    r"accession",
    loose=r"patient|hospital|clinic|unit|case|archive|encounter|visit|admission|episode|referral|medical|health",
    acronyms=r"MRNs?|M\.R\.N\.|MR ?#|EMRN?|EHR|URN|UHID|EMPI|PID|CSN|FIN",
)


class MedicalRecordNumberRecognizer(PatternRecognizer):  # Presidio's registry looks classes up by name
    """Find them by label."""

    def __init__(self, name: str, supported_language: str) -> None:
        super().__init__("MEDICAL_RECORD_NUMBER", name, supported_language, patterns(FORMATS))
