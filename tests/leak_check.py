"""What leaks between splits: an independent check by plain loops over rows, which shares no code with `split`."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from itertools import combinations
from typing import Any

Rows = Iterable[Mapping[str, Any]]


def leaks(splits: Mapping[str, Rows], *, similarity: float = 0.95) -> list[str]:
    """Return each patient, group, record or text that two splits share; texts are compared word by word, all pairs."""
    found = []
    held = {name: list(rows) for name, rows in splits.items()}
    for one, other in combinations(held, 2):
        for left in held[one]:
            for right in held[other]:
                where = f"{one}/{other}: {left['record_id']}/{right['record_id']}: "
                if left["record_id"] == right["record_id"]:
                    found.append(where + "one record")
                if left["patient_id"] == right["patient_id"]:
                    found.append(where + "one patient")
                if any(group in right["groups"] for group in left["groups"]):
                    found.append(where + "one group")
                words = left["text"].lower().split(), right["text"].lower().split()
                matcher = difflib.SequenceMatcher(None, *words, autojunk=False)
                if matcher.quick_ratio() >= similarity and matcher.ratio() >= similarity:
                    found.append(where + "near-duplicates")
    return found
