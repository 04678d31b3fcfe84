"""Telephone and fax numbers of any country: by a leading plus, a label before or after, or grouped digits."""

from __future__ import annotations

from presidio_analyzer import PatternRecognizer

from stages.lib.phi.recognizers.labelled import patterns

NUMBER = r"\+?\(?\+?\d(?:[ ./()-]{0,2}\d){5,14}(?: ?(?i:x|ext\.?) ?\d+)?(?![\w%])"
LABEL = (
    r"\b(?i:(?:tele)?phones?|tel|mobile|cell|fax|desk|office|home|work|direct|hotline|pager|beeper|callback|contact|"
    r"reach(?:ed|able)?(?: [a-z]+)?|call(?:ed|ing)?(?: [a-z]+)?|answering|dial|ring|text(?: [a-z]+)?)"
)
FORMATS = {
    "with a plus": r"(?<![\w+])\(?\+\(?\d(?:[ ./()-]{0,2}\d){6,14}(?: ?(?i:x|ext\.?) ?\d+)?",
    "after a label": rf"{LABEL}(?i: (?:number|no\.?|info))?(?: (?:is|at|on))?[.:]?\s{{0,3}}\K{NUMBER}",
    "before a label": rf"(?<![\w.,/-]){NUMBER}(?= ?-? ?(?i:office|mobile|fax|cell|home|work|desk)\b)",
    "with a leading zero": r"(?<![\w./-])\(?0\d{1,4}\)?[ -]\d{3,4}[ -]\d{3,4}(?![\w%]|[./-]\d)",
    "of North America": r"(?<![\w./-])(?:\(\d{3}\)|\d{3}[ .-])[ .-]?\d{3}[ .-]\d{4}(?: ?(?i:x|ext\.?) ?\d+)?(?![\w%])",
    "code in brackets": r"(?<![\w./-])\(\+?\d{2,4}\)[ /.-]{0,2}\d{2,4}(?:[ .-]?\d{2,4}){1,3}(?![\w%]|[./-]\d)",
    "with a slash": r"(?<![\w./-])0?\d{2,4}/\d{3}[ -]\d{3,4}(?![\w%]|[./-]\d)",
    "in pairs": r"(?<![\w./-])\d\d(?:[ .-]\d\d){3,4}(?![\w%]|[./-]\d)",
}


class AnyPhoneRecognizer(PatternRecognizer):  # Presidio's registry looks classes up by name
    """Find numbers that need not be valid in a numbering plan, as Presidio's must."""

    def __init__(self, name: str, supported_language: str) -> None:
        super().__init__("PHONE_NUMBER", name, supported_language, patterns(FORMATS))
