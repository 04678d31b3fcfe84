"""The bands of ages that patients are told apart by."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

BANDS = {"0-17": 0, "18-39": 18, "40-64": 40, "65-89": 65, "90+": 90}  # by lowest age in years


def age_band(age: float) -> str:
    """Return the band of an age in years."""
    return [name for name, lowest in BANDS.items() if lowest <= age][-1]


def age_bands(ages: pd.Series) -> pd.Series:
    """Return the band of each age, missing where the age is."""
    import pandas as pd

    bands = pd.cut(ages, [*BANDS.values(), float("inf")], right=False, labels=list(BANDS))
    return bands.astype("object").where(bands.notna(), None)
