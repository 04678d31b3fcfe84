"""Hospitals, clinics, schools and other facilities by their kind."""

from __future__ import annotations

from presidio_analyzer import PatternRecognizer

from stages.lib.phi.knowledge import AUTHOR, GUIDANCE, NATIONAL, SOCIETY
from stages.lib.phi.recognizers.labelled import patterns
from stages.lib.phi.recognizers.places import WORD, WORDS

FACILITY = (
    r"(?:Hospital|Hospitals|Hosp\.?|Clinic|Clinics|Medical Cent(?:er|re)|Med(?:ical|\.)? (?:Cent(?:er|re)|Ctr\.?)|"
    r"Medical Group|Health Cent(?:er|re)|"
    r"Cancer Cent(?:er|re)|Cent(?:er|re)|Infirmary|Hospice|Sanatorium|Nursing Home|Care Home|Health System|"
    r"Healthcare|Medical School|University|College|Institute|Pharmacy|Surgery|Laborator(?:y|ies)|Rehab|Memorial|"
    r"General|Presbyterian|Academy|High School|Church|Foundation)"
)
# no society, and no institution as the author of guidance
NOT_KNOWN = (
    rf"(?!(?:The )?(?:{SOCIETY}))(?!{AUTHOR}(?:['\u2019]s)? (?:[\w-]+ ){{0,2}}(?i:{GUIDANCE})\b)"
    rf"(?!(?<=(?i:{GUIDANCE}) (?:from|by|of|in) (?:the )?){AUTHOR})"
)
FORMATS = {
    "facility": rf"\b{NOT_KNOWN}(?:St\.? )?{WORD}(?:(?: (?:of|and|for|the)| &)? {WORD}){{0,4}},? {FACILITY}"
    r"(?! (?i:acquired|no\b|numbers?|nr|records?|#|id\b))\b",
    "facility of": rf"\b(?<!{NATIONAL} )(?:Hospital|University|Institute|Church|Cent(?:er|re)|Clinic|College) "
    rf"(?:of|for|at) {WORDS}",
    "saint": rf"\b(?:St\.?|Saint|Mt\.?|Mount) {WORD}(?:['\u2019]s)?(?: (?:Hosp|Med)\b\.?)?",
}


class FacilityRecognizer(PatternRecognizer):  # Presidio's registry looks classes up by name
    """Find facilities that are named with their kind."""

    def __init__(self, name: str, supported_language: str) -> None:
        super().__init__("ORGANIZATION", name, supported_language, patterns(FORMATS))
