"""Measure what scrubbing left and what it took needlessly: found spans against gold ones."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from stages.lib.phi.spans import Span


@dataclass
class Ratio:
    """A ratio of sums over documents: what part of a whole, with sums of squares for its interval."""

    documents: int = 0
    whole: int = 0
    part: int = 0
    whole_squared: int = 0
    part_squared: int = 0
    product: int = 0

    def add(self, whole: int, part: int) -> None:
        """Count a document; one without a whole tells nothing."""
        if whole:
            self.documents += 1
            self.whole += whole
            self.part += part
            self.whole_squared += whole * whole
            self.part_squared += part * part
            self.product += whole * part

    def value(self) -> float:
        """Return the ratio; there must be a document."""
        return self.part / self.whole

    def interval(self, z: float = 1.959964) -> tuple[float, float]:
        """Return the interval of the ratio.

        Characters of one document are not independent, so the variance is that of a ratio of cluster totals (Cochran,
        Sampling Techniques, 3rd ed., 2.11); where no part is left, the upper bound is Wilson's over the documents.
        """
        count, ratio = self.documents, self.value()
        if ratio in {0.0, 1.0} or count < 2:
            return wilson(round(ratio * count), count)
        residual = max(0.0, self.part_squared - 2 * ratio * self.product + ratio * ratio * self.whole_squared)
        half = z * math.sqrt(count / (count - 1) * residual) / self.whole
        return max(0.0, ratio - half), min(1.0, ratio + half)


@dataclass
class Leak:
    """Counts over documents with gold spans; characters are those that are not blank. Constant in memory."""

    left: Ratio = field(default_factory=Ratio)
    """Of the characters of gold PHI, those that are left."""
    needless: Ratio = field(default_factory=Ratio)
    """Of all other characters, those that were removed."""
    right: Ratio = field(default_factory=Ratio)
    """Of the characters removed, those of gold PHI."""
    leaking: int = 0
    """Documents with a character of gold PHI left."""
    spans: Counter[str] = field(default_factory=Counter)
    removed: Counter[str] = field(default_factory=Counter)
    """Gold spans by entity, and those of which no character is left."""
    found_by: dict[str, Counter[str]] = field(default_factory=dict)
    """Recognizers by the entity of the gold spans that they touched."""

    def add(self, text: str, *, gold: Iterable[Span], found: Sequence[Span]) -> None:
        """Count one document, whose `gold` and `found` spans are in the offsets of `text`."""
        finder = {place: span.recognizer for span in found for place in range(span.start, span.end)}
        written = {place for place, sign in enumerate(text) if not sign.isspace()}
        covered = written & finder.keys()
        there: set[int] = set()
        for start, end, entity, *_ in gold:
            places = written.intersection(range(start, end))
            there |= places
            self.spans[entity] += 1
            self.removed[entity] += places <= covered
            finders = {finder[place] for place in places & covered}
            self.found_by.setdefault(entity, Counter()).update(finders)
        self.left.add(len(there), len(there - covered))
        if there:
            self.leaking += not there <= covered
            self.needless.add(len(written - there), len(covered - there))
            self.right.add(len(covered), len(covered & there))

    def metrics(self) -> dict[str, object]:
        """Return the metrics with 95 % intervals; nothing where no document held gold PHI."""
        documents = self.left.documents
        if not documents:
            return {}
        return {
            "gold_documents": documents,
            **_interval("leak", self.left.value(), self.left.interval()),
            **_interval("leaking_documents", self.leaking / documents, wilson(self.leaking, documents)),
            **(_interval("precision", self.right.value(), self.right.interval()) if self.right.whole else {}),
            **(
                _interval("needlessly_removed", self.needless.value(), self.needless.interval())
                if self.needless.whole
                else {}
            ),
            "recall": {entity: self._recall(entity) for entity in sorted(self.spans)},
        }

    def _recall(self, entity: str) -> dict[str, object]:
        count, removed = self.spans[entity], self.removed[entity]
        low, high = wilson(removed, count)
        finders = sorted(self.found_by[entity].items(), key=lambda item: (-item[1], item[0]))
        return {
            "spans": count,
            "left": count - removed,
            "value": round(removed / count, 5),
            "low": round(low, 5),
            "high": round(high, 5),
            "found_by": [name for name, _ in finders],
        }


def wilson(hits: int, trials: int, z: float = 1.959964) -> tuple[float, float]:
    """Return Wilson's score interval of a proportion (Wilson 1927); `trials` must be above 0."""
    share, square = hits / trials, z * z
    centre = (share + square / (2 * trials)) / (1 + square / trials)
    half = z * math.sqrt(share * (1 - share) / trials + square / (4 * trials * trials)) / (1 + square / trials)
    return max(0.0, centre - half), min(1.0, centre + half)


def _interval(name: str, value: float, bounds: tuple[float, float]) -> dict[str, float]:
    low, high = bounds
    return {name: round(value, 5), f"{name}_low": round(low, 5), f"{name}_high": round(high, 5)}
