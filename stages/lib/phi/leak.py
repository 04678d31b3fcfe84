"""Measure what scrubbing left: found spans against gold ones, by character, document and entity."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from stages.lib.phi.spans import Span


@dataclass
class Leak:
    """Counts over documents with gold spans; characters are those that are not blank."""

    characters: list[tuple[int, int]] = field(default_factory=list)
    """Per document: characters of gold PHI, and how many of them are left."""
    spans: Counter[str] = field(default_factory=Counter)
    removed: Counter[str] = field(default_factory=Counter)
    """Gold spans by entity, and those of which no character is left."""

    def add(self, text: str, *, gold: Iterable[Span], found: Sequence[Span]) -> None:
        """Count one document, whose `gold` and `found` spans are in the offsets of `text`."""
        covered = {place for span in found for place in range(span.start, span.end)}
        there: set[int] = set()
        for start, end, entity in gold:
            places = {place for place in range(max(0, start), min(end, len(text))) if not text[place].isspace()}
            there |= places
            self.spans[entity] += 1
            self.removed[entity] += places <= covered
        self.characters.append((len(there), len(there - covered)))

    def metrics(self) -> dict[str, object]:
        """Return the flat metrics with 95 % intervals; nothing where no document held gold PHI."""
        holding = [pair for pair in self.characters if pair[0]]
        if not holding:
            return {}
        leaking = sum(left > 0 for _, left in holding)
        low, high = ratio_interval(holding)
        documents_low, documents_high = wilson(leaking, len(holding))
        return {
            "gold_documents": len(holding),
            "leak": round(sum(left for _, left in holding) / sum(there for there, _ in holding), 5),
            "leak_low": round(low, 5),
            "leak_high": round(high, 5),
            "leaking_documents": round(leaking / len(holding), 5),
            "leaking_documents_low": round(documents_low, 5),
            "leaking_documents_high": round(documents_high, 5),
            "recall": {
                entity: {
                    "spans": count,
                    "value": round(self.removed[entity] / count, 5),
                    "low": round(wilson(self.removed[entity], count)[0], 5),
                }
                for entity, count in sorted(self.spans.items())
            },
        }


def wilson(hits: int, trials: int, z: float = 1.959964) -> tuple[float, float]:
    """Return Wilson's score interval of a proportion (Wilson 1927); `trials` must be above 0."""
    share, square = hits / trials, z * z
    centre = (share + square / (2 * trials)) / (1 + square / trials)
    half = z * math.sqrt(share * (1 - share) / trials + square / (4 * trials * trials)) / (1 + square / trials)
    return max(0.0, centre - half), min(1.0, centre + half)


def ratio_interval(pairs: Sequence[tuple[int, int]], z: float = 1.959964) -> tuple[float, float]:
    """Return the interval of a ratio of sums over documents, (whole, part) each.

    Characters of one document are not independent, so the variance is that of a ratio of cluster totals (Cochran,
    Sampling Techniques, 3rd ed., 2.11); where no part is left, the upper bound is Wilson's over the documents.
    """
    count, whole = len(pairs), sum(there for there, _ in pairs)
    ratio = sum(left for _, left in pairs) / whole
    if ratio in {0.0, 1.0} or count < 2:
        return wilson(round(ratio * count), count)
    residual = sum((left - ratio * there) ** 2 for there, left in pairs)
    half = z * math.sqrt(count / (count - 1) * residual) / whole
    return max(0.0, ratio - half), min(1.0, ratio + half)
