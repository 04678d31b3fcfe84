"""Telephone and fax numbers of any country: by a leading plus, a label before or after, or grouped digits."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from presidio_analyzer import PatternRecognizer

NUMBER = r"\+?\(?\d(?:[ ./()-]{0,2}\d){5,14}(?: ?(?i:x|ext\.?) ?\d+)?(?![\w%])"
LABEL = (
    r"\b(?i:(?:tele)?phones?|tel|mobile|cell|fax|desk|office|home|work|direct|hotline|pager|beeper|callback|contact|"
    r"reach(?:ed|able)?(?: [a-z]+)?|call(?:ed|ing)?(?: [a-z]+)?|answering|dial|ring|text(?: [a-z]+)?)"
)
FORMATS = {
    "with a plus": r"(?<![\w+])\+\d(?:[ ./()-]{0,2}\d){6,14}(?: ?(?i:x|ext\.?) ?\d+)?",
    "after a label": rf"{LABEL}(?i: (?:number|no\.?|info))?(?: (?:is|at|on))?[.:]?\s{{0,3}}\K{NUMBER}",
    "before a label": rf"(?<![\w.,/-]){NUMBER}(?= ?-? ?(?i:office|mobile|fax|cell|home|work|desk)\b)",
    "with a leading zero": r"(?<![\w./-])\(?0\d{1,4}\)?[ -]\d{3,4}[ -]\d{3,4}(?![\w%]|[./-]\d)",
    "of North America": r"(?<![\w./-])\(?\d{3}\)?[ .-]{1,2}\d{3}[ .-]\d{4}(?: ?(?i:x|ext\.?) ?\d+)?(?![\w%])",
    "in pairs": r"(?<![\w./-])\d\d(?:[ .-]\d\d){3,4}(?![\w%]|[./-]\d)",
}


def recognizer() -> PatternRecognizer:
    """Return the recognizer of telephone numbers that need not be valid in a numbering plan, as Presidio's must."""
    from presidio_analyzer import Pattern, PatternRecognizer

    patterns = [Pattern(name, regex, 0.95) for name, regex in FORMATS.items()]
    return PatternRecognizer("PHONE_NUMBER", name="phones", patterns=patterns, global_regex_flags=0)
