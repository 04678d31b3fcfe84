"""Bring the README's generated parts up to date: `python -m tools.readme`, or `--check` to fail where they are not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import yaml

from stages.lib.report.markdown import tabulated, words
from stages.lib.report.page import table
from stages.lib.report.performance import headline, verdict
from tools.pages import bring_up_to_date


def parts() -> dict[str, str]:
    """Return the generated text by the name of its markers."""
    results = json.loads(Path("metrics/evaluation.json").read_text())
    intervals, comparisons = (pd.read_csv(f"metrics/{name}.csv") for name in ("intervals", "comparisons"))
    stages = yaml.safe_load(Path("dvc.yaml").read_text())["stages"]
    size = f"{results['diagnoses']} diagnoses, {results['test_cases']:,} test cases, simulated patients."
    return {
        "results": f"{tabulated(headline(intervals))}\n\n{size} {words(verdict(comparisons))}",
        "stages": tabulated(
            table(["stage", "what it does"], [[f"`{name}`", stage["desc"]] for name, stage in stages.items()])
        ),
        "dag": subprocess.check_output([sys.executable, "-m", "dvc", "dag", "--md"], text=True).strip(),
    }


if __name__ == "__main__":
    bring_up_to_date(Path("README.md"), parts(), tool="tools.readme")
