"""Health plan beneficiary numbers (45 CFR 164.514(b)(2)(i)(I))."""

from __future__ import annotations

from presidio_analyzer import PatternRecognizer

from stages.lib.phi.recognizers.labelled import labelled, patterns

FORMATS = labelled(
    r"health (?:plan|insurance|card|fund)",
    r"insurance",
    r"medicare",
    r"medicaid",
    r"beneficiary",
    r"subscriber",
    r"member(?:ship)?",
    r"policy",
    r"claim",
    r"authori[sz]ation",
    loose=r"plan|ins\.?|group|payer|coverage|benefits?|approval",
    acronyms=r"HICN|MBI|MCID|NHS(?= ?(?:no|num|#|:|\d))",
)


class HealthPlanNumberRecognizer(PatternRecognizer):  # Presidio's registry looks classes up by name
    """Find them by label."""

    def __init__(self, name: str, supported_language: str) -> None:
        super().__init__("HEALTH_PLAN_NUMBER", name, supported_language, patterns(FORMATS))
