"""Ages over 89, as phrases; younger ones are kept, for they are not PHI and matter to a diagnosis."""

from __future__ import annotations

from presidio_analyzer import PatternRecognizer

from stages.lib.phi.ages import IN_WORDS, OLD, OLD_IN_WORDS, OVER_89, YEARS
from stages.lib.phi.recognizers.labelled import patterns

# "Age: 94" keeps its label, of "aged 94 years" nothing is left
LABEL = r"(?:\b(?i:aged) |\b(?i:aged?|age (?:is|of)|turned|age:)[ :]\K)"
FORMATS = {
    "before the unit": rf"(?<![\w.,/-]){OVER_89}{OLD}",
    "with the sex": rf"(?<![\w.,/-]){OVER_89}(?= ?(?:[MF]\b|(?i:male|female|man|woman|lady|gentleman)\b))",
    "after a word": rf"{LABEL}{OVER_89}(?![\w%/]|[.,]\d| ?(?i:mg|ml|kg|days|weeks|months)){YEARS}?",
    "in words": rf"\b{IN_WORDS}(?:{OLD_IN_WORDS}|(?=-year ))",
    "in words, after a word": r"(?:\b(?i:aged) |\b(?i:aged?|age (?:is|of)|turned|at|age:)"
    rf"(?i: (?:about|over|nearly|almost))? \K){IN_WORDS}"
    r"(?=[.,;:)\n]| (?i:and|when|with|years?|of|in|from|after|at)\b|\s*\Z)(?! (?i:percent|per cent|mg|ml|degrees|"
    rf"minutes|days|weeks))(?:{OLD_IN_WORDS}|(?i: years?\b))?",
}


class AgeRecognizer(PatternRecognizer):  # Presidio's registry looks classes up by name
    """Find ages over 89 (45 CFR 164.514(b)(2)(i)(C))."""

    def __init__(self, name: str, supported_language: str) -> None:
        super().__init__("AGE", name, supported_language, patterns(FORMATS))
