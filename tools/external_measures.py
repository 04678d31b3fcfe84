"""What a model is worth on cases from elsewhere: records and a model in, the files of `evaluate` and a report out."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping
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
    import pandas as pd

    is_known = records["diagnosis"].isin(model.diagnoses)
    unknown = records.loc[~is_known, "diagnosis"].value_counts()
    log.info("%s cases, %s of them with a diagnosis that the model knows", f"{len(records):,}", f"{is_known.sum():,}")
    if not is_known.any():
        raise StageError("--cases: the model knows none of the diagnoses; map them by --labels-map")
    every = pd.Series(independent_groups(records), index=records["record_id"])
    known = records[is_known].reset_index(drop=True)
    groups = every.loc[known["record_id"]]
    raw = model.probabilities(known["text"].tolist())
    table = predictions(known, raw, model=TUNED, split="test", diagnoses=model.diagnoses)
    ids, scores = scored(table, model=TUNED, split="test", groups=groups)
    models = {TUNED: Scored(ids, scores, Scores(model.calibration.apply(raw), scores.gold, scores.groups))}
    drawing: dict[str, Any] = {
        "resamples": settings.bootstrap, "confidence": settings.confidence, "seed": seed
    }  # fmt: skip
    bounds = with_intervals(models, **drawing)
    bounds[TUNED] |= in_use(models[TUNED].calibrated, model.calibration, **drawing) if model.calibrated else {}
    right = pd.Series(models[TUNED].calibrated.predicted == scores.gold, index=ids).reindex(
        every.index, fill_value=False
    )
    bounds[TUNED]["accuracy_all_cases"] = share(right.to_numpy(), every.to_numpy(), **drawing)
    write_intervals(bounds, folder / "intervals.csv", digits=DIGITS)
    families = {disease.id: disease.group for disease in read_cohort()}
    declared = {name: value for name, value in settings.prevalence.items() if name in model.diagnoses}
    tables = curves(models, model.diagnoses, declared)
    tables["subgroups"] = by_subgroup(models[TUNED], attributes(known, families), **drawing)
    tables["predictions"] = by_case(models, known, groups, model.calibration)
    tables["unknown_diagnoses"] = named(unknown)
    for name, frame in tables.items():
        frame.round(DIGITS).to_csv(folder / f"{name}.csv", index=False, lineterminator="\n")
    counts = {
        "cases": len(records),
        "cases_of_unknown_diagnoses": int(unknown.sum()),
        "diagnoses": len(model.diagnoses),
        "groups": int(every.nunique()),
        "rows_rejected": rejected.total(),
        "unknown_diagnoses": len(unknown),
        "calibrated": model.calibrated,
    }
    figures = {name: list(bounds[TUNED][name])[:3] for name in ("accuracy_all_cases", *HEADLINE)}
    written = {name: round(cells[0], DIGITS) for name, cells in figures.items() if not math.isnan(cells[0])}
    (folder / "evaluation.json").write_text(json.dumps(counts | {TUNED: written}, indent=2, sort_keys=True) + "\n")
    (folder / "report.md").write_text(report(counts, figures, rejected, tables["unknown_diagnoses"]), encoding="utf-8")
    accuracy, overall = (cell(figures[name]) for name in ("accuracy", "accuracy_all_cases"))
    return f"accuracy {accuracy} over known diagnoses, {overall} over all {len(records):,} cases"


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
