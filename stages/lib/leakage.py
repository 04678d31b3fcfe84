"""What could leak between splits: what hangs together, the proof that no splits share any, and what each holds."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from stages.lib.assignment import EXCLUDED
from stages.lib.near_duplicates import CLUSTER
from stages.lib.stage import StageError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


def check_components(records: pd.DataFrame, component: np.ndarray, *, largest: float) -> None:
    """Raise StageError where one component holds more than the share `largest` of the records."""
    import numpy as np

    sizes = np.bincount(component)
    if sizes.max() <= largest * len(records):
        return
    held = records[component == sizes.argmax()]
    widest = held["groups"].explode().value_counts()
    raise StageError(
        f"split: {len(held):,} of {len(records):,} records hang together by {held['patient_id'].nunique():,} patients "
        f"and {len(widest):,} groups, more than split.max_component = {largest:g} of all; "
        + (f"the widest group, '{widest.index[0]}', has {widest.iloc[0]:,}; " if len(widest) else "")
        + "declare narrower groups, or raise split.near_duplicates.similarity"
    )


def proof(records: pd.DataFrame, component: np.ndarray, *, assigned: pd.Series, lent: int) -> dict[str, object]:
    """Return sizes, what splits share (all 0), what is excluded and the hash of the assignment."""
    import numpy as np

    pairs = sorted(zip(records["record_id"], assigned, strict=True))
    kept = records.assign(component=component, split=assigned)[assigned != EXCLUDED]
    groups = kept.explode("groups").dropna(subset="groups")
    clustered = groups["groups"].str.startswith(CLUSTER)
    by_split = kept.groupby("split")
    return {
        "records": by_split.size().to_dict(),
        "fractions": (by_split.size() / len(kept)).round(4).to_dict(),
        "independent_groups": by_split["component"].nunique().to_dict(),
        "fewest_cases_per_diagnosis": by_split["diagnosis"].agg(lambda column: column.value_counts().min()).to_dict(),
        "largest_component": round(float(np.bincount(component).max() / len(records)), 4),
        "near_duplicate_clusters": int(groups["groups"][clustered].nunique()),
        "excluded": len(records) - len(kept),
        "lent": lent,
        "shared_patients": _shared(kept["patient_id"], kept["split"]),
        "shared_groups": _shared(groups["groups"][~clustered], groups["split"][~clustered]),
        "shared_near_duplicates": _shared(groups["groups"][clustered], groups["split"][clustered]),
        "assignment_sha256": hashlib.sha256(repr(pairs).encode()).hexdigest()[:16],
    }


def cases_by_split(records: pd.DataFrame, assigned: pd.Series) -> pd.DataFrame:
    """Return a row per diagnosis, in alphabetical order, with its number of cases in each split, without excluded."""
    import pandas as pd

    counts = pd.crosstab(records["diagnosis"], assigned)
    return counts.reindex(columns=["train", "validation", "calibration", "test"], fill_value=0).reset_index()


def _shared(keys: pd.Series, split: pd.Series) -> int:
    """Return how often a key stands in one more split than it may."""
    return int((split.groupby(keys.to_numpy()).nunique() - 1).sum())
