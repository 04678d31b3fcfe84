"""Bring the table of measured recall in the docs up to date: `python -m tools.deidentification`, or `--check`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from stages.lib.phi.canaries import TEXTS
from stages.report import table
from tools.pages import bring_up_to_date

PAGE = Path("docs/deidentification-policies.md")
RECOGNIZERS_SHOWN = 3


def recall_table(scrubbing: dict[str, Any]) -> str:
    """Return a row per Safe Harbor class and entity: recognizers, gold spans, and those of which nothing is left."""
    rows = []
    for name, (entity, texts) in TEXTS.items():
        gold = "US_SSN" if name.startswith("G ") else entity  # as sources name it; it is found as an ID
        measured = scrubbing.get("recall", {}).get(gold)
        cells = ["-", "0", "not measured"]
        if measured:
            share, low, high = (f"{100 * measured[key]:.1f}" for key in ("value", "low", "high"))
            finders = ", ".join(measured["found_by"][:RECOGNIZERS_SHOWN])
            cells = [finders, f"{measured['spans']:,}", f"{share} [{low}, {high}]"]
        rows.append([name, f"`{entity}`", *cells, str(len(texts))])
    return table(["Safe Harbor class", "entity", "found most by", "gold spans", "recall %", "canaries"], rows)


if __name__ == "__main__":
    measured = json.loads(Path("metrics/scrubbing.json").read_text())
    bring_up_to_date(PAGE, {"recall": recall_table(measured)}, tool="tools.deidentification")
