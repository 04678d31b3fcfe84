"""Sets of diagnoses that hold the right one as often as promised: split conformal prediction."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pydantic import Field

from stages.lib.params import Strict

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

FEWEST = 50  # calibration cases of a diagnosis that gets a threshold of its own
DIGITS = 6


class Conformal(Strict):
    """A set holds the diagnoses of at least this probability, and always the first one."""

    coverage: float = Field(gt=0, lt=1)
    """Share of sets that hold the right diagnosis, at least, over calibration splits and new cases."""
    threshold: float = Field(ge=0, le=1)
    """Lowest probability in a set."""
    per_diagnosis: dict[str, float] | None
    """In its place, for the same coverage within each diagnosis; those with few calibration cases share one."""

    def sets(self, probabilities: np.ndarray, diagnoses: Sequence[str]) -> np.ndarray:
        """Return whether a record's set holds a diagnosis, (records, diagnoses)."""
        import numpy as np

        own = self.per_diagnosis or {}
        held: np.ndarray = probabilities >= np.array([own.get(name, self.threshold) for name in diagnoses])
        held[np.arange(len(held)), probabilities.argmax(axis=1)] = True
        return held


def learn_conformal(
    probabilities: np.ndarray, gold: np.ndarray, *, coverage: float, diagnoses: Sequence[str]
) -> Conformal:
    """Return the thresholds of least ambiguous sets (Sadinle, Lei & Wasserman 2019, JASA 114:223).

    By diagnosis (Mondrian) for those with FEWEST calibration cases, and one more for all others together.
    """
    import numpy as np

    found = probabilities[np.arange(len(gold)), gold]
    own = np.bincount(gold, minlength=len(diagnoses)) >= FEWEST
    rest = lowest_probability(found[~own[gold]], coverage)
    per_diagnosis = {
        name: lowest_probability(found[gold == index], coverage) if own[index] else rest
        for index, name in enumerate(diagnoses)
    }
    return Conformal(
        coverage=coverage,
        threshold=lowest_probability(found, coverage),
        per_diagnosis=per_diagnosis if own.any() else None,
    )


def lowest_probability(found: np.ndarray, coverage: float) -> float:
    """Return the threshold below which a new case's p(gold) lies with probability 1 - coverage at most.

    Of n exchangeable cases it is the floor((n + 1)(1 - coverage))-th smallest, 0 where n is too small for that
    (Vovk, Gammerman & Shafer 2005), rounded down so that the promise is kept.
    """
    import numpy as np

    rank = math.floor((len(found) + 1) * (1 - coverage) + 1e-9)
    scale = 10**DIGITS
    return float(np.floor(np.sort(found)[rank - 1] * scale) / scale) if rank else 0.0
