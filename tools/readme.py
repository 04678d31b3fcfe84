"""Bring the README's generated parts up to date: `python -m tools.readme`, or `--check` to fail where they are not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import yaml

from stages.lib.metrics import read_intervals
from stages.report import headline, table, verdict


def parts() -> dict[str, str]:
    """Return the generated text by the name of its markers."""
    results = json.loads(Path("metrics/evaluation.json").read_text())
    intervals = read_intervals(Path("metrics/intervals.csv"))
    stages = yaml.safe_load(Path("dvc.yaml").read_text())["stages"]
    size = f"{results['diagnoses']} diagnoses, {results['test_cases']:,} test cases, simulated patients."
    return {
        "results": f"{headline(results, intervals)}\n\n{size} {verdict(intervals)}",
        "stages": table(["stage", "what it does"], [[f"`{name}`", stage["desc"]] for name, stage in stages.items()]),
        "dag": subprocess.check_output([sys.executable, "-m", "dvc", "dag", "--md"], text=True).strip(),
    }


def updated(readme: str) -> str:
    """Return the README with every marked part replaced; each must be there once."""
    for name, text in parts().items():
        begin, end = f"<!-- {name} -->\n", f"\n<!-- /{name} -->"
        if readme.count(begin) != 1 or readme.count(end) != 1:
            sys.exit(f"error: README.md: the markers of '{name}' must be there once")
        before, _, rest = readme.partition(begin)
        readme = before + begin + text + end + rest.partition(end)[2]
    return readme


if __name__ == "__main__":
    path = Path("README.md")
    before, after = path.read_text(encoding="utf-8"), updated(path.read_text(encoding="utf-8"))
    if "--check" in sys.argv and before != after:
        sys.exit("error: README.md: generated parts are behind; run `python -m tools.readme`")
    path.write_text(after, encoding="utf-8")
