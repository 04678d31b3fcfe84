"""Ages over 89; younger ones are kept, for they are not PHI and matter to a diagnosis."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from presidio_analyzer import PatternRecognizer

OVER_89 = r"(?:9\d|1[0-2]\d)"
WORDS = (
    r"(?i:ninety(?:[- ](?:one|two|three|four|five|six|seven|eight|nine))?|(?:one|a) hundred(?:[- ]and)?(?:[- ]\w+)?)"
)
FORMATS = {
    "before the unit": rf"(?<![\w.,/-]){OVER_89}(?=[- ]?(?i:years?|yrs?)[- ]?(?i:old|of age)|[- ]?(?i:y/?\.?o|yo)\b)",
    "with the sex": rf"(?<![\w.,/-]){OVER_89}(?= ?(?:[MF]\b|(?i:male|female|man|woman|lady|gentleman)\b))",
    "after a word": rf"\b(?i:aged?|age (?:is|of)|turned|age:)[ :]\K{OVER_89}"
    r"(?![\w%/]|[.,]\d| ?(?i:mg|ml|kg|days|weeks|months))",
    "in words": rf"\b{WORDS}(?=[- ]years?[- ]old)",
}


def recognizer() -> PatternRecognizer:
    """Return the recognizer of ages over 89 (45 CFR 164.514(b)(2)(i)(C))."""
    from presidio_analyzer import Pattern, PatternRecognizer

    patterns = [Pattern(name, regex, 0.95) for name, regex in FORMATS.items()]
    return PatternRecognizer("AGE", name="ages", patterns=patterns, global_regex_flags=0)
