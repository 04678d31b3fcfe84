"""Ages over 89; younger ones are kept, for they are not PHI and matter to a diagnosis."""

from __future__ import annotations

from presidio_analyzer import PatternRecognizer

from stages.lib.phi.recognizers.labelled import patterns

OVER_89 = r"(?:9\d|1[0-2]\d)"
WORDS = (
    r"(?i:ninety(?:[- ](?:one|two|three|four|five|six|seven|eight|nine))?|(?:one|a) hundred(?:[- ]and)?(?:[- ]\w+)?)"
)
FORMATS = {
    "before the unit": rf"(?<![\w.,/-]){OVER_89}(?=[- ]?(?i:years?|yrs?)[- ]?(?i:old|of age)|[- ]?(?i:y/?\.?o|yo)\b)",
    "with the sex": rf"(?<![\w.,/-]){OVER_89}(?= ?(?:[MF]\b|(?i:male|female|man|woman|lady|gentleman)\b))",
    "after a word": rf"\b(?i:aged?|age (?:is|of)|turned|age:)[ :]\K{OVER_89}"
    r"(?![\w%/]|[.,]\d| ?(?i:mg|ml|kg|days|weeks|months))",
    "in words": rf"\b{WORDS}(?=-years?-old\b| years?(?: old| of age)|-year )",
    "in words, after a word": rf"\b(?i:aged?|age (?:is|of)|turned|at|age:)(?i: (?:about|over|nearly|almost))? \K{WORDS}"
    r"(?=[.,;:)\n]| (?i:and|when|with|years?|of|in|from|after|at)\b|\s*\Z)(?! (?i:percent|per cent|mg|ml|degrees|"
    r"minutes|days|weeks))",
}


class AgeRecognizer(PatternRecognizer):  # Presidio's registry looks classes up by name
    """Find ages over 89 (45 CFR 164.514(b)(2)(i)(C))."""

    def __init__(self, name: str, supported_language: str) -> None:
        super().__init__("AGE", name, supported_language, patterns(FORMATS))
