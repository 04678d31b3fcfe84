"""A model's probabilities beside the truth: a table of predictions in, arrays to measure out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from stages.lib.predictions import KEYS

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

TUNED = "tuned"  # the model that all others are baselines of


@dataclass(frozen=True)
class Scores:
    """Probabilities (records, diagnoses), gold indices (records) and group numbers (records)."""

    probabilities: np.ndarray
    gold: np.ndarray
    groups: np.ndarray

    @property
    def predicted(self) -> np.ndarray:
        """The first diagnosis of each record."""
        first: np.ndarray = self.probabilities.argmax(axis=1)
        return first

    @property
    def confidence(self) -> np.ndarray:
        """The probability of the first diagnosis of each record."""
        highest: np.ndarray = self.probabilities.max(axis=1)
        return highest

    def at(self, rows: np.ndarray) -> Scores:
        """Return the scores of some records, by position or mask."""
        return Scores(self.probabilities[rows], self.gold[rows], self.groups[rows])


def diagnoses_of(table: pd.DataFrame) -> list[str]:
    """Return the diagnoses that a table of predictions has probabilities of, in order."""
    return [column for column in table.columns if column not in KEYS]


def scored(
    table: pd.DataFrame, *, model: str, split: str, groups: pd.Series | None = None
) -> tuple[pd.Index[str], Scores]:
    """Return a model's record ids and scores on a split.

    `groups` numbers the independent groups by record id; without it, each record is one.
    """
    import numpy as np
    import pandas as pd

    diagnoses = diagnoses_of(table)
    rows = table[(table["model"] == model) & (table["split"] == split)].set_index("record_id")
    gold = pd.Index(diagnoses).get_indexer(pd.Index(rows["gold"]))
    group = np.arange(len(rows)) if groups is None else groups.loc[rows.index].to_numpy()
    return rows.index, Scores(rows[diagnoses].to_numpy(), gold, group)
