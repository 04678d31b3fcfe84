"""Placeholders, as scrub leaves them where identifiers stood ("[PERSON_1]"), and the text around them."""

from __future__ import annotations

import re
from collections.abc import Callable

PATTERN = r"\[[A-Z_]+_\d+\]"
PLACEHOLDER = re.compile(PATTERN)


def outside_placeholders(text: str, change: Callable[[str], str]) -> str:
    """Return the text with all but its placeholders changed."""
    parts = re.split(f"({PATTERN})", text)
    parts[::2] = [change(part) for part in parts[::2]]
    return "".join(parts)
