"""Web addresses with all that follows the host: a path can name a patient."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from presidio_analyzer import PatternRecognizer

FORMATS = {"link": r"\b(?i:https?://|ftp://|www\.)[^\s<>\"'()\[\]]*[\w/]"}


def recognizer() -> PatternRecognizer:
    """Return the recognizer of web addresses, whatever their top-level domain."""
    from presidio_analyzer import Pattern, PatternRecognizer

    patterns = [Pattern(name, regex, 0.95) for name, regex in FORMATS.items()]
    return PatternRecognizer("URL", name="links", patterns=patterns, global_regex_flags=0)
