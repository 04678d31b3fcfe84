"""What a model is worth on cases from elsewhere: records and a model in, the files of `evaluate` and a report out."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.evaluate import DIGITS, HEADLINE, EvaluateParams, curves
from stages.lib.cases import by_case, in_use
from stages.lib.comparison import Model as Scored
from stages.lib.comparison import with_intervals
from stages.lib.fairness import attributes, by_subgroup
from stages.lib.intervals import Interval, interval, resampled_sums, write_intervals
from stages.lib.phenotypes.cohort import read_cohort
from stages.lib.predictions import predictions
from stages.lib.records import independent_groups
from stages.lib.scores import TUNED, Scores, scored
from stages.lib.stage import StageError, log
from tools.external_model import Model

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

FEWEST_NAMED = 5  # cases of an unknown diagnosis that is named: what few have could be a text in the wrong column


@dataclass(frozen=True)
class Measured:
    """What is written: counts, intervals of the model's metrics, and tables by name."""

    counts: dict[str, int | bool]
    bounds: dict[str, Interval]
    tables: dict[str, pd.DataFrame]


def measure(
    model: Model,
    records: pd.DataFrame,
    folder: Path,
    *,
    settings: EvaluateParams,
    seed: int,
    rejected: Counter[str],
) -> str:
    """Write the files and report.md, and return the headline."""
    found = measured(model, records, settings=settings, seed=seed)
    counts = found.counts | {"rows_rejected": rejected.total()}
    write_intervals({TUNED: found.bounds}, folder / "intervals.csv", digits=DIGITS)
    for name, frame in found.tables.items():
        frame.round(DIGITS).to_csv(folder / f"{name}.csv", index=False, lineterminator="\n")
    figures = {name: list(found.bounds[name])[:3] for name in ("accuracy_all_cases", *HEADLINE)}
    written = {name: round(cells[0], DIGITS) for name, cells in figures.items() if not math.isnan(cells[0])}
    (folder / "evaluation.json").write_text(json.dumps(counts | {TUNED: written}, indent=2, sort_keys=True) + "\n")
    text = report(counts, figures, rejected, found.tables["unknown_diagnoses"])
    (folder / "report.md").write_text(text, encoding="utf-8")
    accuracy, overall = (cell(figures[name]) for name in ("accuracy", "accuracy_all_cases"))
    return f"accuracy {accuracy} over known diagnoses, {overall} over all {len(records):,} cases"


def measured(model: Model, records: pd.DataFrame, *, settings: EvaluateParams, seed: int) -> Measured:
    """Return what `evaluate` says of a test split, of the cases with a diagnosis that the model knows.

    Raise StageError where there is none.
    """
    import pandas as pd

    is_known = records["diagnosis"].isin(model.diagnoses)
    unknown = records.loc[~is_known, "diagnosis"].value_counts()
    log.info("%s cases, %s of them with a diagnosis that the model knows", f"{len(records):,}", f"{is_known.sum():,}")
    if not is_known.any():
        raise StageError("--cases: the model knows none of the diagnoses; map them by --labels-map")
    every = pd.Series(independent_groups(records), index=records["record_id"])
    known = records[is_known].reset_index(drop=True)
    tuned = compared(model, known, every)
    drawing: dict[str, Any] = {"resamples": settings.bootstrap, "confidence": settings.confidence, "seed": seed}
    bounds = with_intervals({TUNED: tuned}, **drawing)[TUNED]
    bounds |= in_use(tuned.calibrated, model.calibration, **drawing) if model.calibrated else {}
    right = pd.Series(tuned.calibrated.predicted == tuned.calibrated.gold, index=tuned.ids)
    right = right.reindex(every.index, fill_value=False)
    bounds["accuracy_all_cases"] = share(right.to_numpy(), every.to_numpy(), **drawing)
    families = {disease.id: disease.group for disease in read_cohort()}
    declared = {name: value for name, value in settings.prevalence.items() if name in model.diagnoses}
    tables = curves({TUNED: tuned}, model.diagnoses, declared)
    tables["subgroups"] = by_subgroup(tuned, attributes(known, families), **drawing)
    tables["predictions"] = by_case({TUNED: tuned}, known, every.loc[known["record_id"]], model.calibration)
    tables["unknown_diagnoses"] = named(unknown)
    return Measured(counted(model, every, unknown), bounds, tables)


def compared(model: Model, known: pd.DataFrame, groups: pd.Series) -> Scored:
    """Return the model's scores of the records, before and after calibration."""
    raw = model.probabilities(known["text"].tolist())
    table = predictions(known, raw, model=TUNED, split="test", diagnoses=model.diagnoses)
    ids, scores = scored(table, model=TUNED, split="test", groups=groups)
    return Scored(ids, scores, Scores(model.calibration.apply(raw), scores.gold, scores.groups))


def counted(model: Model, groups: pd.Series, unknown: pd.Series) -> dict[str, int | bool]:
    """Return how many cases, groups and diagnoses there are, and whether probabilities are calibrated."""
    return {
        "cases": len(groups),
        "cases_of_unknown_diagnoses": int(unknown.sum()),
        "diagnoses": len(model.diagnoses),
        "groups": int(groups.nunique()),
        "unknown_diagnoses": len(unknown),
        "calibrated": model.calibrated,
    }


def share(right: np.ndarray, groups: np.ndarray, *, resamples: int, confidence: float, seed: int) -> Interval:
    """Return the share of right answers among all cases, with its interval over independent groups."""
    import numpy as np

    table = np.column_stack([right, np.ones(len(right))]).astype(float)
    drawn = resampled_sums(table, groups, resamples=resamples, seed=seed)
    return interval(float(right.mean()), drawn[:, 0] / drawn[:, 1], confidence=confidence)


def named(unknown: pd.Series) -> pd.DataFrame:
    """Return the unknown diagnoses with their cases; those of few cases are one row without a name."""
    import pandas as pd

    shown = sorted((-count, str(name)) for name, count in unknown.items() if count >= FEWEST_NAMED)
    rows = [(name, -count) for count, name in shown]
    few = unknown[unknown < FEWEST_NAMED]
    rows += [(f"({len(few):,} diagnoses with fewer than {FEWEST_NAMED} cases)", int(few.sum()))] if len(few) else []
    return pd.DataFrame(rows, columns=["diagnosis", "cases"])


def report(
    counts: Mapping[str, Any], figures: Mapping[str, list[float]], rejected: Counter[str], unknown: pd.DataFrame
) -> str:
    """Return the report in Markdown."""
    state = "as calibrated by the pipeline" if counts["calibrated"] else "uncalibrated: no calibration belongs to them"
    sections = [
        "# External validation",
        f"{counts['cases']:,} cases in {counts['groups']:,} independent groups, {counts['rows_rejected']:,} rows "
        f"rejected. {counts['cases_of_unknown_diagnoses']:,} cases have one of {counts['unknown_diagnoses']:,} "
        f"diagnoses that are none of the model's {counts['diagnoses']:,}: they count as wrong in accuracy_all_cases, "
        f"and are left out of the other metrics. Probabilities are {state}. Brackets hold bootstrap intervals over "
        "groups.",
        listed(["metric", "value"], [[name, cell(cells)] for name, cells in figures.items()]),
    ]
    if len(unknown):
        rows = [[str(part).replace("|", "/") for part in row] for row in unknown.itertuples(index=False)]
        sections += ["## Diagnoses that the model does not know", listed(["diagnosis", "cases"], rows)]
    if rejected:
        rows = [[reason, f"{count:,}"] for reason, count in sorted(rejected.items())]
        sections += ["## Rows rejected", listed(["reason", "rows"], rows)]
    return "\n\n".join(sections) + "\n"


def cell(figures: list[float]) -> str:
    """Return a value with its interval, if it has one."""
    value, low, high = figures
    return f"{value:.3f}" if math.isnan(low) else f"{value:.3f} [{low:.3f}, {high:.3f}]"


def listed(columns: list[str], rows: list[list[str]]) -> str:
    """Return a table in Markdown."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
