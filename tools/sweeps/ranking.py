"""What came out of a sweep: metrics of its experiments in, a ranked table with intervals out."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from tools.sweeps.plan import Run
from tools.sweeps.spec import FOLD, Point, override

CONFIDENCE = 1.959964  # standard errors on either side of a 95 % interval
ERRORS = {"validation_log_loss": "validation_log_loss_error"}


@dataclass(frozen=True)
class Result:
    """A run that is done, its metric and an interval of 95 %, where one can be given."""

    run: Run
    value: float
    low: float | None
    high: float | None


def result(run: Run, metric: str, read: Callable[[str, str], dict[str, Any]]) -> Result:
    """Return the result of a run from its metrics, which `read` gives by the name of its experiment and a path.

    An interval counts independent groups instead of records, as if all records of a group agreed.
    """
    training, splits = read(run.name, "metrics/training.json"), read(run.name, "metrics/splits.json")
    records, groups = splits["records"]["validation"], splits["independent_groups"]["validation"]
    value = float(training[metric])
    low: float | None = None
    high: float | None = None
    if metric == "validation_accuracy":
        low, high = wilson(value, groups)
    elif error := training.get(ERRORS.get(metric, "")):
        half = CONFIDENCE * error * math.sqrt(records / groups)
        low, high = max(0.0, value - half), value + half
    return Result(run, value, low, high)


def wilson(share: float, count: int) -> tuple[float, float]:
    """Return the 95 % interval of a share of `count` cases (Wilson 1927)."""
    square = CONFIDENCE**2
    centre = (share + square / (2 * count)) / (1 + square / count)
    half = CONFIDENCE * math.sqrt(share * (1 - share) / count + square / (4 * count**2)) / (1 + square / count)
    return max(0.0, centre - half), min(1.0, centre + half)


def is_loss(metric: str) -> bool:
    """Tell whether less is better."""
    return metric.endswith("loss")


def best(results: list[Result], metric: str) -> Result:
    """Return the best result, the first of equals."""
    return min(results, key=lambda found: _order(found.value, metric))


def ranking(results: list[Result], metric: str) -> str:
    """Return the results, the best first, as a Markdown table."""
    keys = list(results[0].run.point)
    ranked = sorted(results, key=lambda found: _order(found.value, metric))
    rows = [
        [str(place), found.run.name, *_values(found.run.point, keys), f"{found.value:.4f}", _interval(found)]
        for place, found in enumerate(ranked, start=1)
    ]
    return table(["rank", "experiment", *keys, metric, "95 % interval"], rows)


def ranking_over_folds(results: list[Result], metric: str) -> str:
    """Return what the results of one point's folds are on average, the best point first, as a Markdown table."""
    keys = [key for key in results[0].run.point if key != FOLD]
    groups: dict[tuple[str, ...], list[float]] = {}
    for found in results:
        groups.setdefault(tuple(_values(found.run.point, keys)), []).append(found.value)
    folds = max(map(len, groups.values()))
    # A point without all of its folds was not measured on the same cases as the others: it comes last.
    ranked = sorted(groups.items(), key=lambda item: (-len(item[1]), _order(fmean(item[1]), metric)))
    rows = [
        [
            str(place) if len(values) == folds else "",
            *point,
            str(len(values)),
            f"{fmean(values):.4f}",
            f"{stdev(values):.4f}" if len(values) > 1 else "",
            f"{min(values):.4f} to {max(values):.4f}",
        ]
        for place, (point, values) in enumerate(ranked, start=1)
    ]
    return table(["rank", *keys, "folds", f"mean {metric}", "standard deviation", "range"], rows)


def table(columns: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [columns, ["---"] * len(columns), *rows])


def _order(value: float, metric: str) -> float:
    return value if is_loss(metric) else -value


def _values(point: Point, keys: list[str]) -> list[str]:
    return [override(point[key]) for key in keys]


def _interval(found: Result) -> str:
    return "" if found.low is None or found.high is None else f"{found.low:.4f} to {found.high:.4f}"
