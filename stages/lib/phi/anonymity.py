"""k-anonymity of what scrubbing leaves on purpose: how many patients share an age band, sex, diagnosis and ZIP area."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

SMALL = 5
"""Patients from which a class is not small: El Emam and Dankar 2008, J Am Med Inform Assoc 15:627."""
ZIP_AREA = re.compile(r"\[LOCATION_\d+\] (\d{3})(?!\d)")
Patients = Counter[tuple[object, ...]]
"""Patients by their quasi-identifiers."""


def quasi_identifiers(records: Sequence[Mapping[str, Any]]) -> tuple[object, ...]:
    """Return the youngest age in bands of ten years (the last begins at 90), sex, diagnoses and ZIP areas of a patient.

    `records` are the scrubbed ones of one patient.
    """
    ages = [record["age"] for record in records if record.get("age") is not None]
    areas = [area for record in records for area in ZIP_AREA.findall(record["text"])]
    return (
        min(90, 10 * int(min(ages) // 10)) if ages else None,
        next((record["sex"] for record in records if record.get("sex")), None),
        tuple(sorted({str(record["diagnosis"]) for record in records})),
        tuple(sorted(set(areas))),
    )


def k_anonymity(patients: Patients) -> dict[str, float]:
    """Return the size of the smallest class (k; Sweeney 2002), the classes, and the share of patients in small ones."""
    if not patients:
        return {}
    small = sum(size for size in patients.values() if size < SMALL)
    return {
        "classes": len(patients),
        "smallest_class": min(patients.values()),
        f"patients_in_classes_below_{SMALL}": round(small / patients.total(), 5),
    }
