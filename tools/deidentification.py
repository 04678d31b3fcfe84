"""Bring the table of measured recall in the docs up to date: `python -m tools.deidentification`, or `--check`."""

from __future__ import annotations

import json
from pathlib import Path

from stages.lib.privacy import recall_by_class
from stages.lib.report.markdown import tabulated
from stages.lib.report.page import table
from tools.pages import bring_up_to_date

PAGE = Path("docs/deidentification-policies.md")

if __name__ == "__main__":
    measured = json.loads(Path("metrics/scrubbing.json").read_text())
    bring_up_to_date(PAGE, {"recall": tabulated(table(*recall_by_class(measured)))}, tool="tools.deidentification")
