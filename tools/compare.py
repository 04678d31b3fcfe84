"""Review what a change did to the tuned model, from what two git revisions hold: `python -m tools.compare BASE [HEAD]`.

Prints Markdown for a pull request, or writes it with --markdown; --json writes all figures for machines. Without HEAD
the working tree is compared. With --fail-on-regression it exits 1 where a headline metric is significantly worse.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from stages.lib.launcher import error_lines
from stages.lib.stage import StageError
from tools.review.change import Change
from tools.review.comparison import Comparison, Mover, compare
from tools.review.markdown import page, verdict
from tools.review.revisions import open_revision

DIGITS = 4


def main() -> int:
    """Compare as the command line says; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.compare", description=str(__doc__).partition("\n\n")[0])
    parser.add_argument("base", help="a git revision")
    parser.add_argument("head", nargs="?", help="a git revision; the working tree without it")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the page there, not to stdout")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    parser.add_argument("--show", type=int, default=20, metavar="N", help="entries of each list of the page (20)")
    parser.add_argument(
        "--fail-on-regression", action="store_true", help="exit 1 where a metric is significantly worse"
    )
    given = parser.parse_args()
    found = compare(open_revision(given.base), open_revision(given.head))
    text = page(found, shown=given.show)
    if given.markdown:
        given.markdown.write_text(text, encoding="utf-8")
    else:
        print(text, end="")
    if given.json:
        given.json.write_text(json.dumps(document(found), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    if given.fail_on_regression and found.worse():
        print(f"error: {verdict(found)}", file=sys.stderr)
        return 1
    return 0


def document(found: Comparison) -> dict[str, Any]:
    """Return the comparison as JSON's types; numbers are rounded."""
    pairing = found.pairing
    return {
        "base": {"name": found.base.name, "commit": found.base.commit, "test_cases": found.cases("base")},
        "head": {
            "name": found.head.name,
            "commit": found.head.commit,
            "committed": found.head.committed,
            "test_cases": found.cases("head"),
        },
        "verdict": verdict(found),
        "worse": found.worse(),
        "better": found.better(),
        "paired_cases": len(pairing.ids),
        "metrics": {name: _numbers(change) for name, change in found.metrics.items()},
        "diagnoses": [_moved(mover) for mover in found.diagnoses],
        "subgroups": [_moved(mover) for mover in found.subgroups],
        "broken": list(found.broken),
        "fixed": list(found.fixed),
        "data": {
            "added": pairing.added,
            "removed": pairing.removed,
            "relabelled": pairing.relabelled,
            "test_cases_by_diagnosis": found.counts,
            "label_drift": found.drift,
        },
        "other_metrics": found.evidence,
        "params": found.params,
        "code": found.code,
        "stages": list(found.stages),
        "outputs": list(found.outputs),
        "commits": list(found.commits),
        "missing": found.missing,
    }


def _numbers(change: Change) -> dict[str, float | None]:
    found = {"base": change.base, "head": change.head, "delta": change.delta, "low": change.low, "high": change.high}
    found |= {"p": change.p, "p_adjusted": change.p_adjusted}
    return {name: None if value is None else round(value, DIGITS) for name, value in found.items()}


def _moved(mover: Mover) -> dict[str, Any]:
    named = {"attribute": mover.attribute, "group": mover.group, "cases": mover.cases}
    return named | {"broken": mover.broken, "fixed": mover.fixed} | _numbers(mover.recall)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except StageError as error:
        sys.exit(error_lines(error))
